"""Tokens per minute."""

import asyncio
import random

from ..asking import at_once, statuses, trickle
from ..window import most_within_a_minute

PROMISE = "a key of 6,000 tokens a minute uses no more than 6,000 in any 60 seconds"
LIMIT = 6000
LONGEST = 200
BURST = 200
CLIENTS, PAUSE, SECONDS = 8, 1.0, 80.0


def attempt(world, found) -> None:
    """A burst whose answers are as long as they may be; beside it a trickle of answers of every length."""
    document = world.document()
    document.key("burst", limits={"tpm": LIMIT})
    document.key("trickle", limits={"tpm": LIMIT})
    gateway = world.gateway(document)
    chance = random.Random(7)

    def of_any_length() -> dict:
        return {"max_tokens": LONGEST, "knobs": {"tokens": chance.randrange(1, LONGEST + 1)}}

    async def both():
        full = {"max_tokens": LONGEST, "knobs": {"tokens": LONGEST, "ttft_ms": 1000}}
        trickled = trickle(gateway, "trickle", CLIENTS, PAUSE, SECONDS, of_any_length)
        return await asyncio.gather(at_once(gateway, "burst", BURST, **full), trickled)

    burst, trickled = asyncio.run(both())
    found.did(f"{BURST} at once of up to {LONGEST} tokens of answer each")
    used = sum(reply.tokens for reply in burst)
    one = max((reply.tokens for reply in burst), default=0)
    found.saw(f"{statuses(burst)}, {used:,} tokens")
    found.must(used <= LIMIT, f"the burst used {used:,} tokens")
    # What is set aside for a prompt is an estimate, and never too small; it may be as much again as the prompt is.
    found.must(used > LIMIT * 0.6 and one > 0, f"the burst stopped at {used:,} tokens already")

    found.did(f"{len(trickled)} of any length from {CLIENTS} clients over {SECONDS:.0f} s")
    most = most_within_a_minute(trickled, lambda reply: reply.tokens)
    total = sum(reply.tokens for reply in trickled)
    found.saw(f"{total:,} tokens in all, at most {most:,} in 60 s")
    found.must(most <= LIMIT, f"{most:,} tokens in 60 s")
    found.must(total > LIMIT, "nothing passed once the first tokens were a minute old")
