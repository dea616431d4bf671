"""Every way a provider can fail, and every way an SDK can ask: a request that has another provider does not notice.

One gateway has a pair of providers for each way to fail; where a failure takes a provider out (429, a refused credential),
each test has its own. What they are left alone for afterwards is tested with gateways of a test's own.
"""

import json
import secrets
import time
from dataclasses import dataclass

import anthropic
import httpx2
import openai
import pytest

from harness.document import Document
from harness.gateway import Gateway
from harness.process import eventually
from harness.recorder import Answer, Recorder
from harness.simulator import Simulator, simulate

QUESTION = [{"role": "user", "content": "Is anybody there, and what does the bridge cost?"}]
LONG = [{"role": "user", "content": "bridge " * 300}]


@dataclass(frozen=True)
class Failure:
    """A way to fail. Where `steering` is none, the provider is of another kind: see `failing`."""

    name: str
    steering: str | None
    reason: str
    outcome: str
    whole: bool = True
    stream: bool = True
    # Whether the attempt was far enough for the provider to bill it.
    may_cost: bool = False

    def modes(self) -> list[bool]:
        """Streamed or not."""
        return [mode for mode, wanted in ((False, self.whole), (True, self.stream)) if wanted]


FAILURES = [
    Failure("refuse", None, "connect", "provider_unreachable"),
    Failure("drop", "drop", "connect", "provider_unreachable"),
    Failure("reset", "", "connect", "provider_unreachable"),
    Failure("s408", "status=408", "server_error", "provider_error"),
    Failure("s429", "status=429,retry_after=30", "rate_limited", "provider_rate_limited"),
    Failure("s402", "status=402", "exhausted", "provider_exhausted"),
    Failure("s500", "status=500", "server_error", "provider_error"),
    Failure("s503", "status=503", "server_error", "provider_error"),
    Failure("s529", "status=529", "server_error", "provider_error"),
    Failure("s401", "status=401", "credential", "provider_credential"),
    Failure("s403", "status=403", "credential", "provider_credential"),
    Failure("wrong-credential", "", "credential", "provider_credential"),
    Failure("unknown-model", "", "not_found", "provider_error"),
    Failure("hang", "hang", "timeout", "provider_timeout"),
    Failure("silent", "hang_after=0", "timeout", "provider_timeout", may_cost=True),
    Failure("role-only", "hang_after=1", "timeout", "provider_timeout", whole=False, may_cost=True),
    Failure("cut", "cut_after=0", "interrupted", "provider_unreachable", may_cost=True),
    Failure("cut-after-role", "cut_after=1", "interrupted", "provider_unreachable", whole=False, may_cost=True),
    Failure("error-body", "error_body", "error_in_answer", "provider_error", stream=False),
    Failure("error-first", "error_first", "error_in_answer", "provider_error", whole=False),
    Failure("nonsense", None, "garbled", "provider_error", may_cost=True),
    Failure("short", "context=50", "context_window", "context_window_exceeded"),
    Failure("filter", "filtered", "content_filter", "content_filtered"),
]
CASES = [pytest.param(failure, mode, id=f"{failure.name}-{'stream' if mode else 'whole'}")
         for failure in FAILURES for mode in failure.modes()]  # fmt: skip


def place(failure: Failure, stream: bool, user: str = "") -> str:
    """The name of a provider that fails so, and of the model it comes first for."""
    return "-".join(filter(None, [failure.name, "stream" if stream else "whole", user]))


def set_weather(simulator: Simulator, **forecast) -> None:
    """A bad day, or without a forecast a good one."""
    httpx2.post(f"{simulator.origin}/weather", json=forecast, trust_env=False).raise_for_status()


class Failing:
    """A gateway, with what fails behind it."""

    def __init__(self, standing, directory):
        self.standing, self.directory = standing, directory
        self.simulators: dict[str, Simulator] = {}
        self.nonsense = Recorder(Answer(b"<html>Welcome to the hotel's network</html>", content_type="text/html"))
        self.document = standing.providers(Document())
        self.document.settings["health"] = {"failures": 1000}
        self.document.settings["failover"] = {"first_token_timeout": "1s", "answer_timeout": "3s"}
        self.gemini = self.simulator("gemini", "")
        self.document.provider(
            "gemini", "gemini", f"{self.gemini.origin}/v1beta", self.gemini.credential, priced_as="google"
        )
        self.document.key("everything")
        for failure in FAILURES:
            for mode in failure.modes():
                self._pair(failure, mode)
        set_weather(self.simulators["reset"], outage="reset")
        self._others()
        self.gateway = Gateway(self.document, directory, [*standing.simulators, *self.simulators.values()])

    def simulator(self, name: str, steering: str) -> Simulator:
        """A simulator of that name."""
        if name not in self.simulators:
            credential = f"sk-provider-{secrets.token_hex(16)}"
            self.simulators[name] = Simulator(name, self.directory, credential, ("--simulate", steering))
        return self.simulators[name]

    def _pair(self, failure: Failure, mode: bool) -> None:
        name, model = place(failure, mode), "gpt-4.1"
        if failure.name == "refuse":
            origin, credential = f"http://127.0.0.1:{self.standing.dead_ports[0]}", "sk-provider-none"
        elif failure.name == "nonsense":
            origin, credential = self.nonsense.origin, "sk-provider-none"
        else:
            simulator = self.simulator(failure.name, failure.steering)
            origin, credential = simulator.origin, simulator.credential
        if failure.name == "wrong-credential":
            credential = "sk-provider-revoked-0123456789"
        if failure.name == "unknown-model":
            model = "gpt-5-of-last-year"
        self.document.provider(name, "openai", f"{origin}/v1", credential, priced_as="openai")
        self.document.model(name, (name, model), ("spare", "gpt-4o-mini"))
        targets = self.document.models[name]["targets"]
        if failure.name == "short":
            targets[0]["context"], targets[1]["context"] = 100_000, 200_000
        if failure.name == "filter":
            self.document.models[name]["failover"] = {"content_filter": True}

    def _others(self) -> None:
        """Providers of other dialects that fail, and chains over them."""
        document = self.document
        busy = self.simulator("busy-anthropic", "status=529")
        document.provider("busy-anthropic", "anthropic", busy.origin, busy.credential, priced_as="anthropic")
        down = self.simulator("s500", "status=500")
        for name in ("down", "down-too", "down-as-well", "down-still"):
            document.provider(name, "openai", f"{down.origin}/v1", down.credential, priced_as="openai")
        document.model(
            "across", ("down", "gpt-4.1"), ("busy-anthropic", "claude-haiku-4-5"), ("gemini", "gemini-2.5-flash")
        )
        document.model("one-hop", ("down", "gpt-4.1"), ("anthropic", "claude-haiku-4-5"))
        document.model(
            "four", ("down", "gpt-4.1"), ("down-too", "gpt-4.1"), ("down-as-well", "gpt-4.1"), ("spare", "gpt-4o-mini")
        )
        document.model("two", *[(name, "gpt-4.1") for name in ("down", "down-too", "down-as-well")])
        document.models["two"]["failover"] = {"attempts": 2}
        document.model("once", ("down", "gpt-4.1"), ("spare", "gpt-4o-mini"), failover={"attempts": 1})
        document.model("unfiltered", (place(FAILURES[-1], False), "gpt-4.1"), ("spare", "gpt-4o-mini"))
        # Their windows are as large as each other: what is too long for one is too long for both.
        document.model("as-short", (place(FAILURES[-2], False), "gpt-4.1"), ("spare", "gpt-4o-mini"))
        for target in document.models["as-short"]["targets"]:
            target["context"] = 100_000
        hanging = self.simulator("hang", "hang")
        for name in ("slow-one", "slow-two"):
            document.provider(name, "openai", f"{hanging.origin}/v1", hanging.credential, priced_as="openai")
        document.model(
            "late", ("slow-one", "gpt-4.1"), ("slow-two", "gpt-4.1"), ("spare", "gpt-4o-mini"),
            failover={"first_token_timeout": "1s", "total": "2s"},
        )  # fmt: skip
        document.model("well", ("spare", "gpt-4o-mini"), ("down", "gpt-4.1"))

    def stop(self) -> None:
        """Ends all of it."""
        self.gateway.stop()
        self.nonsense.stop()
        for simulator in self.simulators.values():
            simulator.stop()


@pytest.fixture(scope="module")
def failing(standing, tmp_path_factory):
    """A gateway with a provider for every way to fail."""
    all_of_it = Failing(standing, tmp_path_factory.mktemp("failing-over"))
    try:
        all_of_it.gateway.start()
        yield all_of_it
    finally:
        all_of_it.stop()
    assert not all_of_it.gateway.troubles


def ask_chat(clients, model, stream, messages=QUESTION, **options):
    """A chat completion that has to be an ordinary one; the headers of its answer."""
    calls = clients.openai().chat.completions.with_raw_response
    raw = calls.create(model=model, messages=messages, stream=stream, **options)
    if not stream:
        answer = raw.parse()
        assert answer.object == "chat.completion" and answer.choices[0].message.content
        assert answer.choices[0].finish_reason == "stop" and answer.usage.completion_tokens > 0
        return raw.headers
    chunks = list(raw.parse())
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    roles = [chunk.choices[0].delta.role for chunk in chunks if chunk.choices and chunk.choices[0].delta.role]
    assert roles[:1] == ["assistant"]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    return raw.headers


def ask_responses(clients, model, stream):
    """A response that has to be an ordinary one; the headers of its answer."""
    calls = clients.openai().responses.with_raw_response
    raw = calls.create(model=model, input=QUESTION, stream=stream)
    answer = raw.parse()
    if stream:
        events = list(answer)
        assert events[0].type == "response.created" and events[-1].type == "response.completed"
        assert [event.sequence_number for event in events] == list(range(len(events)))
        answer = events[-1].response
    assert answer.status == "completed" and answer.output_text and answer.usage.output_tokens > 0
    return raw.headers


def ask_messages(clients, model, stream):
    """A message that has to be an ordinary one; the headers of its answer."""
    calls = clients.anthropic()
    if stream:
        with calls.messages.stream(model=model, max_tokens=100, messages=QUESTION) as streamed:
            answer, headers = streamed.get_final_message(), streamed.response.headers
    else:
        raw = calls.messages.with_raw_response.create(model=model, max_tokens=100, messages=QUESTION)
        answer, headers = raw.parse(), raw.headers
    assert answer.content[0].text and answer.stop_reason == "end_turn" and answer.usage.output_tokens > 0
    return headers


ASKING = {"chat": ask_chat, "responses": ask_responses, "messages": ask_messages}
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def attempts_of(seen) -> dict:
    """Attempts by provider and outcome."""
    return seen.metrics.by("tollgate_attempts_total", "provider", "outcome")


@pytest.mark.parametrize("failure, stream", CASES)
def test_a_failure_is_not_noticed(failing, failure, stream):
    name = place(failure, stream)
    messages = LONG if failure.name == "short" else QUESTION
    mark = failing.gateway.mark()
    headers = ask_chat(failing.gateway.clients, name, stream, messages)
    seen = mark.settled(1)
    assert headers["x-tollgate-provider"] == "spare"
    assert headers["x-tollgate-model"] == name
    assert headers["x-tollgate-attempts"] == "2"
    assert headers["x-tollgate-request-id"]
    assert seen.metrics.by("tollgate_requests_total", "model", "provider", "outcome") == {(name, "spare", "ok"): 1}
    assert attempts_of(seen) == {(name, failure.outcome): 1, ("spare", "ok"): 1}
    moves = seen.metrics.by("tollgate_failovers_total", "model", "from", "to", "reason")
    # A connection that breaks right behind the head may break for Envoy before it has passed the head on.
    reasons = {failure.reason, "connect"} if failure.name.startswith("cut") else {failure.reason}
    assert list(moves.values()) == [1] and set(moves) <= {(name, name, "spare", reason) for reason in reasons}
    assert seen.ledger.attempts["spare"] == 1
    assert seen.cost(provider="spare") == seen.cost(outcome="ok") == seen.ledger.settled > 0
    given_up = seen.cost(provider=name)
    assert given_up == seen.cost(provider=name, outcome=failure.outcome, source="estimated")
    assert (given_up > 0) == failure.may_cost or failure.name.startswith("cut")
    assert seen.ledger.leaked_virtual_keys == 0


@STREAM
@pytest.mark.parametrize("client", list(ASKING))
def test_a_request_goes_on_in_another_dialect(failing, client, stream):
    """OpenAI has failed, Anthropic is overloaded, Gemini serves: whoever asks sees an answer in its own words."""
    mark = failing.gateway.mark()
    headers = ASKING[client](failing.gateway.clients, "across", stream)
    seen = mark.settled(1)
    assert headers["x-tollgate-provider"] == "gemini"
    assert headers["x-tollgate-attempts"] == "3"
    expected = {("down", "provider_error"): 1, ("busy-anthropic", "provider_error"): 1, ("gemini", "ok"): 1}
    assert attempts_of(seen) == expected
    assert seen.metrics.by("tollgate_failovers_total", "from", "to", "reason") == {
        ("down", "busy-anthropic", "server_error"): 1,
        ("busy-anthropic", "gemini", "server_error"): 1,
    }
    assert seen.ledger.models() == {"gemini-2.5-flash": 1}
    assert seen.cost() == seen.cost(provider="gemini") == seen.ledger.settled > 0
    assert seen.ledger.leaked_virtual_keys == 0


@STREAM
@pytest.mark.parametrize("client", list(ASKING))
def test_one_step_to_another_dialect(failing, client, stream):
    mark = failing.gateway.mark()
    headers = ASKING[client](failing.gateway.clients, "one-hop", stream)
    seen = mark.settled(1)
    assert (headers["x-tollgate-provider"], headers["x-tollgate-attempts"]) == ("anthropic", "2")
    assert seen.ledger.models() == {"claude-haiku-4-5": 1}
    assert seen.cost() == seen.ledger.settled > 0


@pytest.mark.parametrize("steering, raised", [
    ("status=400", openai.BadRequestError),
    ("status=422", openai.UnprocessableEntityError),
    ("status=413", openai.APIStatusError),
])  # fmt: skip
def test_the_clients_own_error_does_not_move_on(failing, steering, raised):
    mark = failing.gateway.mark()
    with pytest.raises(raised) as caught:
        failing.gateway.clients.openai(simulate=steering).chat.completions.create(model="well", messages=QUESTION)
    assert f"status={caught.value.status_code}" == steering
    assert caught.value.response.headers["x-tollgate-attempts"] == "1"
    seen = mark.settled(1)
    assert attempts_of(seen) == {("spare", "client_error"): 1}
    assert not seen.metrics.by("tollgate_failovers_total", "reason")


def test_a_filter_stops_a_request_unless_the_document_lets_it_move_on(failing):
    mark = failing.gateway.mark()
    with pytest.raises(openai.BadRequestError) as caught:
        failing.gateway.clients.openai().chat.completions.create(model="unfiltered", messages=QUESTION)
    assert caught.value.code == "content_filter"
    assert mark.settled(1).outcomes() == {"content_filtered": 1}


def test_what_is_too_long_goes_to_no_window_of_the_same_size(failing):
    mark = failing.gateway.mark()
    with pytest.raises(openai.BadRequestError) as caught:
        failing.gateway.clients.openai().chat.completions.create(model="as-short", messages=LONG)
    assert caught.value.code == "context_length_exceeded"
    seen = mark.settled(1)
    assert seen.outcomes() == {"context_window_exceeded": 1}
    assert len(attempts_of(seen)) == 1


@STREAM
@pytest.mark.parametrize("model, attempts", [("four", 3), ("two", 2), ("once", 1)])
def test_attempts_are_bounded(failing, model, attempts, stream):
    mark = failing.gateway.mark()
    with pytest.raises(openai.InternalServerError) as caught:
        ask_chat(failing.gateway.clients, model, stream)
    assert caught.value.response.headers["x-tollgate-attempts"] == str(attempts)
    assert caught.value.body["message"]
    seen = mark.settled(1)
    assert seen.metrics.total("tollgate_attempts_total") == seen.ledger.requests == attempts
    assert seen.outcomes() == {"provider_error": 1}
    assert seen.cost() == 0


def test_no_attempt_begins_after_the_total(failing):
    mark = failing.gateway.mark()
    with pytest.raises(openai.InternalServerError) as caught:
        ask_chat(failing.gateway.clients, "late", True)
    assert caught.value.status_code == 504
    seen = mark.settled(1)
    assert attempts_of(seen) == {("slow-one", "provider_timeout"): 1, ("slow-two", "provider_timeout"): 1}
    assert seen.outcomes() == {"provider_timeout": 1}


class Told(Exception):
    """An error that was told as an event."""


@pytest.mark.parametrize("client", list(ASKING))
@pytest.mark.parametrize("steering", ["cut_after=8,tokens=60", "error_after=8,tokens=60"])
def test_after_the_first_token_nothing_is_tried_again(failing, client, steering):
    """The SDK of whoever asks raises, and no other provider hears of the request."""
    clients = failing.gateway.clients
    mark = failing.gateway.mark()
    sdk = clients.anthropic(simulate=steering) if client == "messages" else clients.openai(simulate=steering)
    with pytest.raises((openai.APIError, anthropic.APIError, httpx2.HTTPError, Told)):
        if client == "chat":
            list(sdk.chat.completions.create(model="well", messages=QUESTION, stream=True))
        elif client == "responses":
            # Of this API the SDK hands an error on as an event like others.
            events = list(sdk.responses.create(model="well", input="hello", stream=True))
            assert events[-1].type in ("error", "response.failed")
            raise Told
        else:
            list(sdk.messages.create(model="well", max_tokens=500, messages=QUESTION, stream=True))
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {"spare": 1}
    assert set(seen.ledger.attempts) == {"spare"}
    assert seen.outcomes() in ({"interrupted_by_provider": 1}, {"provider_error": 1})
    assert seen.cost() > 0


CHAT_ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}  # fmt: skip


@pytest.fixture
def recorder():
    """A provider that answers in chat completions and writes down what it was asked."""
    listening = Recorder(
        Answer(
            json.dumps(CHAT_ANSWER).encode(),
            headers=(("x-tollgate-provider", "forged"), ("x-tollgate-budget", "forged")),
        )
    )
    yield listening
    listening.stop()


@pytest.mark.parametrize("client", ["chat", "messages"])
def test_our_own_headers_are_ours_alone(start_gateway, recorder, client):
    """What a client or a provider says in them is neither believed nor passed on."""
    document = Document()
    document.provider("written-down", "openai", f"{recorder.origin}/v1", "sk-provider-x", priced_as="openai")
    document.model("gpt-4o-mini", "written-down")
    document.key("everything")
    gateway = start_gateway(document)
    forged = {
        f"x-tollgate-{name}": "forged"
        for name in ("provider", "model", "attempts", "request-id", "retry", "key", "session", "cost")
    }
    if client == "chat":
        calls = gateway.clients.openai().chat.completions.with_raw_response
        raw = calls.create(model="gpt-4o-mini", messages=QUESTION, extra_headers=forged)
    else:
        calls = gateway.clients.anthropic().messages.with_raw_response
        raw = calls.create(model="gpt-4o-mini", max_tokens=5, messages=QUESTION, extra_headers=forged)
    (request,) = recorder.requests
    assert not [name for name in request.headers if name.startswith("x-tollgate-")]
    assert "forged" not in request.headers.values()
    assert gateway.clients.secret("everything") not in str(request)
    assert "forged" not in raw.headers.values()
    assert raw.headers["x-tollgate-provider"] == "written-down"
    assert raw.headers["x-tollgate-attempts"] == "1"


def paired(standing, **facts) -> Document:
    """A document with a model whose first provider can be anything, and whose second one is well."""
    document = Document(**facts)
    document.provider("spare", "openai", f"{standing.spare.origin}/v1", standing.spare.credential, priced_as="openai")
    document.key("everything")
    return document


def test_who_says_when_to_come_back_is_left_alone_until_then(start_gateway, start_simulator, standing):
    """429 with Retry-After: that model of that provider is not asked before; its other models are, and then it is again."""
    first = start_simulator("first", credential="sk-provider-first", options=("--simulate", "retry_after=4"))
    document = paired(standing)
    document.provider("first", "openai", f"{first.origin}/v1", first.credential, priced_as="openai")
    document.model("pair", ("first", "gpt-4.1"), ("spare", "gpt-4o-mini"))
    document.model("another", ("first", "gpt-5"), ("spare", "gpt-4o-mini"))
    gateway = start_gateway(document)
    set_weather(first, flaky={"429": 100})
    mark = gateway.mark()
    assert ask_chat(gateway.clients, "pair", False)["x-tollgate-attempts"] == "2"
    limited_at = time.monotonic()
    set_weather(first)
    asked = 0
    while time.monotonic() < limited_at + 3:
        headers = ask_chat(gateway.clients, "pair", asked % 2 == 1)
        assert time.monotonic() > limited_at + 3.5 or headers["x-tollgate-provider"] == "spare"
        assert headers["x-tollgate-attempts"] == "1"
        asked += 1
        time.sleep(0.2)
    assert ask_chat(gateway.clients, "another", False)["x-tollgate-provider"] == "first"
    eventually(
        "it is asked again",
        lambda: ask_chat(gateway.clients, "pair", False)["x-tollgate-provider"] == "first",
        pause=0.2,
    )
    assert time.monotonic() - limited_at > 3.5
    seen = gateway.counts() - mark.metrics
    assert seen.by("tollgate_provider_rests_total", "provider", "reason") == {("first", "limited"): 1}
    moves = seen.by("tollgate_failovers_total", "from", "to", "reason")
    assert moves == {("first", "spare", "rate_limited"): 1}


def test_who_keeps_failing_rests_and_comes_back(start_gateway, start_simulator, standing):
    first = start_simulator("first", credential="sk-provider-first")
    document = paired(standing, health={"failures": 3, "rest": "2s", "recovery": "1s"})
    document.provider("first", "openai", f"{first.origin}/v1", first.credential, priced_as="openai")
    document.model("pair", ("first", "gpt-4.1"), ("spare", "gpt-4o-mini"))
    gateway = start_gateway(document)

    def health():
        return gateway.metrics().by("tollgate_provider_health_percent", "provider")

    assert ask_chat(gateway.clients, "pair", False)["x-tollgate-provider"] == "first"
    eventually("the provider is seen to be well", lambda: health().get("first") == 100)
    set_weather(first, outage="503")
    attempts = [ask_chat(gateway.clients, "pair", False)["x-tollgate-attempts"] for _ in range(4)]
    assert attempts == ["2", "2", "2", "1"]
    eventually("it is seen to rest", lambda: health().get("first") == 0)
    assert gateway.counts().by("tollgate_provider_rests_total", "provider", "reason") == {("first", "failed"): 1}
    set_weather(first)
    eventually(
        "it is tried again",
        lambda: ask_chat(gateway.clients, "pair", False)["x-tollgate-provider"] == "first",
        pause=0.1,
    )

    def all_is_well():
        ask_chat(gateway.clients, "pair", False)
        return health().get("first") == 100

    eventually("it has all of its traffic again", all_is_well, pause=0.1)


def test_all_of_them_resting_are_tried_all_the_same(start_gateway, start_simulator, standing):
    first = start_simulator("first", credential="sk-provider-first")
    document = paired(standing, health={"failures": 1, "rest": "1m"})
    document.provider("first", "openai", f"{first.origin}/v1", first.credential, priced_as="openai")
    document.model("alone", ("first", "gpt-4.1"))
    gateway = start_gateway(document)
    set_weather(first, outage="500")
    for _ in range(3):
        with pytest.raises(openai.InternalServerError):
            ask_chat(gateway.clients, "alone", False)
    set_weather(first)
    assert ask_chat(gateway.clients, "alone", False)["x-tollgate-attempts"] == "1"


@STREAM
def test_credentials_take_turns_when_one_is_limited(start_gateway, start_simulator, stream):
    """A provider with several credentials is asked with the next one before anybody else is."""
    shared = start_simulator("shared", credential="sk-provider-one", options=("--credential", "two=sk-provider-two"))
    document = Document()
    document.credentials.update(ONE="sk-provider-one", TWO="sk-provider-two")
    document.provider("shared", "openai", f"{shared.origin}/v1", priced_as="openai")
    document.providers["shared"]["credentials"] = [{"env": "ONE"}, {"env": "TWO"}]
    document.model("gpt-4o-mini", "shared")
    document.key("everything")
    gateway = start_gateway(document)
    gateway.simulators = [shared]
    # Only the credential that the simulator knows as "shared" is refused.
    set_weather(shared, outage="429", only={"credential": "shared"})
    mark = gateway.mark()
    answers = [ask_chat(gateway.clients, "gpt-4o-mini", stream) for _ in range(6)]
    assert {headers["x-tollgate-provider"] for headers in answers} == {"shared"}
    seen = mark.settled(6)
    assert seen.outcomes() == {"ok": 6}
    limited = seen.metrics.total("tollgate_attempts_total", outcome="provider_rate_limited")
    # Once it is limited it rests, for a second or two and more; it is never the only one that is asked.
    assert 1 <= limited <= 3
    assert seen.ledger.attempts == {"shared": limited, "two": 6}
    assert seen.cost() == seen.ledger.settled > 0


def test_what_providers_say_is_left_of_their_limits_is_shown(start_gateway, start_simulator):
    limited = start_simulator("limited", credential="sk-provider-limited", options=("--rpm", "100", "--tpm", "50000"))
    document = Document()
    document.provider("limited", "openai", f"{limited.origin}/v1", limited.credential, priced_as="openai")
    document.model("gpt-4o-mini", "limited")
    document.key("everything")
    gateway = start_gateway(document)
    headers = ask_chat(gateway.clients, "gpt-4o-mini", False)
    assert headers["x-ratelimit-limit-requests"] == "100"

    def shown():
        now = gateway.metrics()
        quota = now.by("tollgate_provider_quota", "provider", "credential", "quota")
        return now.by("tollgate_provider_quota_remaining", "quota") if quota else None

    left = eventually("the quotas are shown", shown)
    quotas = gateway.metrics().by("tollgate_provider_quota", "provider", "credential", "quota")
    assert quotas == {("limited", "0", "requests"): 100, ("limited", "0", "tokens"): 50_000}
    assert left["requests"] == int(headers["x-ratelimit-remaining-requests"])
    assert left["tokens"] == int(headers["x-ratelimit-remaining-tokens"])


def test_a_stream_of_an_anthropic_client_moves_on_before_its_first_token(failing):
    """Steered by the client's own header: an attempt that fails so is the second one too, and the last word is an error."""
    mark = failing.gateway.mark()
    with pytest.raises(anthropic.APIStatusError) as caught:
        sdk = failing.gateway.clients.anthropic(simulate=simulate("error_first"))
        list(sdk.messages.create(model="one-hop", max_tokens=50, messages=QUESTION, stream=True))
    assert caught.value.body["type"] == "error"
    seen = mark.settled(1)
    assert seen.metrics.total("tollgate_attempts_total") == 2
