"""What a gateway meets outside: TLS, names, silence, providers that die and come back."""

import threading
from types import SimpleNamespace

import anthropic
import openai
import pytest

from harness.document import Document
from harness.gateway import Gateway
from harness.process import eventually, free_port
from harness.simulator import Simulator, simulate
from harness.tls import TlsFront

QUESTION = [{"role": "user", "content": "Is it safe to cross?"}]


@pytest.fixture(scope="module")
def outside(shape, standing, tmp_path_factory):
    """A gateway of little patience: providers behind TLS, one by name, one nobody can resolve, and a mortal one."""
    directory = tmp_path_factory.mktemp(f"outside-{shape}")
    trusted = TlsFront(standing.openai.authority, directory)
    (directory / "other").mkdir()
    stranger = TlsFront(standing.openai.authority, directory / "other")
    mortal = Simulator("mortal", directory, "sk-provider-mortal", port=free_port())
    document = standing.providers(Document(hold_headers=shape == "hold"))
    document.provider("secure", "openai", f"{trusted.origin}/v1", standing.openai.credential, priced_as="openai")
    document.provider("stranger", "openai", f"{stranger.origin}/v1", standing.openai.credential, priced_as="openai")
    document.provider(
        "named",
        "anthropic",
        standing.anthropic.origin.replace("127.0.0.1", "localhost"),
        standing.anthropic.credential,
        priced_as="anthropic",
    )
    document.provider("lost", "openai", "http://provider.invalid:81/v1", "sk-provider-lost")
    document.provider("mortal", "openai", f"{mortal.origin}/v1", mortal.credential, priced_as="openai")
    document.model("secure", ("secure", "gpt-4o-mini")).model("stranger", ("stranger", "gpt-4o-mini"))
    document.model("named", ("named", "claude-haiku-4-5")).model("lost", ("lost", "gpt-4o-mini"))
    document.model("lost-then-found", ("lost", "gpt-4.1"), ("spare", "gpt-4o-mini"))
    document.model("mortal", ("mortal", "gpt-4o-mini")).model("gpt-4o-mini", "openai").model(
        "claude-haiku-4-5", "anthropic"
    )
    document.key("everything")
    options = ("--ca-file", trusted.ca_file, "--idle-timeout", "1")
    gateway = Gateway(document, directory, [*standing.simulators, mortal], options)
    world = SimpleNamespace(gateway=gateway, trusted=trusted, stranger=stranger, mortal=mortal, directory=directory)
    try:
        gateway.start()
        yield world
    finally:
        gateway.stop()
        world.mortal.stop()
        trusted.stop()
        stranger.stop()
    assert not gateway.troubles


def chat(gateway, model: str, provider: str, stream: bool = False, simulate: str | None = None):
    """One request."""
    client = gateway.clients.openai(provider=provider, simulate=simulate)
    answer = client.chat.completions.create(model=model, messages=QUESTION, stream=stream)
    return list(answer) if stream else answer


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_provider_behind_tls_is_reached_by_its_name(outside, stream):
    mark = outside.gateway.mark()
    assert chat(outside.gateway, "secure", "secure", stream)
    seen = mark.settled(1)
    assert seen.cost() == seen.ledger.settled > 0
    assert set(outside.trusted.seen_names) == {"localhost"}


def test_a_certificate_nobody_vouches_for_gets_no_credential(outside):
    mark = outside.gateway.mark()
    with pytest.raises(openai.InternalServerError) as caught:
        chat(outside.gateway, "stranger", "stranger")
    assert caught.value.code == "upstream_unreachable"
    assert "ertificate" not in caught.value.response.text
    seen = mark.settled(1)
    assert seen.outcomes() == {"provider_unreachable": 1}
    assert seen.ledger.requests == 0


def test_a_provider_may_be_given_by_name(outside):
    mark = outside.gateway.mark()
    client = outside.gateway.clients.anthropic(provider="named")
    assert client.messages.create(model="named", max_tokens=20, messages=QUESTION).content
    seen = mark.settled(1)
    assert seen.cost() == seen.ledger.settled > 0


def test_a_provider_whose_name_leads_nowhere_is_a_clean_error(outside):
    mark = outside.gateway.mark()
    with pytest.raises(openai.InternalServerError) as caught:
        chat(outside.gateway, "lost", "lost")
    assert caught.value.code == "upstream_unreachable"
    assert mark.settled(1).outcomes() == {"provider_unreachable": 1}


def test_a_provider_whose_name_leads_nowhere_is_passed_over(outside):
    """Where headers are held; elsewhere the host has already said where the request goes."""
    mark = outside.gateway.mark()
    assert chat(outside.gateway, "lost-then-found", "spare").choices
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_requests_total", "provider", "outcome") == {("spare", "ok"): 1}
    assert seen.cost() == seen.ledger.settled > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_provider_that_never_answers_is_a_timeout(outside, stream):
    mark = outside.gateway.mark()
    with pytest.raises(openai.APIStatusError) as caught:
        chat(outside.gateway, "gpt-4o-mini", "openai", stream, "hang")
    assert caught.value.status_code == 504
    assert caught.value.code == "upstream_timeout"
    with pytest.raises(anthropic.APIStatusError) as silent:
        outside.gateway.clients.anthropic(simulate="hang").messages.create(
            model="claude-haiku-4-5", max_tokens=5, messages=QUESTION, stream=stream
        )
    assert silent.value.body["error"]["type"] == "timeout_error"
    seen = mark.settled(2)
    assert seen.outcomes() == {"provider_timeout": 2}
    assert seen.cost() == 0


def test_a_stream_that_falls_silent_is_cut_and_recorded(outside):
    mark = outside.gateway.mark()
    with pytest.raises(Exception) as caught:
        chat(outside.gateway, "gpt-4o-mini", "openai", True, simulate(hang_after=10, tokens=50))
    assert not isinstance(caught.value, AssertionError)
    seen = mark.settled(1)
    assert seen.outcomes() == {"interrupted_by_provider": 1}
    assert seen.cost(source="estimated") > 0


def test_a_slow_stream_that_is_never_silent_is_not_cut(outside):
    """Longer than the patience as a whole, shorter between two tokens."""
    mark = outside.gateway.mark()
    assert chat(outside.gateway, "gpt-4o-mini", "openai", True, simulate(tokens=30, rate=15))
    assert mark.settled(1).outcomes() == {"ok": 1}


def test_a_provider_may_die_under_its_streams_and_come_back(outside):
    """All of them end, are recorded, and nothing stays in flight; then it serves again."""
    mark = outside.gateway.mark()
    ended: list[bool] = []
    steering = simulate(tokens=3000, rate=100)

    def read() -> None:
        try:
            chat(outside.gateway, "mortal", "mortal", True, steering)
            ended.append(False)
        except Exception as problem:
            ended.append(not isinstance(problem, AssertionError))

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    eventually("all streams run", lambda: outside.mortal.ledger().in_flight == 20)
    outside.gateway.simulators.remove(outside.mortal)
    before = outside.mortal.ledger()
    outside.mortal.kill()
    for thread in threads:
        thread.join()
    assert ended == [True] * 20
    metrics = outside.gateway.idle() - mark.metrics
    assert metrics.by("tollgate_requests_total", "provider", "outcome") == {("mortal", "interrupted_by_provider"): 20}
    assert metrics.total("tollgate_cost_nanodollars_total", source="reported") == 0 == before.reported
    with pytest.raises(openai.InternalServerError):
        chat(outside.gateway, "mortal", "mortal")
    outside.mortal = Simulator("mortal", outside.directory, "sk-provider-mortal", port=outside.mortal.port)
    assert chat(outside.gateway, "mortal", "mortal").choices
