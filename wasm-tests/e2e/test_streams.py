"""Streams: what the client sees is what the provider sent, what is recorded is what it used, wherever it ends."""

import json

import anthropic
import openai
import pytest

from harness.simulator import simulate

QUESTION = [{"role": "user", "content": "Tell me a very long story about a bridge."}]
CHAT = {"model": "gpt-4o", "messages": QUESTION, "stream": True}
MESSAGE = {"model": "claude-sonnet-4-5", "max_tokens": 4000, "messages": QUESTION}

# A stream that takes half a minute unless somebody ends it.
SLOW = {"tokens": 3000, "rate": 100}


def events(answer) -> list[dict]:
    """The JSON payloads of an event stream, without the closing mark."""
    lines = [line[5:].strip() for line in answer.text.splitlines() if line.startswith("data:")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def settled_exactly(seen) -> None:
    """All was reported, and the metrics say what the ledger says."""
    assert seen.cost() == seen.cost(source="reported") == seen.ledger.settled > 0
    assert seen.outcomes() == {"ok": 1}


def test_a_client_that_did_not_ask_for_usage_sees_none(gateway, clients):
    mark = gateway.mark()
    with clients.openai().chat.completions.create(**CHAT) as stream:
        chunks = list(stream)
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks), "a chunk without choices is the one that carries the usage"
    settled_exactly(mark.settled(1))


def test_a_client_that_asked_for_usage_sees_it(gateway, clients):
    mark = gateway.mark()
    with clients.openai().chat.completions.create(**CHAT, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == sum(mark.settled(1).tokens().values())


def test_a_client_that_declined_usage_sees_none_and_is_charged(gateway, clients):
    mark = gateway.mark()
    with clients.openai().chat.completions.create(**CHAT, stream_options={"include_usage": False}) as stream:
        assert all(chunk.choices for chunk in stream)
    settled_exactly(mark.settled(1))


def test_other_stream_options_are_kept(gateway, clients):
    """The usage is asked for among what is there already."""
    mark = gateway.mark()
    options = {"stream_options": {"include_obfuscation": False}}
    with clients.openai().chat.completions.create(**CHAT, extra_body=options) as stream:
        assert all(chunk.choices for chunk in stream)
    settled_exactly(mark.settled(1))


def test_several_streamed_choices_are_charged_together(gateway, clients):
    mark = gateway.mark()
    with clients.openai().chat.completions.create(**CHAT, n=3) as stream:
        assert {choice.index for chunk in stream for choice in chunk.choices} == {0, 1, 2}
    settled_exactly(mark.settled(1))


def test_the_closing_mark_is_still_there_when_the_usage_is_hidden(gateway, clients):
    with clients.http() as http:
        answer = http.post("/v1/chat/completions", json=CHAT)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("data: [DONE]\n\n")
    assert not any(event.get("usage") for event in events(answer))


def test_a_legacy_completion_hides_its_usage_too(gateway, clients):
    mark = gateway.mark()
    with clients.http() as http:
        answer = http.post("/v1/completions", json={"model": "gpt-3.5-turbo-instruct", "prompt": "x", "stream": True})
    assert not any(event.get("usage") for event in events(answer))
    assert all(event["choices"] for event in events(answer))
    settled_exactly(mark.settled(1))


@pytest.mark.parametrize("asked", [False, True], ids=["not asked", "asked"])
@pytest.mark.parametrize("how", [
    simulate(chunks="whole"),
    simulate(chunks="awkward", text="unicode"),
    simulate(chunks="bytes", text="unicode"),
    simulate("crlf"),
    simulate("crlf", chunks="awkward", text="unicode"),
    simulate("gzip"),
    simulate("gzip", chunks="bytes"),
])  # fmt: skip
def test_a_chat_stream_may_be_cut_anywhere(gateway, clients, how, asked):
    reference = simulate(text="unicode") if "unicode" in how else None
    options = {"stream_options": {"include_usage": True}} if asked else {}
    parts = []
    for steering in (reference, how):
        mark = gateway.mark()
        with clients.openai(simulate=steering).chat.completions.create(**CHAT, **options) as stream:
            chunks = list(stream)
        parts.append("".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices))
        assert bool(chunks[-1].usage) == asked
        settled_exactly(mark.settled(1))
    assert parts[0] == parts[1] != ""


@pytest.mark.parametrize("how", [
    simulate(chunks="awkward", text="unicode"),
    simulate(chunks="bytes", text="unicode"),
    simulate("crlf", chunks="awkward"),
    simulate("gzip"),
])  # fmt: skip
def test_a_message_stream_may_be_cut_anywhere(gateway, clients, how):
    reference = simulate(text="unicode") if "unicode" in how else None
    parts = []
    for steering in (reference, how):
        mark = gateway.mark()
        with clients.anthropic(simulate=steering).messages.stream(**MESSAGE) as stream:
            parts.append("".join(stream.text_stream))
        settled_exactly(mark.settled(1))
    assert parts[0] == parts[1] != ""


@pytest.mark.parametrize(
    "how", [simulate(chunks="bytes", text="unicode"), simulate("crlf", chunks="awkward"), simulate("gzip")]
)
def test_a_responses_stream_may_be_cut_anywhere(gateway, clients, how):
    mark = gateway.mark()
    with clients.openai(simulate=how).responses.create(model="gpt-5", input="x", stream=True) as stream:
        last = list(stream)[-1]
    assert last.type == "response.completed"
    settled_exactly(mark.settled(1))


@pytest.mark.parametrize("how", [simulate("gzip"), simulate(chunks="bytes", text="unicode")])
def test_a_whole_answer_may_be_cut_anywhere(gateway, clients, how):
    mark = gateway.mark()
    assert clients.openai(simulate=how).chat.completions.create(model="gpt-4o", messages=QUESTION).usage.total_tokens
    settled_exactly(mark.settled(1))


def test_the_first_token_is_not_held_back(gateway, clients):
    """The client reads tokens while the provider still has most of them to make."""
    mark = gateway.mark()
    with clients.openai(simulate=simulate(**SLOW)).chat.completions.create(**CHAT) as stream:
        for _, chunk in zip(range(5), stream, strict=False):
            assert chunk.choices
        assert gateway.ledger().in_flight == 1
    mark.settled(1)


def test_a_client_that_leaves_is_recorded_and_estimated(gateway, clients):
    mark = gateway.mark()
    with clients.openai(simulate=simulate(**SLOW)).chat.completions.create(**CHAT) as stream:
        for _ in zip(range(20), stream, strict=False):
            pass
        assert gateway.metrics().total("tollgate_requests_in_flight", key="everything") == 1
    seen = mark.settled(1)
    assert seen.outcomes() == {"interrupted_by_client": 1}
    assert seen.cost(source="reported") == seen.ledger.reported == 0
    assert seen.cost(source="estimated") > 0
    estimated = seen.tokens(source="estimated")
    assert estimated["input"] > 0
    # The client read 20 events of about a token each; more may have been on their way.
    assert 10 <= estimated["output"] < 3000


def test_a_client_that_leaves_a_message_has_its_start_reported(gateway, clients):
    """Anthropic tells the input at the start: that part is the provider's own word, the rest an estimate."""
    mark = gateway.mark()
    with clients.anthropic(simulate=simulate(prompt=321, **SLOW)).messages.create(**MESSAGE, stream=True) as stream:
        for _ in zip(range(20), stream, strict=False):
            pass
    seen = mark.settled(1)
    assert seen.outcomes() == {"interrupted_by_client": 1}
    assert seen.cost(source="reported") == seen.ledger.interrupted_reported > 0
    assert seen.tokens(source="reported")["input"] == 321
    assert "input" not in seen.tokens(source="estimated")
    assert seen.tokens(source="estimated")["output"] > 0


def test_a_client_that_leaves_before_the_answer_is_recorded(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.APITimeoutError):
        clients.openai(simulate=simulate("hang"), timeout=0.5).chat.completions.create(
            model="gpt-4o", messages=QUESTION
        )
    seen = mark.settled(1)
    assert seen.outcomes() == {"interrupted_by_client": 1}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_provider_that_hangs_up_in_the_middle_is_recorded(gateway, clients, stream):
    mark = gateway.mark()
    client = clients.openai(simulate=simulate(cut_after=10, tokens=100))
    with pytest.raises((openai.APIError, anthropic.APIError, Exception)) as caught:
        answer = client.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=stream)
        if stream:
            list(answer)
    assert not isinstance(caught.value, AssertionError)
    seen = mark.settled(1)
    assert seen.outcomes() == {"interrupted_by_provider": 1}
    assert seen.cost(source="reported") == seen.ledger.reported
    assert seen.cost(source="estimated") > 0


def test_a_provider_that_cuts_a_message_leaves_its_start_reported(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(Exception) as caught:
        with clients.anthropic(simulate=simulate(cut_after=10, tokens=100)).messages.create(
            **MESSAGE, stream=True
        ) as stream:
            list(stream)
    assert not isinstance(caught.value, AssertionError)
    seen = mark.settled(1)
    assert seen.outcomes() == {"interrupted_by_provider": 1}
    assert seen.cost(source="reported") == seen.ledger.interrupted_reported > 0
    assert seen.tokens(source="estimated")["output"] > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_without_usage_is_estimated_and_marked(gateway, clients, stream):
    mark = gateway.mark()
    answer = clients.openai(simulate=simulate("no_usage", tokens=200)).chat.completions.create(
        model="gpt-4o", messages=QUESTION, stream=stream
    )
    if stream:
        assert list(answer)
    seen = mark.settled(1)
    assert seen.outcomes() == {"ok": 1}
    assert seen.ledger.unreported_requests == 1
    assert seen.cost(source="reported") == 0 < seen.cost(source="estimated")
    # An estimate from the text's size, so within a factor of two of what 200 tokens really are.
    assert 100 <= seen.tokens(source="estimated")["output"] <= 400


def test_an_error_as_the_first_event_reaches_the_client_and_costs_nothing(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.APIError):
        with clients.openai(simulate=simulate("error_first")).chat.completions.create(**CHAT) as stream:
            list(stream)
    seen = mark.settled(1)
    assert "ok" not in seen.outcomes()
    assert seen.cost() == seen.ledger.reported == 0


def test_an_error_in_the_middle_of_a_stream_is_not_an_answer(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.APIError):
        with clients.openai(simulate=simulate(error_after=10, tokens=100)).chat.completions.create(**CHAT) as stream:
            list(stream)
    seen = mark.settled(1)
    assert "ok" not in seen.outcomes()
    assert seen.cost(source="reported") == seen.ledger.reported


@pytest.mark.parametrize("api, model", [("chat", "gpt-4o"), ("responses", "gpt-5"), ("messages", "claude-haiku-4-5")])
def test_the_time_to_the_first_token_is_measured(gateway, clients, api, model):
    mark = gateway.mark()
    steering = simulate(ttft_ms=120, tokens=10, rate=200)
    if api == "chat":
        list(clients.openai("timed", simulate=steering).chat.completions.create(**CHAT))
    elif api == "responses":
        list(clients.openai("timed", simulate=steering).responses.create(model=model, input="x", stream=True))
    else:
        list(clients.anthropic("timed", simulate=steering).messages.create(**{**MESSAGE, "model": model}, stream=True))
    mark.settled(1)
    name = "tollgate_time_to_first_token_milliseconds"
    assert gateway.observed(f"{name}_count", key="timed", model=model) == 1
    early = gateway.observed(f"{name}_bucket", key="timed", model=model, le="100")
    assert early == 0, "no token can have come before the provider made one"
