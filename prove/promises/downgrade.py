"""Cheaper models near a limit."""

import asyncio
import itertools

from harness.process import eventually

from ..asking import Reply, ask, client
from ..findings import dollars

PROMISE = (
    "from 80 % of its budget on a key gets the cheaper model, and its own again once there is more; a rate limit does "
    "not send it to and fro"
)
DEAR, CHEAP = "gpt-4o", "gpt-4o-mini"
BUDGET = 50_000_000
LONGEST = 200
RPM, HALF = 40, 20
HOVERING = 88.0


def served_by(reply: Reply) -> str:
    """The model it came from, as the answer says."""
    return reply.headers.get("x-tollgate-model", reply.body.get("model", f"{reply.status}"))


def by_budget(gateway, found) -> None:
    """Spends until the budget is used up, then raises it."""

    async def spend() -> list[tuple[int, Reply]]:
        replies = []
        async with client(gateway, "spender", 1) as http:
            for _ in range(2000):
                spent = gateway.idle().total("tollgate_cost_nanodollars_total", key="spender")
                reply = await ask(http, DEAR, knobs={"tokens": LONGEST}, max_tokens=LONGEST)
                replies.append((spent, reply))
                if not reply.served:
                    break
        return replies

    replies = asyncio.run(spend())
    served = [(spent, reply) for spent, reply in replies if reply.served]
    models = [served_by(reply) for _, reply in served]
    cheap = [(spent, reply) for spent, reply in served if served_by(reply) == CHEAP]
    found.did(f"{len(replies)} requests for {DEAR} against {dollars(BUDGET)}")
    found.must(bool(cheap), "no request got the cheaper model")
    if not cheap:
        return
    first = cheap[0][0]
    share = first * 100 / BUDGET
    found.saw(f"{models.count(DEAR)} by {DEAR}, then {len(cheap)} by {CHEAP}, the first at {share:.0f} %")
    found.must(len(list(itertools.groupby(models))) == 2, "it went to and fro")
    found.must(BUDGET * 0.8 <= first <= BUDGET * 0.85, "not at 80 %")
    told = {reply.headers.get("x-tollgate-downgraded") for _, reply in cheap}
    found.must(told == {f"{DEAR}; key.budget.day"}, f"x-tollgate-downgraded: {told}")
    labels = {"key": "spender", "model": DEAR, "served": CHEAP, "rule": "key.budget.day"}
    counted = gateway.counts().total("tollgate_downgrades_total", **labels)
    found.must(counted == len(cheap), f"tollgate_downgrades_total says {counted}")
    asked = {reply.body["model"] for _, reply in cheap}
    found.must(asked == {CHEAP}, f"the provider was asked for {asked}")

    raised = gateway.document.copy()
    raised.entry("spender")["budget"]["usd"] = BUDGET * 2 / 1e9
    gateway.change(raised)

    def back() -> str | None:
        return served_by(asyncio.run(once(gateway))) == DEAR

    found.did("then twice the budget")
    eventually(f"{DEAR} serves again", back, patience=10)
    found.saw(f"{DEAR} again")


async def once(gateway) -> Reply:
    """One request of the spender."""
    async with client(gateway, "spender", 1) as http:
        return await ask(http, DEAR, max_tokens=LONGEST)


def by_rate(gateway, found) -> None:
    """Half of the limit at once, then a trickle that keeps the window at just that half."""

    async def hover() -> list[Reply]:
        async with client(gateway, "hovering", 1) as http:
            replies = [await ask(http, DEAR) for _ in range(HALF)]
            for _ in range(int(HOVERING / 3)):
                await asyncio.sleep(3)
                replies.append(await ask(http, DEAR))
        return replies

    replies = asyncio.run(hover())
    models = [served_by(reply) for reply in replies]
    turns = len(list(itertools.groupby(models))) - 1
    found.did(f"{len(replies)} requests that keep a rate limit at its threshold")
    found.saw(f"{models.count(CHEAP)} by {CHEAP}, {turns} turns")
    found.must(CHEAP in models, "the rate limit sent none to the cheaper model")
    found.must(turns <= 3, f"it flapped: {' '.join(models)}")


def attempt(world, found) -> None:
    """A budget and a rate limit, each of a key of its own."""
    document = world.document()
    document.models[DEAR]["cheaper"] = CHEAP
    budget = {"usd": BUDGET / 1e9, "per": "day", "warn_at": 0.8, "then": "downgrade"}
    document.key("spender", budget=budget)
    document.key("hovering", limits={"rpm": {"limit": RPM, "warn_at": HALF / RPM, "then": "downgrade"}})
    gateway = world.gateway(document)
    by_budget(gateway, found)
    by_rate(gateway, found)
