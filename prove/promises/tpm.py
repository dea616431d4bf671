"""Tokens per minute."""

import asyncio
import random

from ..asking import at_once, statuses, trickle
from ..window import most_within_a_minute

PROMISE = "a key of 6,000 tokens a minute is admitted with no more than 6,000 in any 60 seconds"
LIMIT = 6000
LONGEST = 200
BURST = 200
CLIENTS, PAUSE, SECONDS = 8, 1.0, 80.0


def attempt(world, found) -> None:
    """A burst whose answers are as long as they may be; beside it a trickle of answers of every length."""
    document = world.document()
    document.key("first", limits={"tpm": LIMIT})
    document.key("burst", limits={"tpm": LIMIT})
    document.key("trickle", limits={"tpm": LIMIT})
    gateway = world.gateway(document)
    chance = random.Random(7)

    def of_any_length() -> dict:
        return {"max_tokens": LONGEST, "knobs": {"tokens": chance.randrange(1, LONGEST + 1)}}

    async def both():
        full = {"max_tokens": LONGEST, "knobs": {"tokens": LONGEST, "ttft_ms": 1000}}
        [first] = await at_once(gateway, "first", 1, **full)
        trickled = trickle(gateway, "trickle", CLIENTS, PAUSE, SECONDS, of_any_length)
        return first, *await asyncio.gather(at_once(gateway, "burst", BURST, **full), trickled)

    first, burst, trickled = asyncio.run(both())
    # What is set aside for one: its longest answer, and its prompt as it is estimated before the provider has counted.
    aside = LIMIT - int(first.headers["x-ratelimit-remaining-tokens"])
    prompt = aside - LONGEST
    counted = first.body["usage"]["prompt_tokens"]
    found.did(f"{BURST} at once of a prompt estimated at {prompt} tokens ({counted} in fact) and {LONGEST} of answer")
    passed, used = sum(reply.served for reply in burst), sum(reply.tokens for reply in burst)
    found.saw(f"{statuses(burst)}, {passed * aside:,} set aside, {used:,} used")
    found.must(passed == LIMIT // aside, f"{passed} of the burst passed, not {LIMIT // aside}")
    found.must(counted / 2 <= prompt <= counted * 3, f"a prompt of {counted} tokens is estimated at {prompt}")

    found.did(f"{len(trickled)} of any length from {CLIENTS} clients over {SECONDS:.0f} s")
    most = most_within_a_minute(trickled, lambda reply: reply.tokens - counted + prompt)
    total = sum(reply.tokens for reply in trickled)
    used = most_within_a_minute(trickled, lambda reply: reply.tokens)
    found.saw(f"{total:,} tokens in all, at most {most:,} in 60 s as admitted, {used:,} as used")
    found.must(most <= LIMIT, f"{most:,} tokens in 60 s")
    found.must(total > LIMIT, "nothing passed once the first tokens were a minute old")
