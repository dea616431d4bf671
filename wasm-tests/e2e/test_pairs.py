"""Every client's API before every provider's: official SDKs, real Envoy, providers that say what they understood."""

from contextlib import nullcontext

import anthropic
import httpx2
import openai
import pytest
from pydantic import BaseModel

from harness.discretion import tells_nothing
from harness.every_api import PROVIDERS, SAME, every_api
from harness.simulator import simulate
from harness.speakers import HOW, PIXEL, PLACE, SPEAKERS, TOOLS, Broken
from harness.spoken import spoken_to

QUESTION = "How does a toll bridge know who has paid?"
PAIRS = [(client, provider) for client in SPEAKERS for provider in PROVIDERS]
ERRORS = {"chat": openai, "responses": openai, "messages": anthropic}

everywhere = pytest.mark.parametrize("client, provider", PAIRS, ids=[f"{one}-{other}" for one, other in PAIRS])
however = pytest.mark.parametrize("how", HOW)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A gateway before all of them."""
    directory = tmp_path_factory.mktemp("pairs")
    # One request at a time, many of which are to fail: nobody is left alone for those before.
    document, simulators = every_api(directory, health={"failures": 1000})
    with spoken_to(document, directory, simulators) as spoken:
        yield spoken


def charged_exactly(seen, provider: str, requests: int = 1) -> None:
    """To the nanodollar what the provider's ledger says, and all of it reported."""
    assert seen.outcomes() == {"ok": requests}
    assert seen.metrics.by("tollgate_requests_total", "provider") == {provider: requests}
    assert seen.ledger.leaked_virtual_keys == 0 and seen.ledger.errors == 0
    assert seen.ledger.attempts == {provider: requests}
    assert seen.cost(source="reported", provider=provider) == seen.cost() == seen.ledger.settled > 0
    assert seen.tokens() == seen.ledger.tokens
    assert not seen.metrics.total("tollgate_internal_errors_total")


def counted_alike(said, seen) -> None:
    """The usage that the SDK shows is the provider's own."""
    tokens = seen.ledger.tokens
    answered = {name: count for name, count in tokens.items() if name in ("output", "reasoning")}
    assert said.answer == sum(answered.values())
    assert said.prompt == sum(tokens.values()) - said.answer
    assert said.cached == tokens.get("cached_input", 0)


@however
@everywhere
def test_a_text_is_answered_and_charged(pairs, client, provider, how):
    speaker = pairs.speakers[client]
    mark = pairs.gateway.mark()
    said = speaker.ask(provider, speaker.user(QUESTION), how, simulate(cached=7), system="Be brief.")
    assert said.text and said.ending == "stop" and not said.calls and not said.thought
    if how != "whole":
        assert "".join(said.pieces) == said.text and len(said.pieces) > 3
    seen = mark.settled(1)
    charged_exactly(seen, provider)
    counted_alike(said, seen)
    assert said.cached == 7


@everywhere
def test_awkwardly_cut_streams_say_the_same(pairs, client, provider):
    speaker = pairs.speakers[client]
    ask = lambda how, steering: speaker.ask(provider, speaker.user(QUESTION), how, steering).text  # noqa: E731
    whole = ask("whole", "text=unicode")
    assert len(whole.encode()) > len(whole)
    for steering in ("text=unicode", "text=unicode,chunks=awkward", "text=unicode,chunks=bytes,crlf"):
        assert ask("events", steering) == whole


@everywhere
def test_what_is_asked_is_understood(pairs, client, provider):
    speaker = pairs.speakers[client]
    mark = pairs.gateway.mark()
    turns = [*speaker.user("What is this?", image=PIXEL)]
    said = speaker.ask(provider, turns, "whole", "echo", system="Be brief.", temperature=0.5, most=900)
    meaning = said.meaning()
    assert meaning["system"] == ["Be brief."]
    picture = {"image": {"media_type": "image/png", "bytes": 70}}
    assert meaning["turns"] == [{"role": "user", "parts": [{"text": "What is this?"}, picture]}]
    assert meaning["sampling"] == {"temperature": 0.5, "max_tokens": 900}
    charged_exactly(mark.settled(1), provider)


@however
@everywhere
def test_tools_are_called_and_their_results_go_back(pairs, client, provider, how):
    speaker = pairs.speakers[client]
    mark = pairs.gateway.mark()
    turns = speaker.user("What is it like in Ulm?")
    said = speaker.ask(provider, turns, how, simulate(tools=2), tools=True)
    assert said.ending == "calls" and not said.text
    assert [call.name for call in said.calls] == ["weather", "clock"]
    assert len({call.id for call in said.calls}) == 2 and all(call.id for call in said.calls)
    assert all(isinstance(call.arguments, dict) and call.arguments for call in said.calls)
    if how != "whole":
        assert "".join(said.pieces).count("{") >= 2
    one, other = said.calls
    turns = [*turns, *said.back, *speaker.results([(one, "rain"), (other, "noon")])]
    after = speaker.ask(provider, turns, how, "echo", tools=True)
    meaning = after.meaning()
    assert [tool["name"] for tool in meaning["tools"]] == list(TOOLS)
    for tool in meaning["tools"]:
        assert tool["description"] == TOOLS[tool["name"]]
        assert tool["schema"]["properties"]["place"]["type"] == "string"
        assert tool["schema"]["required"] == PLACE["required"]
    asked, called, answered = meaning["turns"]
    assert asked == {"role": "user", "parts": [{"text": "What is it like in Ulm?"}]}
    assert called["role"] == "assistant" and answered["role"] == "user"
    calls = [part["call"] for part in called["parts"]]
    assert [(call["name"], call["arguments"]) for call in calls] == [(one.name, one.arguments), (other.name, other.arguments)]
    results = [part["result"] for part in answered["parts"]]
    assert [result["name"] for result in results] == ["weather", "clock"]
    assert ["rain" in str(results[0]["content"]), "noon" in str(results[1]["content"])] == [True, True]
    assert not any(result["failed"] for result in results)
    if any("id" in call for call in calls):
        assert [result["id"] for result in results] == [call["id"] for call in calls]
    charged_exactly(mark.settled(2), provider, 2)


@pytest.mark.parametrize("how", ["whole", "events"])
@everywhere
def test_one_call_after_a_text_is_called(pairs, client, provider, how):
    """A tool that must be called."""
    speaker = pairs.speakers[client]
    choice = {
        "chat": {"type": "function", "function": {"name": "clock"}},
        "responses": {"type": "function", "name": "clock"},
        "messages": {"type": "tool", "name": "clock"},
    }[client]
    said = speaker.ask(provider, speaker.user(QUESTION), how, "echo", tools=True, tool_choice=choice)
    assert [call.name for call in said.calls] == ["clock"] and said.ending == "calls"
    assert said.meaning()["tool_choice"] == {"tool": "clock"}


class Turn(BaseModel):
    """A turn of what was understood."""

    role: str


class Meaning(BaseModel):
    """What was understood."""

    turns: list[Turn]


@everywhere
def test_an_answer_of_a_shape_is_parsed(pairs, client, provider):
    speaker = pairs.speakers[client]
    parsed = speaker.parse(provider, speaker.user(QUESTION), Meaning, "echo")
    assert parsed == Meaning(turns=[Turn(role="user")])


def thoughts_in(meaning) -> list[dict]:
    """What the provider was given back of what was thought."""
    return [part for turn in meaning["turns"] for part in turn["parts"] if "thought" in part or "sealed" in part]


def shown(client: str, provider: str) -> str:
    """The steering by which thoughts are seen. A chat completion of OpenAI's own never shows any."""
    alike = client == "chat" and (client, provider) in SAME
    return "tools=1,reasoning=24" if alike else "tools=1,reasoning=24,show_reasoning"


@however
@everywhere
def test_what_was_thought_is_seen_and_goes_back(pairs, client, provider, how):
    speaker = pairs.speakers[client]
    model = f"{provider}-thinks"
    mark = pairs.gateway.mark()
    turns = speaker.user(QUESTION)
    steering = shown(client, provider)
    said = speaker.ask(model, turns, how, steering, tools=True, think=True)
    assert bool(said.thought) == ("show" in steering)
    assert [call.name for call in said.calls] == ["weather"]
    turns = [*turns, *said.back, *speaker.results([(said.calls[0], "rain")])]
    # Gemini's third generation refuses a call of its own without the seal that was on it.
    meaning = speaker.ask(model, turns, how, "echo", tools=True, think=True).meaning()
    reasoning = meaning["reasoning"]
    assert reasoning.get("effort") == "high" or reasoning.get("budget", 0) >= 16_000
    thoughts = thoughts_in(meaning)
    if provider in ("anthropic", "bedrock"):
        assert [part["thought"]["signed"] for part in thoughts] == [True]
    elif (client, provider) not in SAME:
        assert not any("thought" in part and not part["thought"]["signed"] for part in thoughts)
    seen = mark.settled(2)
    charged_exactly(seen, provider, 2)


@pytest.mark.parametrize("provider", ["responses", "anthropic", "bedrock"])
@pytest.mark.parametrize("client", SPEAKERS)
def test_what_was_thought_in_secret_goes_back(pairs, client, provider):
    speaker = pairs.speakers[client]
    model = f"{provider}-thinks"
    for how in HOW:
        turns = speaker.user(QUESTION)
        said = speaker.ask(model, turns, how, "sealed,reasoning=24,tools=1", tools=True, think=True)
        assert not said.thought
        turns = [*turns, *said.back, *speaker.results([(said.calls[0], "rain")])]
        (thought,) = thoughts_in(speaker.ask(model, turns, how, "echo", tools=True, think=True).meaning())
        assert thought.get("sealed") or thought["thought"]["signed"]


@pytest.mark.parametrize("client", SPEAKERS)
@pytest.mark.parametrize("first", PROVIDERS)
@pytest.mark.parametrize("hidden", [False, True], ids=["shown", "sealed"])
def test_a_conversation_goes_on_with_any_other_provider(pairs, client, first, hidden):
    """What one provider thought, sealed and called goes to every other, which takes no stranger's seals, and back."""
    speaker = pairs.speakers[client]
    for how, second in zip([*HOW, *HOW], PROVIDERS, strict=True):
        turns = speaker.user(QUESTION)
        steering = "tools=1,reasoning=24,sealed" if hidden else shown(client, first)
        said = speaker.ask(f"{first}-thinks", turns, how, steering, tools=True, think=True)
        turns = [*turns, *said.back, *speaker.results([(said.calls[0], "rain")])]
        steering = "tools=2,reasoning=24,sealed" if hidden else shown(client, second).replace("tools=1", "tools=2")
        again = speaker.ask(f"{second}-thinks", turns, how, steering, tools=True, think=True)
        turns = [*turns, *again.back, *speaker.results([(call, "snow") for call in again.calls])]
        meaning = speaker.ask(f"{first}-thinks", turns, how, "echo", tools=True, think=True).meaning()
        parts = [part for turn in meaning["turns"] for part in turn["parts"]]
        assert [part["call"]["name"] for part in parts if "call" in part] == ["weather", "weather", "clock"]
        assert ["rain" in str(part) for part in parts if "result" in part] == [True, False, False]
        if first in ("anthropic", "bedrock"):
            assert thoughts_in(meaning)


@everywhere
def test_an_answer_may_be_cut_short(pairs, client, provider):
    speaker = pairs.speakers[client]
    steering = simulate(tokens=200)
    for how in ("whole", "events"):
        said = speaker.ask(provider, speaker.user(QUESTION), how, steering, most=20)
        assert said.ending == "length" and said.text and said.answer == 20
    with pytest.raises(Exception) if client != "messages" else nullcontext() as caught:
        speaker.ask(provider, speaker.user(QUESTION), "stream", steering, most=20)
    if client == "chat":
        assert isinstance(caught.value, openai.LengthFinishReasonError)
    elif client == "responses":
        # It wants `response.completed`, which an answer that is cut short does not end in.
        assert isinstance(caught.value, RuntimeError)


FAILURES = [
    ("status=400", "BadRequestError", {400}, "client_error"),
    ("status=429,retry_after=7", "RateLimitError", {429}, "provider_rate_limited"),
    ("status=500", "InternalServerError", {500, 502}, "provider_error"),
    ("status=503", "InternalServerError", {503}, "provider_error"),
    ("context=5", "BadRequestError", {400}, "context_window_exceeded"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("steering, error, statuses, outcome", FAILURES, ids=[failure[0] for failure in FAILURES])
@everywhere
def test_a_refusal_raises_its_exception(pairs, client, provider, steering, error, statuses, outcome, stream):
    speaker = pairs.speakers[client]
    mark = pairs.gateway.mark()
    with pytest.raises(ERRORS[client].APIStatusError) as caught:
        speaker.ask(provider, speaker.user(QUESTION), "events" if stream else "whole", steering)
    raised = caught.value
    kinds = getattr(ERRORS[client], error)
    if error == "InternalServerError" and client == "messages":
        assert raised.status_code >= 500
    else:
        assert isinstance(raised, kinds), type(raised)
    assert raised.status_code in statuses
    tells_nothing(pairs.gateway, raised.response.text)
    if "retry_after" in steering:
        assert raised.response.headers["retry-after"] == "7"
    if "context" in steering:
        if client == "messages":
            assert raised.body["error"]["message"].startswith("prompt is too long")
        else:
            assert raised.code == "context_length_exceeded"
    seen = mark.settled(1)
    assert seen.outcomes() == {outcome: 1}
    assert seen.cost() == seen.ledger.reported == 0


@everywhere
def test_a_filter_that_stops_the_question_is_told(pairs, client, provider):
    speaker = pairs.speakers[client]
    for how in ("whole", "events"):
        try:
            said = speaker.ask(provider, speaker.user(QUESTION), how, "filtered")
        except ERRORS[client].BadRequestError as error:
            assert client == "messages" or error.code == "content_filter"
        else:
            assert said.ending == "filtered"


@everywhere
def test_the_gateways_credential_is_not_the_clients(pairs, client, provider):
    speaker = pairs.speakers[client]
    mark = pairs.gateway.mark()
    with pytest.raises(ERRORS[client].APIStatusError) as caught:
        speaker.ask(f"{provider}-revoked", speaker.user(QUESTION))
    assert caught.value.status_code == 502
    tells_nothing(pairs.gateway, caught.value.response.text)
    assert mark.settled(1).outcomes() == {"provider_credential": 1}


@pytest.mark.parametrize("steering", ["error_after=9", "cut_after=9"])
@everywhere
def test_a_stream_that_breaks_raises(pairs, client, provider, steering):
    """What has come is billed, and no SDK takes it for a whole answer."""
    speaker = pairs.speakers[client]
    for how in ("stream", "events"):
        mark = pairs.gateway.mark()
        # The Responses helper waits for `response.completed`, whatever else comes, and then says so.
        with pytest.raises((ERRORS[client].APIError, httpx2.HTTPError, Broken, RuntimeError)):
            speaker.ask(provider, speaker.user(QUESTION), how, f"tokens=60,chunks=event,{steering}")
        seen = mark.settled(1)
        assert set(seen.outcomes()) <= {"provider_error", "interrupted_by_provider"}
        assert seen.cost() > 0


def test_what_nobody_has_words_for_is_refused_by_name(pairs):
    speaker = pairs.speakers["chat"]
    for provider in PROVIDERS:
        if ("chat", provider) in SAME:
            continue
        mark = pairs.gateway.mark()
        with pytest.raises(openai.BadRequestError) as caught:
            speaker.ask(provider, speaker.user(QUESTION), logit_bias={"50256": -100})
        assert "logit_bias" in caught.value.message
        assert mark.settled(1).outcomes() == {"refused_untranslatable": 1}
        # What makes no difference to the answer is left out, and counted.
        mark = pairs.gateway.mark()
        speaker.ask(provider, speaker.user(QUESTION), user="somebody", metadata={"a": "b"}, store=True)
        dropped = mark.settled(1).metrics.by("tollgate_dropped_members_total", "member", provider=provider)
        assert dropped and set(dropped) <= {"user", "metadata", "store"}
