"""A model with several targets: what one provider cannot do the next one does, each in its own words."""

import re
import secrets
from types import SimpleNamespace

import openai
import pytest

from harness.document import Document
from harness.gateway import Gateway
from harness.simulator import Simulator

QUESTION = [{"role": "user", "content": "Is anybody there?"}]
MOVES_ON = ["status=500", "status=502", "status=503", "status=429,retry_after=30", "status=404", "status=408", "drop"]
STAYS = ["status=400", "status=422", "cut_after=5,tokens=50"]


def named(steering: str, stream: bool = False) -> str:
    """A provider's name that says how it fails. One that wants to be left alone is asked once only."""
    name = "first-" + re.sub("[^a-z0-9]", "-", steering)
    return f"{name}-stream" if stream and "retry_after" in steering else name


@pytest.fixture(scope="module")
def failing(standing, tmp_path_factory):
    """A gateway with a first provider for each way to fail: `pair-…` goes on to the spare, `lonely-…` has no other."""
    directory = tmp_path_factory.mktemp("failing")
    document = standing.providers(Document())
    dead_openai, dead_anthropic = standing.dead_ports
    simulators = {}
    # What is tested here is one request at a time: nobody is left out for having failed those before.
    document.settings["health"] = {"failures": 1000}
    failures = [(steering, stream) for steering in [*MOVES_ON, *STAYS, "flaky=40"] for stream in (False, True)]
    for name, steering in {named(*failure): failure[0] for failure in failures}.items():
        credential = f"sk-provider-{secrets.token_hex(16)}"
        simulators[name] = Simulator(name, directory, credential, ("--simulate", steering))
        document.provider(name, "openai", f"{simulators[name].origin}/v1", credential, priced_as="openai")
        document.model(f"pair-{name}", (name, "gpt-4.1"), ("spare", "gpt-4o-mini"))
        document.model(f"lonely-{name}", (name, "gpt-4.1"))
    document.provider("gone", "openai", f"http://127.0.0.1:{dead_openai}/v1", "sk-provider-gone")
    document.provider("gone-too", "anthropic", f"http://127.0.0.1:{dead_anthropic}", "sk-provider-gone-too")
    document.model("pair-gone", ("gone", "gpt-4.1"), ("spare", "gpt-4o-mini"))
    document.model("lonely-gone", ("gone", "gpt-4.1"))
    document.model("well", ("spare", "gpt-4o-mini"))
    document.model("hopeless", named("status=500"), "gone")
    document.model("hopeless-reversed", "gone", named("status=500"))
    document.model("pair-claude", ("gone-too", "claude-opus-4-5"), ("anthropic", "claude-haiku-4-5"))
    document.key("everything")
    gateway = Gateway(document, directory, [*standing.simulators, *simulators.values()])
    try:
        yield SimpleNamespace(gateway=gateway.start(), first=simulators)
    finally:
        gateway.stop()
        for simulator in simulators.values():
            simulator.stop()
    assert not gateway.troubles


def ask(gateway, model: str, *, stream: bool = False, **options) -> None:
    """One request that has to be answered."""
    answer = gateway.clients.openai().chat.completions.create(
        model=model, messages=options.pop("messages", QUESTION), stream=stream, **options
    )
    assert list(answer) if stream else answer.choices[0].message.content


def served_by_the_second(seen, model: str, first: str, second: str = "spare", name: str = "gpt-4o-mini") -> None:
    """One request, two attempts, the second one charged."""
    assert seen.metrics.by("tollgate_requests_total", "model", "provider", "outcome") == {(model, second, "ok"): 1}
    attempts = seen.metrics.by("tollgate_attempts_total", "provider", "outcome")
    assert attempts.pop((second, "ok")) == 1
    assert [provider for provider, _ in attempts] == [first] and sum(attempts.values()) == 1
    assert "ok" not in {outcome for _, outcome in attempts}
    # The second provider accepts its own credential only, and was asked for its own name of the model.
    assert seen.ledger.attempts[second] == 1
    assert seen.ledger.models() == {name: 1}
    assert seen.cost(provider=second) == seen.cost() == seen.ledger.settled > 0
    assert seen.ledger.leaked_virtual_keys == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("steering", MOVES_ON)
def test_the_second_provider_serves_what_the_first_cannot(failing, steering, stream):
    first = named(steering, stream)
    mark = failing.gateway.mark()
    ask(failing.gateway, f"pair-{first}", stream=stream)
    seen = mark.settled(1)
    served_by_the_second(seen, f"pair-{first}", first)
    assert seen.ledger.attempts == {first: 1, "spare": 1}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_refused_connection_moves_on(failing, stream):
    mark = failing.gateway.mark()
    ask(failing.gateway, "pair-gone", stream=stream)
    served_by_the_second(mark.settled(1), "pair-gone", "gone")


def test_a_message_fails_over_between_anthropic_providers(failing):
    mark = failing.gateway.mark()
    answer = failing.gateway.clients.anthropic().messages.create(model="pair-claude", max_tokens=20, messages=QUESTION)
    assert answer.content[0].text
    served_by_the_second(mark.settled(1), "pair-claude", "gone-too", "anthropic", "claude-haiku-4-5")


@pytest.mark.parametrize("steering", ["status=400", "status=422"])
def test_a_request_the_first_provider_calls_wrong_is_not_tried_again(failing, steering):
    first = named(steering)
    mark = failing.gateway.mark()
    with pytest.raises(openai.APIStatusError) as caught:
        ask(failing.gateway, f"pair-{first}")
    assert f"status={caught.value.status_code}" == steering
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {first: 1}
    assert seen.metrics.by("tollgate_requests_total", "provider", "outcome") == {(first, "client_error"): 1}


def test_the_last_word_is_the_last_providers(failing):
    first = named("status=429,retry_after=30")
    mark = failing.gateway.mark()
    with pytest.raises(openai.RateLimitError) as caught:
        ask(failing.gateway, f"lonely-{first}")
    assert caught.value.response.headers["retry-after"] == "30"
    seen = mark.settled(1)
    assert seen.metrics.total("tollgate_attempts_total", provider=first) == seen.ledger.requests == 1
    assert seen.cost() == 0


def test_every_provider_failing_is_one_clean_error(failing):
    first = named("status=500")
    mark = failing.gateway.mark()
    for model in ("hopeless", "hopeless-reversed"):
        with pytest.raises(openai.InternalServerError) as caught:
            ask(failing.gateway, model)
        assert caught.value.body["message"]
        assert "127.0.0.1" not in caught.value.response.text
    seen = mark.settled(2)
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {first: 2, "gone": 2}
    assert seen.cost() == 0


def test_a_large_body_is_sent_whole_to_the_second_provider(failing):
    first = named("status=503")
    mark = failing.gateway.mark()
    long = [{"role": "user", "content": "bridge " * 400_000}]
    answer = failing.gateway.clients.openai().chat.completions.create(model=f"pair-{first}", messages=long)
    assert answer.usage.prompt_tokens > 400_000
    served_by_the_second(mark.settled(1), f"pair-{first}", first)


def test_a_stream_that_has_begun_is_not_begun_again(failing):
    first = named("cut_after=5,tokens=50")
    mark = failing.gateway.mark()
    with pytest.raises(Exception) as caught:
        ask(failing.gateway, f"pair-{first}", stream=True)
    assert not isinstance(caught.value, AssertionError)
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {first: 1}
    assert seen.outcomes() == {"interrupted_by_provider": 1}
    assert "spare" not in seen.ledger.attempts


def test_a_hundred_requests_over_a_flaky_provider_all_succeed(failing):
    first = named("flaky=40")
    mark = failing.gateway.mark()
    client = failing.gateway.clients.openai()
    for _ in range(100):
        assert client.chat.completions.create(model=f"pair-{first}", messages=QUESTION).choices
    seen = mark.settled(100)
    assert seen.outcomes() == {"ok": 100}
    assert seen.cost() == seen.ledger.settled > 0
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {first: 100, "spare": 40}
    assert seen.metrics.by("tollgate_requests_total", "provider") == {first: 60, "spare": 40}


def test_a_client_cannot_ask_for_more_attempts(failing):
    """`x-envoy-*` headers of a client are not the gateway's own: they change neither retries nor anything else."""
    first = named("status=503")
    greedy = {
        "x-envoy-max-retries": "9",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-upstream-alt-stat-name": "greedy",
    }
    mark = failing.gateway.mark()
    with pytest.raises(openai.InternalServerError):
        ask(failing.gateway, f"lonely-{first}", extra_headers=greedy)
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {first: 1}
    assert seen.ledger.requests == 1


def test_a_dead_provider_has_no_effect_on_other_models(failing):
    for _ in range(20):
        with pytest.raises(openai.InternalServerError):
            ask(failing.gateway, "lonely-gone")
        ask(failing.gateway, "well")
