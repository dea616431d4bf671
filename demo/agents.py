"""The agents. In: Tollgate's address and their keys. Out: requests of the official SDKs, a minute of them or so.

The header `x-simulate` tells the simulated provider how to answer (how long, how fast, what was cached); a real
provider would ignore it. Every answer is read to its end, so that what was billed is what was reported.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anthropic
import openai

QUESTIONS = [
    "Which of my orders have not been shipped yet, and why?",
    "Summarise the attached incident in three sentences for a customer who was affected by it.",
    "The invoice lists two items I never ordered. What can I do, and how long will it take?",
    "Compare the three proposals with regard to cost, risk and time, and recommend one of them.",
]
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Looks an order up by its number.",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
    },
}


@dataclass
class Tally:
    """What the agents themselves saw."""

    answered: int = 0
    refused: Counter = field(default_factory=Counter)
    unexpected: Counter = field(default_factory=Counter)

    @property
    def sent(self) -> int:
        """Calls made."""
        return self.answered + self.refused.total() + self.unexpected.total()


def simulate(**knobs) -> dict[str, str]:
    """The header that asks the simulated provider for such an answer."""
    return {"x-simulate": ",".join(f"{knob}={value}" for knob, value in knobs.items())}


def question() -> list[dict]:
    return [{"role": "user", "content": random.choice(QUESTIONS)}]


class Agents:
    """All of them."""

    def __init__(self, listen: str, keys: dict[str, str], wrong_key: str):
        def of_openai(key: str) -> openai.AsyncOpenAI:
            return openai.AsyncOpenAI(api_key=key, base_url=f"http://{listen}/v1")

        def of_anthropic(key: str) -> anthropic.AsyncAnthropic:
            return anthropic.AsyncAnthropic(api_key=key, base_url=f"http://{listen}")

        self.tally = Tally()
        self.checkout = of_openai(keys["checkout-agent"])
        self.support = of_anthropic(keys["support-bot"])
        self.research = of_openai(keys["research-agent"])
        self.research_claude = of_anthropic(keys["research-agent"])
        self.indexer = of_openai(keys["search-indexer"])
        self.report = of_openai(keys["nightly-report"])
        self.prototype = of_openai(keys["old-prototype"])
        self.stranger = of_openai(wrong_key)

    async def run(self, seconds: float) -> None:
        """Sends requests for so long, and waits for the last answers."""
        deadline = time.monotonic() + seconds
        # A task, how many at once, and the seconds between two of its requests.
        tasks: list[tuple[Callable[[], Awaitable], int, float]] = [
            (self.checkout_stream, 3, 0.3),
            (self.checkout_tool, 1, 0.7),
            (self.checkout_under_trouble, 1, 0.5),
            (self.support_stream, 3, 0.4),
            (self.support_json, 1, 0.5),
            (self.support_counts_tokens, 1, 1.5),
            (self.research_responses, 2, 0.5),
            (self.research_message, 1, 0.9),
            (self.index_batch, 2, 0.2),
            (self.report_json, 2, 0.3),
            (self.report_forbidden_model, 1, 2.5),
            (self.prototype_expired, 1, 3.0),
            (self.stranger_asks, 1, 2.0),
        ]
        async with asyncio.TaskGroup() as group:
            for task, at_once, pause in tasks:
                for _ in range(at_once):
                    group.create_task(self.repeat(task, pause, deadline))

    async def close(self) -> None:
        """Closes their connections."""
        for client in vars(self).values():
            if isinstance(client, openai.AsyncOpenAI | anthropic.AsyncAnthropic):
                await client.close()

    async def repeat(self, task: Callable[[], Awaitable], pause: float, deadline: float) -> None:
        """One task again and again. Refusals are part of the demo; nothing else that fails is."""
        while time.monotonic() < deadline:
            try:
                await task()
                self.tally.answered += 1
            except (openai.AuthenticationError, anthropic.AuthenticationError):
                self.tally.refused["authentication"] += 1
            except (openai.PermissionDeniedError, anthropic.PermissionDeniedError):
                self.tally.refused["permission"] += 1
            # Whatever it is, the other agents go on, and the demo tells at its end.
            except Exception as error:
                self.tally.unexpected[f"{task.__name__}: {type(error).__name__}: {error}"] += 1
            remaining = deadline - time.monotonic()
            await asyncio.sleep(max(0.0, min(remaining, random.uniform(0.5, 1.5) * pause)))

    async def checkout_stream(self) -> None:
        """A chat that streams, and asks for no usage: Tollgate asks for it, and keeps it from the client."""
        stream = await self.checkout.chat.completions.create(
            model=random.choice(["gpt-4o", "gpt-4o-2024-11-20", "gpt-4o-mini"]),
            messages=question(),
            stream=True,
            extra_headers=simulate(ttft_ms=random.randint(60, 250), rate=120, tokens=random.randint(20, 90)),
        )
        async with stream:
            shown = [chunk.usage async for chunk in stream if chunk.usage is not None]
        if shown:
            raise ValueError("a stream shows usage that nobody asked for")

    async def checkout_tool(self) -> None:
        """A chat that ends in the call of a tool."""
        await self.checkout.chat.completions.create(
            model="gpt-4o", messages=question(), tools=[TOOL], extra_headers=simulate(ttft_ms=80, tool="find_order")
        )

    async def checkout_under_trouble(self) -> None:
        """A provider that answers 503 now and then: the next target takes over."""
        await self.checkout.chat.completions.create(
            model="gpt-4o-mini", messages=question(), extra_headers=simulate(flaky=20, ttft_ms=50, tokens=40)
        )

    async def support_stream(self) -> None:
        """A long instruction read from the cache, at a tenth of the price of new input."""
        async with self.support.messages.stream(
            model="claude-sonnet-4-5",
            max_tokens=512,
            messages=question(),
            extra_headers=simulate(ttft_ms=random.randint(100, 400), rate=90, tokens=random.randint(30, 80), cached=2048),
        ) as stream:
            async for _ in stream:
                pass

    async def support_json(self) -> None:
        """A message that writes the cache, for five minutes or for an hour."""
        writes = random.choice([{"cache_write_5m": 2048}, {"cache_write_1h": 2048}])
        await self.support.messages.create(
            model="claude-haiku-4-5",
            max_tokens=256,
            messages=question(),
            extra_headers=simulate(ttft_ms=120, tokens=48, **writes),
        )

    async def support_counts_tokens(self) -> None:
        """Counting tokens is metered as a request, and costs nothing."""
        await self.support.messages.count_tokens(model="claude-sonnet-4-5", messages=question())

    async def research_responses(self) -> None:
        """The Responses API, with thought that is billed as output."""
        stream = await self.research.responses.create(
            model="gpt-5",
            input=random.choice(QUESTIONS),
            stream=True,
            extra_headers=simulate(ttft_ms=200, rate=200, tokens=60, reasoning=random.choice([64, 128, 256]), cached=8),
        )
        async with stream:
            async for _ in stream:
                pass

    async def research_message(self) -> None:
        """The same key, at another provider."""
        await self.research_claude.messages.create(
            model="claude-opus-4-5",
            max_tokens=512,
            messages=question(),
            extra_headers=simulate(ttft_ms=250, tokens=120),
        )

    async def index_batch(self) -> None:
        """Embeddings of several texts at once."""
        await self.indexer.embeddings.create(model="text-embedding-3-small", input=QUESTIONS * 4)

    async def report_json(self) -> None:
        """A plain chat, by a key without a team."""
        await self.report.chat.completions.create(
            model="gpt-4.1-mini", messages=question(), extra_headers=simulate(ttft_ms=90, tokens=random.randint(60, 200))
        )

    async def report_forbidden_model(self) -> None:
        """A model this key may not use."""
        await self.report.chat.completions.create(model="gpt-5", messages=question())

    async def prototype_expired(self) -> None:
        """A key that has expired."""
        await self.prototype.chat.completions.create(model="gpt-4o-mini", messages=question())

    async def stranger_asks(self) -> None:
        """A key that nobody issued."""
        await self.stranger.chat.completions.create(model="gpt-4o-mini", messages=question())
