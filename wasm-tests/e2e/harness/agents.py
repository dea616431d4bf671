"""Agents: many callers at once, each doing the mixed work of its day. In: clients, a seed. Out: what each expects.

They use the asynchronous SDKs as their authors document them, so that what is measured is what happens to real callers.
"""

import asyncio
import random
from collections import Counter

import anthropic
import httpx2
import openai

from .clients import Clients
from .document import mint
from .simulator import simulate

QUESTION = [{"role": "user", "content": "How many bridges are there on the way, and what does each of them cost?"}]
SLOW = {"tokens": 2000, "rate": 200}


class Agent:
    """One caller with one key, counting what it did."""

    def __init__(self, clients: Clients, key: str, seed: int):
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.openai = clients.openai_async(key)
        self.anthropic = clients.anthropic_async(key)
        self.spare = clients.openai_async(key, provider="spare")
        self.persistent = clients.openai_async(key, max_retries=8)
        self.wrong = clients.openai_async(mint())

    async def close(self) -> None:
        """Closes its connections."""
        for client in (self.openai, self.anthropic, self.spare, self.persistent, self.wrong):
            await client.close()

    async def work(self, requests: int) -> None:
        """That many requests, one after the other."""
        weights = {
            self.chat: 30, self.chat_stream: 25, self.message: 10, self.message_stream: 12, self.response_stream: 5,
            self.embedding: 6, self.abort_chat: 4, self.abort_message: 3, self.cut: 2, self.failover: 3, self.flaky: 2,
            self.refused: 1, self.wrong_key: 1, self.provider_error: 1,
        }  # fmt: skip
        for _ in range(requests):
            await self.do(self.random.choices(list(weights), list(weights.values()))[0])

    async def do(self, kind) -> None:
        """One of them, counted."""
        await kind()
        self.done[kind.__name__] += 1

    def _steer(self, **knobs) -> dict:
        ordinary = {"tokens": self.random.randrange(1, 60), "prompt": self.random.randrange(1, 3000)}
        ordinary["cached"] = self.random.randrange(0, ordinary["prompt"] + 1)
        flags = [flag for flag in ("crlf", "gzip") if self.random.random() < 0.1]
        ordinary["chunks"] = self.random.choice(["event", "event", "awkward", "whole"])
        return {"x-simulate": simulate(*flags, **{**ordinary, **knobs})}

    def _model(self) -> str:
        return self.random.choice(["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5", "o3-mini"])

    async def chat(self) -> None:
        """A whole answer."""
        steering = self._steer(reasoning=self.random.randrange(0, 50))
        answer = await self.openai.chat.completions.create(
            model=self._model(), messages=QUESTION, extra_headers=steering
        )
        assert answer.usage.total_tokens > 0

    async def chat_stream(self) -> None:
        """A streamed answer, with the usage asked for or not."""
        asked = self.random.random() < 0.4
        options = {"stream_options": {"include_usage": True}} if asked else {}
        stream = await self.openai.chat.completions.create(
            model=self._model(), messages=QUESTION, stream=True, extra_headers=self._steer(), **options
        )
        chunks = [chunk async for chunk in stream]
        assert (chunks[-1].usage is not None) == asked

    async def message(self) -> None:
        """A whole message, with cache reads and writes."""
        steering = self._steer(
            cache_write_5m=self.random.randrange(0, 500), cache_write_1h=self.random.randrange(0, 500)
        )
        model = self.random.choice(["claude-sonnet-4-5", "claude-haiku-4-5"])
        answer = await self.anthropic.messages.create(
            model=model, max_tokens=500, messages=QUESTION, extra_headers=steering
        )
        assert answer.usage.output_tokens > 0

    async def message_stream(self) -> None:
        """A streamed message."""
        async with self.anthropic.messages.stream(
            model="claude-haiku-4-5", max_tokens=500, messages=QUESTION, extra_headers=self._steer()
        ) as stream:
            assert (await stream.get_final_message()).usage.output_tokens > 0

    async def response_stream(self) -> None:
        """A streamed response."""
        stream = await self.openai.responses.create(
            model="gpt-5-mini", input="hello", stream=True, extra_headers=self._steer()
        )
        events = [event async for event in stream]
        assert events[-1].type == "response.completed"

    async def embedding(self) -> None:
        """Embeddings."""
        answer = await self.openai.embeddings.create(model="text-embedding-3-small", input=["a", "b c d"])
        assert len(answer.data) == 2

    async def abort_chat(self) -> None:
        """Leaves a chat stream after a few chunks."""
        stream = await self.openai.chat.completions.create(
            model="gpt-4o", messages=QUESTION, stream=True, extra_headers={"x-simulate": simulate(**SLOW)}
        )
        await self._read_some(stream)
        await stream.close()

    async def abort_message(self) -> None:
        """Leaves a message stream after a few events, its start among them."""
        stream = await self.anthropic.messages.create(
            model="claude-sonnet-4-5", max_tokens=4000, messages=QUESTION, stream=True,
            extra_headers={"x-simulate": simulate(prompt=self.random.randrange(1, 5000), **SLOW)},
        )  # fmt: skip
        await self._read_some(stream)
        await stream.close()

    async def _read_some(self, stream) -> None:
        left = self.random.randrange(3, 15)
        async for _ in stream:
            left -= 1
            if not left:
                return

    async def cut(self) -> None:
        """A stream that the provider cuts."""
        steering = self._steer(tokens=80, cut_after=self.random.randrange(3, 20), chunks="event")
        try:
            stream = await self.openai.chat.completions.create(
                model="gpt-4o-mini", messages=QUESTION, stream=True, extra_headers=steering
            )
            async for _ in stream:
                pass
        except openai.RateLimitError:
            raise
        except (openai.APIError, httpx2.HTTPError):
            return
        raise AssertionError("a cut stream looked like a whole one")

    async def refused(self) -> None:
        """A model that does not exist."""
        try:
            await self.openai.chat.completions.create(model="gpt-imaginary", messages=QUESTION)
        except openai.NotFoundError:
            return
        raise AssertionError("an unknown model was served")

    async def wrong_key(self) -> None:
        """A key nobody has."""
        try:
            await self.wrong.chat.completions.create(model="gpt-4o", messages=QUESTION)
        except openai.AuthenticationError:
            return
        raise AssertionError("a wrong key was served")

    async def failover(self) -> None:
        """A model whose first provider is not there."""
        answer = await self.spare.chat.completions.create(model="pair", messages=QUESTION, extra_headers=self._steer())
        assert answer.usage.total_tokens > 0

    async def flaky(self) -> None:
        """A provider that fails now and then, and an SDK that tries again by itself; each try is a request."""
        answer = await self.persistent.chat.completions.with_raw_response.create(
            model="gpt-4o-mini", messages=QUESTION, extra_headers=self._steer(flaky=40)
        )
        self.done["tried_again"] += answer.retries_taken

    async def provider_error(self) -> None:
        """A provider that fails."""
        try:
            await self.anthropic.messages.create(
                model="claude-haiku-4-5",
                max_tokens=5,
                messages=QUESTION,
                extra_headers={"x-simulate": simulate(status=500)},
            )
        except anthropic.InternalServerError:
            return
        raise AssertionError("a failing provider was served")


async def storm(
    clients: Clients, keys: list[str], requests_each: int, seed: int = 1, kind: type[Agent] = Agent
) -> Counter:
    """One agent per entry of `keys`, all at once; what all of them did together."""
    agents = [kind(clients, key, seed * 1000 + number) for number, key in enumerate(keys)]
    try:
        await asyncio.gather(*(agent.work(requests_each) for agent in agents))
    finally:
        for agent in agents:
            await agent.close()
    return sum((agent.done for agent in agents), Counter())
