"""Requests at once."""

import asyncio
import contextlib
import random

import httpx2
from harness.process import eventually
from harness.simulator import simulate

from ..asking import CHAT, QUESTION, ask, at_once, client, statuses
from ..watching import Watch

PROMISE = "a key of 7 at once never has more than 7 at the provider, and has all 7 again afterwards"
LIMIT = 7
BURST = 200
WORKERS, EACH = 40, 25
LEAVING = 60


class LedgerWatch(Watch):
    """Looks all the time at how many requests the provider is working on."""

    every = 0.002

    def __init__(self, provider):
        super().__init__()
        self.http = httpx2.Client(base_url=provider.origin, trust_env=False)
        self.most = 0
        self.looks = 0

    def __exit__(self, *error) -> None:
        super().__exit__(*error)
        self.http.close()

    def _look(self) -> None:
        self.most = max(self.most, self.http.get("/ledger").json()["in_flight"])
        self.looks += 1


async def insist(gateway) -> int:
    """Many that ask again and again, refused or not; how many were served."""

    async def one(number: int) -> int:
        chance, served = random.Random(number), 0
        async with client(gateway, "seven", 1) as http:
            for _ in range(EACH):
                reply = await ask(http, knobs={"ttft_ms": chance.randrange(20, 200)}, stream=False)
                served += reply.served
                if not reply.served:
                    await asyncio.sleep(chance.random() * 0.1)
        return served

    return sum(await asyncio.gather(*(one(number) for number in range(WORKERS))))


async def leave(gateway) -> None:
    """Clients that go away in the middle of a stream, or before there is an answer."""

    async def one(number: int) -> None:
        knobs = {"tokens": 2000, "rate": 200} if number % 3 else {"ttft_ms": 5000}
        body = {"model": "gpt-4o-mini", "messages": QUESTION, "stream": bool(number % 3)}
        async with client(gateway, "seven", 1) as http:
            with contextlib.suppress(httpx2.HTTPError, TimeoutError):
                async with asyncio.timeout(0.05 + 0.5 * random.Random(number).random()):
                    await http.post(CHAT, json=body, headers={"x-simulate": simulate(**knobs)})

    for begin in range(0, LEAVING, 10):
        await asyncio.gather(*(one(number) for number in range(begin, begin + 10)))


def attempt(world, found) -> None:
    """A burst, a crowd that insists, and clients that leave; then what is free."""
    document = world.document()
    document.key("seven", limits={"parallel": LIMIT})
    gateway = world.gateway(document)
    provider = world.standing.openai

    def free() -> int:
        return gateway.levels().total("tollgate_limit_remaining", key="seven", scope="key", limit="parallel")

    def all_free() -> bool:
        return free() == LIMIT and provider.ledger().in_flight == 0

    with LedgerWatch(provider) as watch:
        burst = asyncio.run(at_once(gateway, "seven", BURST, knobs={"ttft_ms": 4000}))
        served = asyncio.run(insist(gateway))
    passed = sum(reply.served for reply in burst)
    found.did(f"{BURST} at once of 4 s each")
    found.did(f"{WORKERS * EACH} of {WORKERS} clients that insist")
    found.saw(statuses(burst))
    found.saw(f"{served} of those that insist, at most {watch.most} at the provider in {watch.looks} looks")
    found.must(passed == LIMIT, f"{passed} of the burst passed")
    found.must(watch.most <= LIMIT, f"{watch.most} at the provider at once")
    found.must(served > LIMIT, "no slot was used again")

    asyncio.run(leave(gateway))
    found.did(f"{LEAVING} that leave before the end")
    eventually("all slots are free again", all_free, patience=90, pause=0.2)
    again = asyncio.run(at_once(gateway, "seven", LIMIT, knobs={"ttft_ms": 500}))
    eventually("all slots are free once more", all_free, patience=90, pause=0.2)
    found.saw(f"{free()} free afterwards, {sum(reply.served for reply in again)} at once served")
    found.must(all(reply.served for reply in again), "not all slots can be used again")
