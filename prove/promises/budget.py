"""A budget in dollars."""

import asyncio
import json
import random
import time

from ..asking import QUESTION, ask, client
from ..findings import dollars

PROMISE = "40 agents that never stop spend no more than their budget of $1, and all of it but one request's worth"
BUDGET = 10**9
AGENTS = 40
LONGEST = 400
# gpt-4o, in nano-dollars a token. A prompt has no more tokens than it has bytes.
INPUT, OUTPUT = 2500, 10_000
WORST = INPUT * len(json.dumps({"model": "gpt-4o", "messages": QUESTION, "max_tokens": LONGEST})) + OUTPUT * LONGEST


def attempt(world, found) -> None:
    """Forty in a loop until each has been refused a few times, then one until it is refused with nobody beside it."""
    document = world.document()
    document.key("spender", budget={"usd": BUDGET / 1e9, "per": "month"})
    gateway = world.gateway(document)

    async def agent(number: int, refusals: int) -> list:
        chance, replies, refused = random.Random(number), [], 0
        async with client(gateway, "spender", 1) as http:
            while refused < refusals:
                knobs = {"tokens": chance.randrange(50, LONGEST + 1), "ttft_ms": chance.randrange(0, 60)}
                reply = await ask(http, "gpt-4o", knobs=knobs, max_tokens=LONGEST)
                replies.append(reply)
                refused = refused + 1 if reply.status == 429 else 0
                if not reply.served:
                    await asyncio.sleep(0.05)
                if reply.status not in (200, 429) or len(replies) > 2000:
                    return replies
        return replies

    async def agents() -> list:
        crowd = await asyncio.gather(*(agent(number, 3) for number in range(AGENTS)))
        return [reply for replies in [*crowd, await agent(AGENTS, 1)] for reply in replies]

    replies = asyncio.run(agents())
    gateway.idle()
    spent = world.ledger().settled
    refused = [reply for reply in replies if not reply.served]
    # The gauge is refreshed once a second.
    time.sleep(3)
    told = gateway.levels().total("tollgate_budget_spent_nanodollars", key="spender")
    found.did(f"{len(replies):,} requests of {AGENTS} agents, up to {dollars(WORST)} each")
    found.saw(f"{len(replies) - len(refused):,} served, {dollars(spent)} in the ledger, {dollars(told)} in the metric")
    found.must(spent <= BUDGET, f"{dollars(spent - BUDGET)} too much")
    found.must(spent >= BUDGET - WORST, f"{dollars(BUDGET - spent)} were left")
    found.must(all(reply.status == 429 for reply in refused), "some were refused otherwise")
    found.must(told == spent, "the metric of what was spent is not the ledger")
    codes = {reply.body.get("error", {}).get("code") for reply in refused}
    found.must(codes == {"budget_exceeded"}, f"refused with the codes {codes}")
