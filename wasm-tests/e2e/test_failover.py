"""A model with several targets: what one provider cannot do the next one does, each in its own words."""

import secrets

import anthropic
import openai
import pytest

from harness.document import Document

QUESTION = [{"role": "user", "content": "Is anybody there?"}]


@pytest.fixture
def first(start_simulator):
    """Starts the first provider of the order, failing in a given way."""

    def start(steering: str):
        credential = f"sk-provider-first-{secrets.token_hex(16)}"
        return start_simulator("first", credential=credential, options=("--simulate", steering))

    return start


def ordered(standing, endpoint: str, credential: str) -> Document:
    """`pair` goes to `first` under one name, then to `spare` under another."""
    document = standing.providers(Document())
    document.provider("first", "openai", endpoint, credential, priced_as="openai")
    document.model("pair", ("first", "gpt-4.1"), ("spare", "gpt-4o-mini"))
    document.model("lonely", ("first", "gpt-4.1"))
    document.key("everything")
    return document


def served_by_the_second(gateway, seen) -> None:
    """One request, two attempts, the second one charged."""
    assert seen.metrics.by("tollgate_requests_total", "model", "provider", "outcome") == {("pair", "spare", "ok"): 1}
    attempts = seen.metrics.by("tollgate_attempts_total", "provider", "outcome")
    assert attempts.pop(("spare", "ok")) == 1
    assert [provider for provider, _ in attempts] == ["first"] and sum(attempts.values()) == 1
    assert "ok" not in {outcome for _, outcome in attempts}
    # The second provider accepts its own credential only, and was asked for its own name of the model.
    assert seen.ledger.attempts["spare"] == 1
    assert seen.ledger.models() == {"gpt-4o-mini": 1}
    assert seen.cost(provider="spare") == seen.cost() == seen.ledger.settled > 0
    assert seen.ledger.leaked_virtual_keys == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("steering", ["status=500", "status=502", "status=503", "status=429,retry_after=30", "status=408", "drop"])
def test_the_second_provider_serves_what_the_first_cannot(start_gateway, standing, first, steering, stream):
    failing = first(steering)
    gateway = start_gateway(ordered(standing, f"{failing.origin}/v1", failing.credential))
    mark = gateway.mark()
    answer = gateway.clients.openai().chat.completions.create(model="pair", messages=QUESTION, stream=stream)
    assert list(answer) if stream else answer.choices[0].message.content
    served_by_the_second(gateway, mark.settled(1))
    tried = failing.report()
    assert tried["requests"] == tried["attempts"].get("first") == 1
    assert tried["leaked_virtual_keys"] == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_refused_connection_moves_on(start_gateway, standing, dead_port, stream):
    gateway = start_gateway(ordered(standing, f"http://127.0.0.1:{dead_port}/v1", "sk-provider-first-never-seen"))
    mark = gateway.mark()
    answer = gateway.clients.openai().chat.completions.create(model="pair", messages=QUESTION, stream=stream)
    assert list(answer) if stream else answer.choices[0].message.content
    served_by_the_second(gateway, mark.settled(1))


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_request_the_first_provider_calls_wrong_is_not_tried_again(start_gateway, standing, first, status):
    failing = first(f"status={status}")
    gateway = start_gateway(ordered(standing, f"{failing.origin}/v1", failing.credential))
    mark = gateway.mark()
    with pytest.raises(openai.APIStatusError) as caught:
        gateway.clients.openai().chat.completions.create(model="pair", messages=QUESTION)
    assert caught.value.status_code == status
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {"first": 1}
    assert seen.metrics.by("tollgate_requests_total", "provider", "outcome") == {("first", "client_error"): 1}


def test_the_last_word_is_the_last_providers(start_gateway, standing, first):
    failing = first("status=429,retry_after=11")
    gateway = start_gateway(ordered(standing, f"{failing.origin}/v1", failing.credential))
    mark = gateway.mark()
    with pytest.raises(openai.RateLimitError) as caught:
        gateway.clients.openai().chat.completions.create(model="lonely", messages=QUESTION)
    assert caught.value.response.headers["retry-after"] == "11"
    seen = mark.settled(1)
    assert seen.metrics.total("tollgate_attempts_total", provider="first") == 1
    assert seen.cost() == 0


def test_every_provider_failing_is_one_clean_error(start_gateway, standing, dead_port, first):
    failing = first("status=500")
    document = ordered(standing, f"{failing.origin}/v1", failing.credential)
    document.provider("gone", "openai", f"http://127.0.0.1:{dead_port}/v1", "sk-provider-gone")
    document.model("hopeless", "first", "gone")
    document.model("hopeless-reversed", "gone", "first")
    gateway = start_gateway(document)
    mark = gateway.mark()
    for model in ("hopeless", "hopeless-reversed"):
        with pytest.raises(openai.InternalServerError) as caught:
            gateway.clients.openai().chat.completions.create(model=model, messages=QUESTION)
        assert caught.value.body["message"]
        assert str(dead_port) not in caught.value.response.text
    seen = mark.settled(2)
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {"first": 2, "gone": 2}
    assert seen.cost() == 0


def test_a_large_body_is_sent_whole_to_the_second_provider(start_gateway, standing, first):
    failing = first("status=503")
    gateway = start_gateway(ordered(standing, f"{failing.origin}/v1", failing.credential))
    mark = gateway.mark()
    long = [{"role": "user", "content": "bridge " * 400_000}]
    answer = gateway.clients.openai().chat.completions.create(model="pair", messages=long)
    assert answer.usage.prompt_tokens > 400_000
    served_by_the_second(gateway, mark.settled(1))


def test_a_stream_that_has_begun_is_not_begun_again(start_gateway, standing, first):
    failing = first("cut_after=5,tokens=50")
    gateway = start_gateway(ordered(standing, f"{failing.origin}/v1", failing.credential))
    mark = gateway.mark()
    with pytest.raises(Exception) as caught:
        list(gateway.clients.openai().chat.completions.create(model="pair", messages=QUESTION, stream=True))
    assert not isinstance(caught.value, AssertionError)
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {"first": 1}
    assert seen.outcomes() == {"interrupted_by_provider": 1}
    assert seen.ledger.attempts.get("spare", 0) == 0


def test_a_hundred_requests_over_a_flaky_provider_all_succeed(start_gateway, standing, first):
    failing = first("flaky=40")
    gateway = start_gateway(ordered(standing, f"{failing.origin}/v1", failing.credential))
    gateway.simulators = [*gateway.simulators, failing]
    mark = gateway.mark()
    client = gateway.clients.openai()
    for _ in range(100):
        assert client.chat.completions.create(model="pair", messages=QUESTION).choices
    seen = mark.settled(100)
    assert seen.outcomes() == {"ok": 100}
    assert seen.cost() == seen.ledger.settled > 0
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {"first": 100, "spare": 40}
    assert seen.metrics.by("tollgate_requests_total", "provider") == {"first": 60, "spare": 40}


def test_a_message_fails_over_between_anthropic_providers(start_gateway, standing, dead_port):
    document = standing.providers(Document())
    document.provider("first", "anthropic", f"http://127.0.0.1:{dead_port}", "sk-provider-first-never-seen")
    document.model("pair", ("first", "claude-opus-4-5"), ("anthropic", "claude-haiku-4-5"))
    document.key("everything")
    gateway = start_gateway(document)
    mark = gateway.mark()
    client: anthropic.Anthropic = gateway.clients.anthropic()
    assert client.messages.create(model="pair", max_tokens=20, messages=QUESTION).content[0].text
    seen = mark.settled(1)
    assert seen.ledger.models() == {"claude-haiku-4-5": 1}
    assert seen.cost() == seen.ledger.settled > 0
    assert seen.metrics.total("tollgate_attempts_total") == 2


def test_steering_by_a_client_cannot_ask_for_more_attempts(start_gateway, standing, first):
    """`x-envoy-*` headers of a client are not the gateway's own: they change neither retries nor anything else."""
    failing = first("status=503")
    gateway = start_gateway(ordered(standing, f"{failing.origin}/v1", failing.credential))
    mark = gateway.mark()
    greedy = {
        "x-envoy-max-retries": "9",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-upstream-alt-stat-name": "greedy",
    }
    with pytest.raises(openai.InternalServerError):
        gateway.clients.openai().chat.completions.create(model="lonely", messages=QUESTION, extra_headers=greedy)
    assert mark.settled(1).metrics.by("tollgate_attempts_total", "provider") == {"first": 1}
    assert failing.report()["requests"] == 1


def test_an_unreachable_provider_has_no_effect_on_other_models(start_gateway, standing, dead_port):
    gateway = start_gateway(
        ordered(standing, f"http://127.0.0.1:{dead_port}/v1", "sk-provider-first-never-seen").model("well", ("spare", "gpt-4o-mini"))
    )
    for _ in range(20):
        with pytest.raises(openai.InternalServerError):
            gateway.clients.openai().chat.completions.create(model="lonely", messages=QUESTION)
        assert gateway.clients.openai().chat.completions.create(model="well", messages=QUESTION).choices
