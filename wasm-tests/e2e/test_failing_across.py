"""Every way in which a provider fails, in every API, and a client that notices nothing.

`test_failing_over.py` tells what holds whoever they are: bounds, rests, turns. Here each speaks an API of its own.
"""

import secrets
from dataclasses import dataclass

import anthropic
import httpx2
import openai
import pytest

from harness.document import Document
from harness.simulator import Simulator
from harness.speakers import SPEAKERS, Broken
from harness.spoken import spoken_to

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
    Case(
        "filtered", "filtered", "content_filter", "content_filtered", failover={"content_filter": True},
        apis=("openai", "anthropic", "gemini"),
    ),
    # Bedrock's guardrails say something in the answer's place: in a stream that is its first token.
    Case("guarded", "filtered", "content_filter", "content_filtered", ("whole",), {"content_filter": True}, ("bedrock",)),
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
    with spoken_to(document, directory, simulators) as spoken:
        yield spoken


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
    if case.reason == "content_filter":
        # A prompt that Google blocks has been read, and Google says how much of it.
        assert seen.cost(source="reported") == seen.cost() == seen.ledger.settled
    else:
        assert served == seen.ledger.settled
        assert given_up == 0 or case.name in ("silent", "mute", "idle", "wrong-at-once", "wrong-within")
    if case.name == "idle":
        assert given_up > 0
    assert said.answer == sum(
        count for kind, count in seen.tokens(outcome="ok").items() if kind in ("output", "reasoning")
    )
    assert seen.ledger.leaked_virtual_keys == 0
    assert not seen.metrics.total("tollgate_internal_errors_total")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A gateway whose models go through several providers that fail, each of another API."""
    directory = tmp_path_factory.mktemp("chain")
    document = Document(health={"failures": 1000})
    simulators = {}

    def provider(name: str, api: str, steering: str) -> tuple[str, str]:
        dialect, path, facts, model = APIS[api]
        if steering not in simulators:
            credential = f"sk-provider-{secrets.token_hex(16)}"
            simulators[steering] = Simulator(name, directory, credential, ("--simulate", steering))
        simulator = simulators[steering]
        document.provider(name, dialect, f"{simulator.origin}{path}", simulator.credential, **facts)
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
    for client in [*SPEAKERS, "told"]:
        third, last = bad(f"third-{client}"), bad(f"last-{client}")
        document.model(f"third-{client}", third[0], third[1], good["gemini"])
        document.model(f"last-{client}", *last, good["bedrock"], failover={"attempts": 5})
    for api in APIS:
        other = good[NEXT[api]]
        document.model(f"wrong-{api}", wrong[api], other).model(f"breaks-{api}", breaks[api], other)
        document.model(f"errs-{api}", errs[api], other)
    document.key("everything")
    with spoken_to(document, directory, simulators) as spoken:
        yield spoken


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
