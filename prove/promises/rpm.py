"""Requests per minute."""

import asyncio

from ..asking import ask, at_once, client, statuses, trickle
from ..window import most_within_a_minute

PROMISE = "a key of 60 requests a minute has exactly 60 in any 60 seconds, whatever the worker"
LIMIT = 60
BURST = 500
CLIENTS, PAUSE, SECONDS = 6, 1.0, 80.0


def attempt(world, found) -> None:
    """A burst and a client that waits as it is told; beside it a trickle that outlasts a window."""
    document = world.document()
    document.key("burst", limits={"rpm": LIMIT})
    document.key("trickle", limits={"rpm": LIMIT})
    gateway = world.gateway(document)

    async def burst_then_wait():
        burst = await at_once(gateway, "burst", BURST)
        async with client(gateway, "burst", 1) as http:
            refused = await ask(http)
            if "retry-after" not in refused.headers:
                return burst, refused, refused
            await asyncio.sleep(refused.retry_after)
            return burst, refused, await ask(http)

    async def both():
        trickled = trickle(gateway, "trickle", CLIENTS, PAUSE, SECONDS, dict)
        return await asyncio.gather(burst_then_wait(), trickled)

    (burst, refused, waited), trickled = asyncio.run(both())
    found.did(f"{BURST} at once")
    passed = sum(reply.served for reply in burst)
    found.saw(statuses(burst))
    found.must(passed == LIMIT, f"{passed} of the burst passed")
    found.must(all(reply.status == 429 for reply in burst if not reply.served), "some were refused otherwise")

    found.did("then once more after Retry-After")
    found.must("retry-after" in refused.headers, "the next request was not refused with Retry-After")
    found.saw(f"served after {refused.headers.get('retry-after')} s" if waited.served else f"{waited.status} after it")
    found.must(waited.served, "a client that waited for Retry-After was refused again")

    found.did(f"{len(trickled)} from {CLIENTS} clients over {SECONDS:.0f} s")
    most, served = most_within_a_minute(trickled), sum(reply.served for reply in trickled)
    found.saw(f"{served} served, at most {most} in 60 s")
    found.must(most <= LIMIT, f"{most} in 60 s")
    found.must(served > LIMIT, "nothing passed once the first of them were a minute old")
