"""A provider that dies, and comes back."""

import asyncio
import random
import time
from collections import Counter
from itertools import groupby

from harness.document import Document
from harness.exposition import Metrics

from ..asking import QUESTION
from ..calling import Call, call
from ..findings import dollars
from ..watching import Watch

PROMISE = "a provider killed under load fails no request but the streams it has begun, and gets its traffic back by itself"
CALLERS = 24
BEFORE, DEAD, AFTER = 4.0, 6.0, 4.0
REST, RECOVERY = 2, 8
# What the backups call the model, and the primary.
NAMES = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5", "spare": "gpt-4o-mini"}


class HealthWatch(Watch):
    """Looks all the time at how much of its traffic the primary gets."""

    def __init__(self, gateway):
        super().__init__()
        self.gateway = gateway
        self.seen: list[int] = []

    def _look(self) -> None:
        page = "/stats/prometheus?filter=^wasmcustom.tollgate_provider_health"
        now = Metrics.parse(self.gateway.ask_admin(page)).of("tollgate_provider_health_percent", provider="openai")
        self.seen += [int(min(value for _, value in now))] if now else []

    @property
    def levels(self) -> list[int]:
        """What it was, each level once."""
        return [level for level, _ in groupby(self.seen)]


def document(world) -> Document:
    """One model with two backups, the first of another dialect."""
    made = world.standing.providers(Document(health={"rest": f"{REST}s", "rest_at_most": "4s", "recovery": f"{RECOVERY}s"}))
    made.model("agent", *NAMES.items())
    made.key("everything", loop_guard="off")
    return made


async def insist(client, number: int, calls: list[Call], enough: asyncio.Event) -> None:
    """One caller: whole answers and streams in turn, until it is enough."""
    chance, streams = random.Random(number), bool(number % 2)
    while not enough.is_set():
        pace = {"ttft_ms": chance.randrange(30, 500), "tokens": 40} | ({"rate": 160} if streams else {})
        calls.append(await call(client, "agent", QUESTION, streams=streams, **pace))
        streams = not streams


async def run(world, gateway, watch: HealthWatch, calls: list[Call]) -> dict[str, float]:
    """The load, the death and the return; when things happened."""
    enough, at = asyncio.Event(), {}
    clients = [gateway.clients.openai_async() for _ in range(CALLERS)]
    callers = asyncio.gather(*(insist(client, number, calls, enough) for number, client in enumerate(clients)))
    await asyncio.sleep(BEFORE)
    at["killed"] = time.monotonic()
    await asyncio.to_thread(world.standing.openai.kill)
    await asyncio.sleep(DEAD)
    at["reviving"] = time.monotonic()
    world.standing.openai = await asyncio.to_thread(world.revive, world.standing.openai, "second-life")
    at["revived"] = time.monotonic()
    while watch.seen[-1] != 100 and time.monotonic() < at["revived"] + 60:
        await asyncio.sleep(0.1)
    at["all back"] = time.monotonic()
    await asyncio.sleep(AFTER)
    enough.set()
    await callers
    for client in clients:
        await client.close()
    return at


def attempt(world, found) -> None:
    """Callers that never rest, a primary that is killed with SIGKILL and started again at the same port."""
    gateway = world.gateway(document(world))
    mark, calls = gateway.mark(), []
    with HealthWatch(gateway) as watch:
        at = asyncio.run(run(world, gateway, watch, calls))
        seen = mark.settled(len(calls))

    broken = [made for made in calls if made.failure and made.begun]
    failed = [made for made in calls if made.failure and not made.begun]
    moved = sum(made.attempts > 1 for made in calls if not made.failure)
    streams = sum(made.streams for made in calls)
    found.did(f"{len(calls):,} calls of {CALLERS} callers, {streams:,} of them streams, the primary dead for {DEAD:.0f} s")
    found.saw(f"{len(failed)} failed, {len(broken)} streams begun at that moment broke off, {moved} went on to another")
    found.must(not failed, f"failed: {dict(Counter(made.failure for made in failed))}")
    silent = [made for made in broken if made.failure == "ended without an end"]
    found.must(not silent, f"{len(silent)} broken streams looked like whole ones")
    late = [made for made in broken if made.sent > at["killed"] or made.heard < at["killed"]]
    found.must(broken and not late, f"{len(late)} of {len(broken)} streams broke off that were not under way at the kill")
    found.must(moved > 0, "no call went on to another provider")
    expected = {"ok": len(calls) - len(broken), "interrupted_by_provider": len(broken)}
    found.must(seen.outcomes() == expected, f"outcomes {seen.outcomes()}, not {expected}")
    _traffic(found, watch.levels, calls, at)
    _money(found, world, seen, calls, at)


def _traffic(found, levels: list[int], calls: list[Call], at: dict[str, float]) -> None:
    """How the primary's share went, by its gauge and by who answered."""

    def share(begin: float, end: float) -> float:
        answered = [made.provider for made in calls if begin <= made.sent < end and not made.failure]
        return 100 * answered.count("openai") / max(1, len(answered))

    last = max(made.sent for made in calls) + 1
    before, dead = share(0, at["killed"] - 1), share(at["killed"] + 0.2, at["reviving"])
    after = share(at["all back"], last)
    took = at["all back"] - at["revived"]
    found.saw(f"share of the primary {before:.0f} % → {dead:.0f} % → {after:.0f} %, all of it {took:.1f} s after its return")
    found.saw(f"health {' → '.join(map(str, levels))}")
    found.must(before == after == 100 and dead == 0, f"its share is not all, nothing, all, but {before}, {dead}, {after}")
    ramp = levels[levels.index(0) + 1 :] if 0 in levels else []
    # While it is tried and fails again it may be seen to be out more than once.
    rising = [level for level in ramp if level]
    found.must(levels[0] == levels[-1] == 100 and 0 in levels, "its health was not seen to go from 100 to 0 and back")
    found.must(len(rising) > 2 and rising == sorted(rising), "its health did not rise by degrees")
    # It may have begun its longest rest just before it came back; the gauge is refreshed once a second.
    found.must(took < 2 * REST + RECOVERY + 4, "that took too long")


def _money(found, world, seen, calls: list[Call], at: dict[str, float]) -> None:
    """The books of the living, of the dead what it told its callers, and the metrics."""
    ledgers = {name: simulator.ledger().reported for name, simulator in zip(NAMES, _three(world), strict=True)}
    told = {name: sum(made.cost(NAMES[name]) for made in calls if made.provider == name) for name in NAMES}
    buried = sum(made.cost(NAMES["openai"]) for made in calls if made.provider == "openai" and made.sent < at["reviving"])
    billed = {name: seen.cost(provider=name, source="reported") for name in NAMES}
    estimated = seen.cost(source="estimated")
    books = sum(ledgers.values()) + buried
    found.saw(
        f"metrics {dollars(sum(billed.values()))}, ledgers with what the dead one told its callers {dollars(books)}, "
        f"and {dollars(estimated)} estimated for the streams that broke off"
    )
    found.must(billed == told, f"the callers were told {told}, metrics {billed}")
    found.must(billed == {**ledgers, "openai": ledgers["openai"] + buried}, f"the ledgers say {ledgers} and {buried}")
    found.must(estimated > 0, "what came of the broken streams is not billed")
    others = seen.cost() - sum(billed.values()) - estimated
    found.must(not others, f"{others} nano-dollars are of no known source")


def _three(world) -> tuple:
    return world.standing.openai, world.standing.anthropic, world.standing.spare
