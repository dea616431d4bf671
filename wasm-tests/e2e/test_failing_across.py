"""Every way in which a provider fails, in every API, and a client that notices nothing.

`test_failover.py` tells what holds between providers of one API; here they speak different ones.
"""

import secrets
import time
from dataclasses import dataclass
from types import SimpleNamespace

import anthropic
import httpx2
import openai
import pytest

from harness.document import Document
from harness.gateway import Gateway
from harness.process import eventually
from harness.scripted import Scripted, completion, refusal
from harness.simulator import Simulator
from harness.speakers import SPEAKERS, Broken

QUESTION = "Is anybody there?"
# Dialect, where its API begins, what the gateway has to be told of it, its model.
APIS = {
    "openai": ("openai", "/v1", {"priced_as": "openai"}, "gpt-4o"),
    "anthropic": ("anthropic", "", {"priced_as": "anthropic"}, "claude-haiku-4-5"),
    "gemini": ("gemini", "/v1beta", {"priced_as": "google"}, "gemini-2.5-flash"),
    "bedrock": ("bedrock", "", {"priced_as": "aws", "auth": "bearer"}, "amazon.nova-lite-v1:0"),
}
# Whose turn it is when a provider of this API has failed: never one of the same.
NEXT = {"openai": "anthropic", "anthropic": "gemini", "gemini": "bedrock", "bedrock": "openai"}
HOW = {"whole": ["whole"], "stream": ["stream", "events"]}


@dataclass
class Case:
    """How a provider fails, and what becomes of it."""

    name: str
    steering: str
    reason: str
    outcome: str
    # whole, stream or both
    how: tuple[str, ...] = ("whole", "stream")
    failover: dict | None = None
    apis: tuple[str, ...] = tuple(APIS)


CASES = [
    Case("refused", "", "connect", "provider_unreachable"),
    # Where a connection breaks before the head of an answer, Envoy does not tell the module that there was one.
    Case("reset", "", "connect", "provider_unreachable"),
    Case("dropped", "drop", "connect", "provider_unreachable"),
    Case("timed-out", "status=408", "server_error", "provider_error"),
    Case("limited", "status=429,retry_after=30", "rate_limited", "provider_rate_limited"),
    Case("exhausted", "status=402", "exhausted", "provider_exhausted"),
    Case("failed", "status=500", "server_error", "provider_error"),
    Case("unavailable", "status=503", "server_error", "provider_error"),
    Case("overloaded", "status=529", "server_error", "provider_error"),
    Case("forbidden", "status=403", "credential", "provider_credential"),
    Case("silent", "hang", "timeout", "provider_timeout", failover={"first_token_timeout": "1s", "answer_timeout": "2s"}),
    Case("mute", "hang_after=0", "timeout", "provider_timeout", ("stream",), {"first_token_timeout": "1s"}),
    # Gemini's first event has a token in it.
    Case(
        "idle", "hang_after=1", "timeout", "provider_timeout", ("stream",), {"first_token_timeout": "1s"},
        ("openai", "anthropic", "bedrock"),
    ),
    Case("wrong-at-once", "error_first", "error_in_answer", "provider_error", ("stream",)),
    Case("wrong-within", "error_body", "error_in_answer", "provider_error"),
    Case("revoked", "", "credential", "provider_credential"),
    Case("unknown", "status=404", "not_found", "provider_error"),
    Case("too-long", "context=5", "context_window", "context_window_exceeded"),
    # OpenAI refuses such a prompt and Gemini answers that it is blocked. With the others a filter is why an answer ended.
    Case(
        "filtered", "filtered", "content_filter", "content_filtered", failover={"content_filter": True},
        apis=("openai", "gemini"),
    ),
]  # fmt: skip
BY_NAME = {case.name: case for case in CASES}
# Failing so, a provider is left alone: each request has one of its own.
RESTS = {"limited", "exhausted", "forbidden", "revoked"}
ALL = [(case, api, how) for case in CASES for api in case.apis for how in case.how]


def first_provider(case: Case, api: str, how: str) -> str:
    """Its name."""
    name = f"{case.name}-{api}"
    return f"{name}-{how}" if case.name in RESTS else name


@pytest.fixture(scope="module")
def failing(standing, tmp_path_factory):
    """A gateway with a first provider for every case and API. `first-…` goes on to a backup of another API."""
    directory = tmp_path_factory.mktemp("failing")
    # Nobody is left out for having failed the requests of another test.
    document = Document(health={"failures": 1000})
    simulators = {}

    def start(name: str, steering: str) -> Simulator:
        credential = f"sk-provider-{name}-{secrets.token_hex(16)}"
        simulators[name] = Simulator(name, directory, credential, ("--simulate", steering))
        return simulators[name]

    backup = start("backup", "")
    for api, (dialect, path, facts, _) in APIS.items():
        document.provider(f"backup-{api}", dialect, f"{backup.origin}{path}", backup.credential, **facts)
    for case in CASES:
        simulator = start(case.name, case.steering) if case.name != "refused" else None
        for api, (dialect, path, facts, model) in APIS.items():
            origin = simulator.origin if simulator else f"http://127.0.0.1:{standing.dead_ports[0]}"
            credential = simulator.credential if simulator and case.name != "revoked" else "sk-provider-wrong"
            for how in case.how:
                first = first_provider(case, api, how)
                document.provider(first, dialect, f"{origin}{path}", credential, **facts)
                following = NEXT[api]
                targets = [
                    {"provider": first, "model": model, "context": 10_000},
                    {"provider": f"backup-{following}", "model": APIS[following][3], "context": 1_000_000},
                ]
                document.models[f"model-of-{first}"] = {"targets": targets, "failover": case.failover or {}}
    simulators["reset"].weather(outage="reset")
    document.key("everything")
    gateway = Gateway(document, directory, list(simulators.values()))
    try:
        yield SimpleNamespace(
            gateway=gateway.start(),
            simulators=simulators,
            speakers={name: speaker(gateway.clients) for name, speaker in SPEAKERS.items()},
        )
    finally:
        gateway.stop()
        for simulator in simulators.values():
            simulator.stop()
    assert not gateway.troubles


@pytest.mark.parametrize("case, api, how", ALL, ids=[f"{case.name}-{api}-{how}" for case, api, how in ALL])
def test_a_provider_of_another_api_serves_what_the_first_cannot(failing, case, api, how):
    first, second = first_provider(case, api, how), f"backup-{NEXT[api]}"
    model = f"model-of-{first}"
    # Every client comes by: which one asks about what, the case and the API say.
    client = list(SPEAKERS)[(CASES.index(case) + list(APIS).index(api)) % len(SPEAKERS)]
    speaker = failing.speakers[client]
    mark = failing.gateway.mark()
    said = speaker.ask(model, speaker.user(QUESTION), {"whole": "whole", "stream": "events"}[how])
    assert said.text and said.ending == "stop"
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_requests_total", "model", "provider", "outcome") == {(model, second, "ok"): 1}
    assert seen.metrics.by("tollgate_attempts_total", "provider", "outcome") == {
        (first, case.outcome): 1,
        (second, "ok"): 1,
    }
    assert seen.metrics.by("tollgate_failovers_total", "model", "from", "to", "reason") == {
        (model, first, second, case.reason): 1
    }
    # What a provider began to answer and was then given up for it may bill: that is in the cost, and marked.
    served, given_up = seen.cost(provider=second, outcome="ok"), seen.cost(provider=first, outcome=case.outcome)
    assert served > 0 and served + given_up == seen.cost()
    assert seen.ledger.settled in (served, served + given_up)
    assert given_up == 0 or case.name in ("silent", "mute", "idle", "wrong-at-once", "filtered")
    if case.name == "idle":
        assert given_up > 0
    assert said.answer == sum(
        count for kind, count in seen.tokens(outcome="ok").items() if kind in ("output", "reasoning")
    )
    assert seen.ledger.leaked_virtual_keys == 0
    assert not seen.metrics.total("tollgate_internal_errors_total")


@pytest.fixture
def scripted():
    """Starts providers that do what they are told."""
    started: list[Scripted] = []

    def start(answer) -> Scripted:
        started.append(Scripted(answer))
        return started[-1]

    yield start
    for provider in started:
        provider.stop()


def chat(gateway, model: str, **options):
    """One chat completion, with its headers."""
    messages = [{"role": "user", "content": QUESTION}]
    with gateway.clients.openai() as client:
        raw = client.chat.completions.with_raw_response.create(model=model, messages=messages, **options)
        return raw.parse(), raw.headers


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A gateway whose models go through several providers that fail, each of another API."""
    directory = tmp_path_factory.mktemp("chain")
    document = Document(health={"failures": 1000})
    simulators = {}

    def provider(name: str, api: str, steering: str, **more) -> tuple[str, str]:
        dialect, path, facts, model = APIS[api]
        if steering not in simulators:
            credential = f"sk-provider-{secrets.token_hex(16)}"
            simulators[steering] = Simulator(name, directory, credential, ("--simulate", steering))
        simulator = simulators[steering]
        document.provider(name, dialect, f"{simulator.origin}{path}", simulator.credential, **{**facts, **more})
        return name, model

    def bad(whose: str) -> list[tuple[str, str]]:
        """Four that fail, which nobody else asks: half of twenty requests that fail are reason to leave a provider alone."""
        return [
            provider(f"bad-openai-{whose}", "openai", "status=500"),
            provider(f"bad-anthropic-{whose}", "anthropic", "status=529"),
            provider(f"bad-gemini-{whose}", "gemini", "status=503"),
            provider(f"bad-bedrock-{whose}", "bedrock", "drop"),
        ]

    good = {api: provider(f"good-{api}", api, "") for api in APIS}
    wrong = {api: provider(f"wrong-{api}", api, "status=400") for api in APIS}
    breaks = {api: provider(f"breaks-{api}", api, "tokens=60,cut_after=12") for api in APIS}
    errs = {api: provider(f"errs-{api}", api, "tokens=60,error_after=12") for api in APIS}
    hangs = provider("hangs", "openai", "hang")
    for client in [*SPEAKERS, "told"]:
        third, last = bad(f"third-{client}"), bad(f"last-{client}")
        document.model(f"third-{client}", third[0], third[1], good["gemini"])
        document.model(f"last-{client}", *last, good["bedrock"], failover={"attempts": 5})
    bounded = bad("bounded")
    document.model("hopeless", *bounded, good["openai"])
    document.model("twice", *bounded, good["openai"], failover={"attempts": 2})
    document.model("once", bounded[0], good["openai"], failover={"attempts": 1})
    document.model(
        "late", hangs, bounded[1], good["openai"],
        failover={"total": "1s", "first_token_timeout": "2s", "answer_timeout": "2s"},
    )  # fmt: skip
    for api in APIS:
        other = good[NEXT[api]]
        document.model(f"wrong-{api}", wrong[api], other).model(f"breaks-{api}", breaks[api], other)
        document.model(f"errs-{api}", errs[api], other)
    document.key("everything")
    gateway = Gateway(document, directory, list(simulators.values()))
    try:
        yield SimpleNamespace(
            gateway=gateway.start(),
            simulators=simulators,
            speakers={name: speaker(gateway.clients) for name, speaker in SPEAKERS.items()},
        )
    finally:
        gateway.stop()
        for simulator in simulators.values():
            simulator.stop()
    assert not gateway.troubles


@pytest.mark.parametrize("how", ["whole", "stream", "events"])
@pytest.mark.parametrize("client", SPEAKERS)
@pytest.mark.parametrize("model, attempts, served", [("third", 3, "good-gemini"), ("last", 5, "good-bedrock")])
def test_a_tool_is_used_across_all_apis(chain, client, how, model, attempts, served):
    """Nothing of those that failed is in what the next one is asked: it understood the conversation as it is."""
    speaker = chain.speakers[client]
    mark = chain.gateway.mark()
    turns = speaker.user(QUESTION)
    model = f"{model}-{client}"
    said = speaker.ask(model, turns, how, "tools=2", tools=True, system="Be brief.")
    assert [call.name for call in said.calls] == ["weather", "clock"]
    turns = [*turns, *said.back, *speaker.results([(call, "rain") for call in said.calls])]
    meaning = speaker.ask(model, turns, how, "echo", tools=True, system="Be brief.").meaning()
    assert meaning["system"] == ["Be brief."]
    parts = [part for turn in meaning["turns"] for part in turn["parts"]]
    assert [next(iter(part)) for part in parts] == ["text", "call", "call", "result", "result"]
    seen = mark.settled(2)
    assert seen.outcomes() == {"ok": 2}
    assert seen.metrics.by("tollgate_requests_total", "provider") == {served: 2}
    assert seen.metrics.total("tollgate_attempts_total") == 2 * attempts
    assert seen.metrics.total("tollgate_failovers_total") == 2 * (attempts - 1)
    assert seen.cost(outcome="ok") == seen.ledger.settled > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model, attempts", [("hopeless", 3), ("twice", 2), ("once", 1)])
def test_attempts_are_bounded(chain, model, attempts, stream):
    for client, error in (("chat", openai), ("messages", anthropic)):
        speaker = chain.speakers[client]
        mark = chain.gateway.mark()
        with pytest.raises(error.APIStatusError) as caught:
            speaker.ask(model, speaker.user(QUESTION), "events" if stream else "whole")
        assert caught.value.status_code >= 500
        assert caught.value.response.headers["x-tollgate-attempts"] == str(attempts)
        seen = mark.settled(1)
        assert seen.outcomes() == {"provider_error": 1}
        assert seen.metrics.total("tollgate_attempts_total") == attempts
        assert seen.metrics.total("tollgate_failovers_total") == attempts - 1
        assert seen.ledger.settled == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_no_attempt_begins_after_the_total_time(chain, stream):
    speaker = chain.speakers["chat"]
    mark = chain.gateway.mark()
    with pytest.raises(openai.InternalServerError) as caught:
        speaker.ask("late", speaker.user(QUESTION), "events" if stream else "whole")
    assert caught.value.status_code == 504
    seen = mark.settled(1)
    assert seen.outcomes() == {"provider_timeout": 1}
    assert seen.metrics.by("tollgate_attempts_total", "provider", "outcome") == {("hangs", "provider_timeout"): 1}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("client", SPEAKERS)
def test_what_the_client_did_wrong_is_tried_once(chain, client, api, stream):
    speaker = chain.speakers[client]
    mark = chain.gateway.mark()
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)):
        speaker.ask(f"wrong-{api}", speaker.user(QUESTION), "events" if stream else "whole")
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_attempts_total", "provider", "outcome") == {(f"wrong-{api}", "client_error"): 1}
    assert seen.metrics.total("tollgate_failovers_total") == 0


@pytest.mark.parametrize("how", ["stream", "events"])
@pytest.mark.parametrize("kind", ["breaks", "errs"])
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("client", SPEAKERS)
def test_after_the_first_token_nothing_is_tried_again(chain, client, api, kind, how):
    """The client's SDK raises, and what came is billed."""
    speaker = chain.speakers[client]
    mark = chain.gateway.mark()
    with pytest.raises((openai.APIError, anthropic.APIError, httpx2.HTTPError, Broken, RuntimeError)) as caught:
        speaker.ask(f"{kind}-{api}", speaker.user(QUESTION), how)
    # OpenAI's own errors in its own responses are events, by which its SDK does not raise; its helper misses the end.
    assert not isinstance(caught.value, (Broken, RuntimeError)) or (client, api) == ("responses", "openai")
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_attempts_total", "provider") == {f"{kind}-{api}": 1}
    assert seen.metrics.total("tollgate_failovers_total") == 0
    outcome = {"breaks": "interrupted_by_provider", "errs": "provider_error"}[kind]
    assert seen.outcomes() == {outcome: 1}
    assert seen.cost(provider=f"{kind}-{api}") == seen.cost() > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_answers_tell_how_they_came_about(chain, stream):
    """In every API, and nothing a client says about it counts."""
    lies = {"x-tollgate-provider": "mine", "x-tollgate-attempts": "77", "x-tollgate-model": "mine", "x-tollgate-retry": "1"}
    question = [{"role": "user", "content": QUESTION}]
    with chain.gateway.clients.openai() as client:
        options = {"model": "third-told", "stream": stream, "extra_headers": lies}
        chat = client.chat.completions.with_raw_response.create(messages=question, **options)
        response = client.responses.with_raw_response.create(input=QUESTION, **options)
    with chain.gateway.clients.anthropic() as client:
        message = client.messages.with_raw_response.create(messages=question, max_tokens=50, **options)
    for raw in (chat, response, message):
        assert raw.headers["x-tollgate-provider"] == "good-gemini"
        assert raw.headers["x-tollgate-model"] == "third-told"
        assert raw.headers["x-tollgate-attempts"] == "3"
        assert raw.headers["x-tollgate-request-id"]
        assert "x-tollgate-retry" not in raw.headers
    assert len({raw.headers["x-tollgate-request-id"] for raw in (chat, response, message)}) == 3


def test_our_own_headers_are_neither_believed_nor_passed_on(scripted, start_gateway):
    """A client's go to no provider, a provider's to no client."""
    provider = scripted(lambda _: completion(x_tollgate_provider="theirs", x_tollgate_retry="1", x_tollgate_surprise="1"))
    document = Document().provider("own", "openai", f"{provider.origin}/v1", "sk-provider-own", priced_as="openai")
    document.model("gpt-4o-mini", "own").key("everything")
    gateway = start_gateway(document)
    lies = {"x-tollgate-handoff": "x", "x-tollgate-provider": "mine", "X-Tollgate-Whatever": "1"}
    answer, headers = chat(gateway, "gpt-4o-mini", extra_headers=lies)
    assert answer.choices[0].message.content == "A toll was paid."
    assert headers["x-tollgate-provider"] == "own" and headers["x-tollgate-attempts"] == "1"
    assert "x-tollgate-surprise" not in headers and "x-tollgate-retry" not in headers
    (request,) = provider.asked()
    assert not [name for name in request.headers if name.startswith("x-tollgate")]
    assert request.headers["authorization"] == "Bearer sk-provider-own"


@pytest.fixture
def two(scripted, start_gateway):
    """A first provider that does what it is told, and a second that serves; a gateway in front of them."""

    def start(answer, credentials: int = 1, **health):
        first, second = scripted(answer), scripted(lambda _: completion("From the second."))
        document = Document(health=health) if health else Document()
        document.provider("first", "openai", f"{first.origin}/v1", priced_as="openai")
        variables = [f"FIRST_{number}" for number in range(credentials)]
        document.credentials.update({name: f"sk-{name}" for name in variables})
        document.providers["first"]["credentials"] = [{"env": name} for name in variables]
        document.provider("second", "openai", f"{second.origin}/v1", "sk-second", priced_as="openai")
        document.model("gpt-4o-mini", "first", "second").key("everything")
        return start_gateway(document), first, second

    return start


def served_by(gateway) -> str:
    """Who serves a request now, in one attempt or after how many."""
    _, headers = chat(gateway, "gpt-4o-mini")
    return f"{headers['x-tollgate-provider']}/{headers['x-tollgate-attempts']}"


def test_a_provider_that_says_when_is_left_alone_until_then(two):
    limited = refusal(429, retry_after="3")
    gateway, first, _ = two(lambda _: limited)
    began = time.monotonic()
    assert served_by(gateway) == "second/2"
    for _ in range(5):
        assert served_by(gateway) == "second/1"
    assert time.monotonic() - began < 3, "too slow a machine to tell"
    assert len(first.asked()) == 1
    first.answer = lambda _: completion()
    eventually("the first serves again", lambda: served_by(gateway) == "first/1", pause=0.1)
    assert time.monotonic() - began > 2.9
    rests = gateway.counts().by("tollgate_provider_rests_total", "provider", "reason")
    assert set(rests) == {("first", "limited")} and sum(rests.values()) == 1


def test_credentials_take_turns_when_one_is_refused_for_its_limit(two):
    refused = []

    def answer(request):
        credential = request.headers["authorization"]
        if not refused:
            refused.append(credential)
        return refusal(429, retry_after="60") if credential in refused else completion()

    gateway, first, _ = two(answer, credentials=3)
    mark = gateway.mark()
    assert served_by(gateway) == "first/2"
    assert first.asked()[0].headers["authorization"] == refused[0]
    for _ in range(4):
        assert served_by(gateway) == "first/1"
    asked = {request.headers["authorization"] for request in first.asked()}
    assert asked <= {f"Bearer sk-FIRST_{number}" for number in range(3)} - set(refused)
    seen = mark.settled(5)
    assert seen.outcomes() == {"ok": 5}
    assert seen.metrics.by("tollgate_attempts_total", "provider", "outcome") == {
        ("first", "provider_rate_limited"): 1,
        ("first", "ok"): 5,
    }


def test_a_provider_that_keeps_failing_is_taken_out_and_let_back_in(two):
    gateway, first, _ = two(lambda _: refusal(500), failures=3, rest="2s", recovery="2s")
    health = lambda: gateway.metrics().by("tollgate_provider_health_percent", "provider")  # noqa: E731
    assert served_by(gateway) == "second/2"
    assert eventually("health is shown", health) == {"first": 100, "second": 100}
    assert [served_by(gateway) for _ in range(2)] == ["second/2", "second/2"]
    assert [served_by(gateway) for _ in range(3)] == ["second/1"] * 3
    assert len(first.asked()) == 3
    eventually("it is shown to rest", lambda: health()["first"] == 0, patience=20)
    assert gateway.counts().by("tollgate_provider_rests_total", "provider", "reason") == {("first", "failed"): 1}
    first.answer = lambda _: completion()
    eventually("one request tries it", lambda: served_by(gateway) == "first/1", pause=0.1)
    eventually("it gets all of its requests again", lambda: [served_by(gateway) for _ in range(8)] == ["first/1"] * 8)
    eventually("that is shown", lambda: health() == {"first": 100, "second": 100}, patience=20)


def test_what_providers_say_of_their_own_limits_is_shown(two):
    quotas = {
        "x_ratelimit_limit_requests": "500", "x_ratelimit_remaining_requests": "499",
        "x_ratelimit_limit_tokens": "30000", "x_ratelimit_remaining_tokens": "29985",
        "x_ratelimit_reset_requests": "120ms", "x_ratelimit_reset_tokens": "30ms",
    }  # fmt: skip
    gateway, _, _ = two(lambda _: completion(**quotas))
    assert served_by(gateway) == "first/1"
    shown = lambda family: gateway.metrics().by(family, "provider", "credential", "quota")  # noqa: E731
    eventually("the limits are shown", lambda: shown("tollgate_provider_quota"), patience=20)
    assert shown("tollgate_provider_quota") == {("first", "0", "requests"): 500, ("first", "0", "tokens"): 30000}
    assert shown("tollgate_provider_quota_remaining") == {
        ("first", "0", "requests"): 499,
        ("first", "0", "tokens"): 29985,
    }


def test_a_provider_that_dies_and_comes_back(start_simulator, start_gateway):
    """Its connections are gone between two requests; nobody notices, and it is used again by itself."""
    one, other = start_simulator("mortal", credential="sk-mortal-0123456789"), start_simulator("heir", credential="sk-heir-0123456789")
    document = Document(health={"failures": 2, "rest": "1s", "recovery": "1s"})
    document.provider("mortal", "openai", f"{one.origin}/v1", one.credential, priced_as="openai")
    document.provider("heir", "anthropic", other.origin, other.credential, priced_as="anthropic")
    document.model("gpt-4o-mini", "mortal", ("heir", "claude-haiku-4-5")).key("everything")
    gateway = start_gateway(document)
    assert served_by(gateway) == "mortal/1"
    one.kill()
    assert {served_by(gateway).split("/")[0] for _ in range(10)} == {"heir"}
    start_simulator("mortal-again", credential=one.credential, port=one.port)
    eventually("it serves again", lambda: served_by(gateway) == "mortal/1", pause=0.1)
