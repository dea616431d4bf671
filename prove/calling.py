"""Calls as an agent makes them. In: a client of the official OpenAI SDK, a conversation. Out: what the caller saw of each.

The SDK is asked for the usage of streams as well, so that a caller can add up what it was told it used.
"""

import time
from dataclasses import dataclass, field

import httpx2
import openai
from harness.simulator import simulate

# Nano-dollars a token, in and out; the simulated provider's own prices (simulator/prices.json).
PRICES = {"gpt-4o-mini": (150, 600), "claude-haiku-4-5": (1_000, 5_000)}


@dataclass
class Call:
    """One call. `failure` is empty where there was none, else a status or what was raised."""

    streams: bool
    sent: float
    heard: float = 0.0
    begun: bool = False
    failure: str = ""
    tries: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    model: str = ""
    used: tuple[int, int] = (0, 0)
    message: dict = field(default_factory=dict)

    @property
    def provider(self) -> str:
        """Who answered, where a gateway says so."""
        return self.headers.get("x-tollgate-provider", "")

    @property
    def attempts(self) -> int:
        """How many the gateway made."""
        return int(self.headers.get("x-tollgate-attempts", 1))

    def cost(self, model: str) -> int:
        """Nano-dollars of what it was told it used, of the provider's model."""
        return sum(tokens * price for tokens, price in zip(self.used, PRICES[model], strict=True))


async def call(client: openai.AsyncOpenAI, model: str, messages: list[dict], *, streams: bool, **knobs) -> Call:
    """One chat completion, whole or streamed, read to its end; never raises what a provider or a gateway can cause."""
    made = Call(streams, time.monotonic())
    asked = {"stream": True, "stream_options": {"include_usage": True}} if streams else {}
    if tools := knobs.pop("tools", None):
        asked["tools"] = tools
    asked["max_tokens"] = knobs.pop("max_tokens", 300)
    try:
        answer = await client.chat.completions.with_raw_response.create(
            model=model, messages=messages, extra_headers={"x-simulate": simulate(**knobs)}, **asked
        )
        made.headers, made.tries = dict(answer.headers), 1 + answer.retries_taken
        if streams:
            await _read(made, answer.parse())
        else:
            whole = answer.parse()
            made.used = (whole.usage.prompt_tokens, whole.usage.completion_tokens)
            made.message = whole.choices[0].message.model_dump(exclude_none=True)
    except openai.APIStatusError as error:
        made.failure = str(error.status_code)
    except (openai.APIError, httpx2.HTTPError, OSError) as error:
        made.failure = type(error).__name__
    made.heard = time.monotonic()
    return made


async def _read(made: Call, stream) -> None:
    text, finished = [], False
    async for chunk in stream:
        made.begun = True
        if chunk.usage is not None:
            made.used = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        for choice in chunk.choices:
            text.append(choice.delta.content or "")
            finished = finished or choice.finish_reason is not None
    made.message = {"role": "assistant", "content": "".join(text)}
    if not finished:
        made.failure = "ended without an end"
