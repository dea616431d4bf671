"""Requests of a client that looks at the clock. In: a gateway and a key. Out: when it asked, when and what it heard."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import httpx2
from harness.gateway import Gateway
from harness.simulator import simulate

QUESTION = [{"role": "user", "content": "How many bridges are there on the way, and what does each of them cost?"}]
CHAT = "/v1/chat/completions"


@dataclass(frozen=True)
class Reply:
    """One request and its answer, with the times on the client's clock."""

    sent: float
    heard: float
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: dict = field(default_factory=dict)

    @property
    def served(self) -> bool:
        """Whether it was let through and answered."""
        return self.status == 200

    @property
    def retry_after(self) -> int:
        """Seconds until it may be tried again."""
        return int(self.headers["retry-after"])

    @property
    def tokens(self) -> int:
        """What the provider says it used."""
        return self.body["usage"]["total_tokens"] if self.served else 0


def client(gateway: Gateway, key: str, connections: int = 100) -> httpx2.AsyncClient:
    """A client that may have so many connections; Envoy spreads connections over its workers."""
    return gateway.clients.http_async(key, limits=httpx2.Limits(max_connections=connections))


async def ask(http: httpx2.AsyncClient, model: str = "gpt-4o-mini", knobs: dict | None = None, **members) -> Reply:
    """One chat completion, not streamed."""
    headers = {"x-simulate": simulate(**knobs)} if knobs else {}
    headers |= members.pop("headers", {})
    body = {"model": model, "messages": QUESTION, **members}
    sent = time.time()
    answer = await http.post(CHAT, json=body, headers=headers)
    return Reply(sent, time.time(), answer.status_code, dict(answer.headers), answer.json())


async def at_once(gateway: Gateway, key: str, requests: int, model: str = "gpt-4o-mini", **asked) -> list[Reply]:
    """That many at the same moment, each on a connection of its own."""
    async with client(gateway, key, requests) as http:
        return await asyncio.gather(*(ask(http, model, **asked) for _ in range(requests)))


async def trickle(gateway: Gateway, key: str, clients: int, pause: float, seconds: float, asked) -> list[Reply]:
    """Several clients that ask again and again, whatever they hear; `asked()` makes each request's members."""
    replies: list[Reply] = []
    ends = time.monotonic() + seconds

    async def one(number: int) -> None:
        async with client(gateway, key, 1) as http:
            await asyncio.sleep(pause * number / clients)
            while time.monotonic() < ends:
                replies.append(await ask(http, **asked()))
                await asyncio.sleep(pause)

    await asyncio.gather(*(one(number) for number in range(clients)))
    return sorted(replies, key=lambda reply: reply.sent)


def statuses(replies: Iterable[Reply]) -> str:
    """How many of each, in words."""
    counts = Counter(reply.status for reply in replies)
    return " and ".join(f"{count} × {status}" for status, count in sorted(counts.items()))
