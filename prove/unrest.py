"""Everything at once that could leave something behind. In: a world. Out: the gateway, and what a scraper saw of it.

Agents do all they do, others leave at random moments, a provider is killed and comes back, the document changes again
and again, and with it now and then the credentials the module's machine has, which gives every worker a new machine.
"""

import asyncio
import contextlib
import random
import threading
from dataclasses import dataclass, field

import httpx2
from harness.agents import Agent, storm
from harness.gateway import Gateway
from harness.process import eventually
from harness.scrape import Scraper
from harness.simulator import simulate

from .asking import CHAT, QUESTION, at_once, client

AGENTS, EACH = 24, 40
LEAVERS, LEAVES = 12, 40
LIMITS = {"rpm": 10**6, "tpm": 10**9, "parallel": 500}
BUDGETS = [{"usd": 1000, "per": "month"}, {"tokens": 10**10, "over": "1h"}]
RESERVE = "reserve"
# Asks only once all is over: that its gauges are there shows that the others are of then.
LAST = "last"


class Hardened(Agent):
    """One that takes whatever comes."""

    async def do(self, kind) -> None:
        """One request, or what became of it."""
        try:
            await asyncio.wait_for(super().do(kind), 30)
        except Exception as error:
            self.done[type(error).__name__] += 1


@dataclass
class Unrest:
    """What there was of it."""

    gateway: Gateway
    scraper: Scraper
    requests: int = 0
    changes: int = 0
    machines: int = 0
    deaths: int = 0
    problems: list[str] = field(default_factory=list)


def document(world):
    """Limits and budgets for every subject, and a provider to be added whose credential the environment has already."""
    made = world.standing.document(limits=LIMITS, budget=BUDGETS)
    for team in made.teams:
        made.teams[team] = {"limits": LIMITS, "budget": BUDGETS}
    for key in made.keys:
        key.update(limits=LIMITS, budget=BUDGETS, per_model={"gpt-4o*": {"limits": LIMITS, "budget": BUDGETS}})
    for subject in [*made.models.values(), *made.providers.values()]:
        subject.update(limits=LIMITS, budget=BUDGETS)
    made.key(LAST, limits=LIMITS, budget=BUDGETS)
    spare = world.standing.spare
    made.provider(RESERVE, "openai", f"{spare.origin}/v1", spare.credential, priced_as="openai")
    return made


def rage(world) -> Unrest:
    """All of it, once."""
    complete = document(world)
    without = complete.copy()
    del without.providers[RESERVE]
    gateway = world.gateway(without)
    enough = threading.Event()
    with Scraper(gateway) as scraper:
        unrest = Unrest(gateway, scraper)
        threads = [
            threading.Thread(target=_change, args=(gateway, complete, without, unrest, enough)),
            threading.Thread(target=_kill, args=(world, unrest, enough)),
        ]
        for thread in threads:
            thread.start()
        try:
            unrest.requests = asyncio.run(_requests(gateway))
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    return unrest


async def _requests(gateway: Gateway) -> int:
    keys = ["everything", "loner", "expiring"] * (AGENTS // 3)
    storming = storm(gateway.clients, keys, EACH, seed=11, kind=Hardened)
    done, *left = await asyncio.gather(storming, *(_leave(gateway, number) for number in range(LEAVERS)))
    return sum(done.values()) + sum(left)


async def _leave(gateway: Gateway, number: int) -> int:
    """Asks, and leaves at a random moment."""
    chance = random.Random(number)
    async with client(gateway, "timed", 1) as http:
        for _ in range(LEAVES):
            body = {"model": "gpt-4o", "messages": QUESTION, "stream": chance.random() < 0.5, "max_tokens": 1000}
            steering = simulate(tokens=500, rate=200, ttft_ms=chance.randrange(0, 300))
            with contextlib.suppress(httpx2.HTTPError, TimeoutError):
                async with asyncio.timeout(chance.random() * 0.6):
                    await http.post(CHAT, json=body, headers={"x-simulate": steering})
    return LEAVES


def _change(gateway: Gateway, complete, without, unrest: Unrest, enough: threading.Event) -> None:
    chance = random.Random(3)
    # Faster and slower than the second after which gauges are refreshed.
    while not enough.wait(chance.choice([0.2, 0.5, 1.5])):
        new_machine = unrest.changes % 3 == 2
        has_reserve = RESERVE in gateway.document.providers
        changed = (complete if has_reserve != new_machine else without).copy()
        changed.key(f"passer-by-{unrest.changes}", limits={"rpm": 5})
        try:
            gateway.change(changed)
        except AssertionError as error:
            unrest.problems.append(str(error)[:300])
            return
        unrest.changes += 1
        unrest.machines += new_machine


def _kill(world, unrest: Unrest, enough: threading.Event) -> None:
    """Kills the provider most requests go to, and starts it again at the same address."""
    while not enough.wait(2.0):
        old = world.standing.openai
        old.kill()
        enough.wait(0.5)
        world.standing.openai = world.revive(old, f"life-{unrest.deaths}")
        unrest.deaths += 1


LEFT = {"tollgate_requests_in_flight", "tollgate_set_aside_nanodollars", "tollgate_set_aside_tokens"}
LEFT |= {"tollgate_budget_set_aside_nanodollars", "tollgate_budget_set_aside_tokens"}


def left_behind(gateway: Gateway) -> dict:
    """What is under way or set aside at this moment."""
    levels = gateway.levels()
    found = {
        (name, *sorted(dict(labels).items())): value
        for (name, labels), value in levels.samples.items()
        if name in LEFT and value
    }
    for labels, value in levels.of("tollgate_limit", limit="parallel"):
        [(_, free)] = levels.of("tollgate_limit_remaining", **labels)
        if free != value:
            found[("tollgate_limit_remaining", *sorted(labels.items()))] = free
    return found


def calm(gateway: Gateway, patience: float = 100) -> dict:
    """What is still left behind once nothing more is given back, or so long after the end."""
    answer = asyncio.run(at_once(gateway, LAST, 1))
    assert [reply.status for reply in answer] == [200]
    left: dict = {"gauges of the last request": None}

    def nothing_is_left() -> bool:
        nonlocal left
        if gateway.levels().of("tollgate_budget_nanodollars", key=LAST):
            left = left_behind(gateway)
        return not left

    with contextlib.suppress(AssertionError):
        eventually("nothing is left behind", nothing_is_left, patience=patience, pause=0.5)
    return left
