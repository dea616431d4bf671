"""Requests against limits. In: clients and how long an answer shall be. Out: answers, or the refusal an SDK raised."""

import contextlib

import anthropic
import openai

from .clients import Clients
from .gateway import Gateway
from .process import eventually
from .simulator import simulate

QUESTION = [{"role": "user", "content": "How many may pass before the gate closes?"}]
LENGTH = 100


def chat(clients: Clients, key: str, model: str = "gpt-4o-mini", provider: str = "openai", **members):
    """One chat completion of the OpenAI SDK, with its headers: `answer.parse()`, `answer.headers`."""
    tokens = members.pop("tokens", LENGTH)
    headers = {"x-simulate": simulate(tokens=tokens), **members.pop("headers", {})}
    members = {"max_tokens": LENGTH, "messages": QUESTION, **members}
    create = clients.openai(key, provider).chat.completions.with_raw_response.create
    return create(model=model, extra_headers=headers, **members)


def message(clients: Clients, key: str, model: str = "claude-haiku-4-5", **members):
    """One message of the Anthropic SDK, with its headers."""
    tokens = members.pop("tokens", LENGTH)
    headers = {"x-simulate": simulate(tokens=tokens), **members.pop("headers", {})}
    members = {"max_tokens": LENGTH, "messages": QUESTION, **members}
    return clients.anthropic(key).messages.with_raw_response.create(model=model, extra_headers=headers, **members)


def refusal(ask, *arguments, **members) -> openai.RateLimitError | anthropic.RateLimitError | None:
    """What the SDK raised; None for a request that was served."""
    try:
        ask(*arguments, **members)
    except (openai.RateLimitError, anthropic.RateLimitError) as raised:
        return raised
    return None


def until_refused(ask, *arguments, most: int = 60, **members):
    """How many were served before the first refusal, and the refusal."""
    for served in range(most):
        if raised := refusal(ask, *arguments, **members):
            return served, raised
    raise AssertionError(f"{most} were served and none was refused")


def rule(raised) -> str:
    """The rule a refusal names."""
    return raised.response.headers["x-tollgate-limit"]


def retry_after(raised) -> int:
    """Seconds until it may be tried again; an SDK is told not to try by itself where that is long."""
    headers = raised.response.headers
    wait = int(headers["retry-after"])
    assert wait >= 1
    assert headers.get("x-should-retry") == ("false" if wait > 60 else None)
    return wait


def becomes(gateway: Gateway, metric: str, value: int, **labels) -> None:
    """A gauge is refreshed once a second, whether anybody asks or not: waits until it reads that."""
    last = None

    def reads() -> bool:
        nonlocal last
        last = [reading for _, reading in gateway.levels().of(metric, **labels)]
        return last == [value]

    try:
        eventually(f"{metric}{labels} reads {value}", reads, patience=10, pause=0.1)
    except AssertionError as error:
        raise AssertionError(f"{error}; it reads {last}") from None


def release(gateway: Gateway, holder: str | None, **whom: str):
    """Asks to lift blocks of the loop guard; the answer."""
    with gateway.clients.http(holder) as http:
        return http.post("/tollgate/v1/release", params=whom)


@contextlib.contextmanager
def under_way(clients: Clients, key: str, model: str = "gpt-4o-mini", **members):
    """A stream that has begun and goes on for as long as the block lasts."""
    headers = {"x-simulate": simulate(tokens=5000, rate=20)}
    client = clients.openai(key)
    with client.chat.completions.create(
        model=model, messages=QUESTION, stream=True, extra_headers=headers, **members
    ) as stream:
        next(iter(stream))
        yield stream
