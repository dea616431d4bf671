"""Requests and tokens per minute, requests at once: who is refused, how an SDK learns it, what it may do next."""

import datetime
import re

import openai
import pytest

from harness.gateway import serving
from harness.limits import QUESTION, becomes, chat, message, refusal, retry_after, rule, under_way, until_refused
from harness.process import eventually
from harness.simulator import simulate

# As OpenAI writes a duration: 1s, 6m0s, 250ms, 1.5s.
DURATION = re.compile(r"(\d+h)?(\d+m)?\d+(\.\d+)?s|\d+(\.\d+)?ms")


@pytest.fixture(scope="module")
def limited(shape, standing, tmp_path_factory):
    """A gateway with a rule of each kind at each scope, each met by one test."""
    document = standing.document(hold_headers=shape == "hold")
    document.team("small", limits={"rpm": 4})
    document.team("large", limits={"tpm": 2000, "parallel": 2})
    document.models["gpt-4.1"]["limits"] = {"rpm": 3}
    document.models["gpt-5"]["limits"] = {"parallel": 1}
    document.provider("tight", "openai", f"{standing.revoking.origin}/v1", standing.revoking.credential)
    document.providers["tight"].update(limits={"rpm": 3}, priced_as="openai")
    # The provider of that name in the shared document has the same address; here it is a good one.
    del document.providers["revoking"], document.models["revoked"]
    document.model("tight-model", ("tight", "gpt-4o-mini"))
    document.model("tight-with-backup", ("tight", "gpt-4o-mini"), ("spare", "gpt-4o-mini"))
    for name in ("rpm", "claude-rpm", "refused-free", "headers", "claude-headers", "warned", "mistaken"):
        document.key(name, limits={"rpm": 5})
    document.key("stream-headers", limits={"rpm": 5, "tpm": 3000})
    document.key("unlimited")
    document.key("tpm", limits={"tpm": 3000})
    document.key("one-at-a-time", limits={"rpm": 10, "parallel": 1})
    document.key("one-of-ten", limits={"rpm": 10, "parallel": 1})
    document.key("two-at-a-time", limits={"parallel": 2})
    document.key("small-a", team="small")
    document.key("small-b", team="small")
    document.key("large-a", team="large")
    document.key("large-b", team="large")
    document.key("per-model", per_model={"gpt-4o-mini": {"limits": {"rpm": 2}}, "claude*": {"limits": {"rpm": 1}}})
    document.key("by-alias", per_model={"gpt-4o-latest": {"limits": {"rpm": 2}}})
    document.key("only-warned", limits={"rpm": {"limit": 2, "warn_at": 0.5, "then": "warn"}})
    document.key("raised", limits={"rpm": {"limit": 1, "raise": {"to": 3, "until": "2199-01-01T00:00:00Z"}}})
    document.key("raised-once", limits={"rpm": {"limit": 1, "raise": {"to": 3, "until": "2020-01-01T00:00:00Z"}}})
    with serving(document, tmp_path_factory.mktemp(f"limited-{shape}"), standing.simulators) as gateway:
        yield gateway


def test_the_openai_sdk_raises_rate_limit_error_with_all_a_caller_needs(limited):
    mark = limited.mark()
    for _ in range(5):
        chat(limited.clients, "rpm")
    raised = refusal(chat, limited.clients, "rpm")
    assert raised.status_code == 429
    assert raised.code == "rate_limit_exceeded" and raised.type == "requests"
    assert "'rpm'" in raised.message and "5 requests per minute" in raised.message
    assert raised.request_id
    assert rule(raised) == "key.rpm"
    assert 1 <= retry_after(raised) <= 61
    assert re.search(r"Try again in (\d+ s|1 min( 1 s)?)\.", raised.message)
    seen = mark.settled(6)
    assert seen.outcomes() == {"ok": 5, "refused_rate_limit": 1}
    assert seen.metrics.by("tollgate_refusals_total", "key", "team", "model", "rule") == {
        ("rpm", "none", "gpt-4o-mini" if limited.holds_headers else seen_model(seen), "key.rpm"): 1
    }
    assert seen.ledger.settled_requests == 5
    assert seen.cost() == seen.ledger.settled


def seen_model(seen) -> str:
    """The model of the one refusal; where headers are not held, a key's rule may have refused before it was known."""
    [model] = seen.metrics.by("tollgate_refusals_total", "model")
    assert model in ("gpt-4o-mini", "none")
    return model


def test_the_anthropic_sdk_raises_rate_limit_error_with_all_a_caller_needs(limited):
    mark = limited.mark()
    served, raised = until_refused(message, limited.clients, "claude-rpm")
    assert served == 5
    assert raised.status_code == 429
    assert raised.body["type"] == "error" and raised.body["error"]["type"] == "rate_limit_error"
    assert "'claude-rpm'" in raised.body["error"]["message"]
    assert "5 requests per minute" in raised.body["error"]["message"]
    assert rule(raised) == "key.rpm" and retry_after(raised) <= 61
    seen = mark.settled(6)
    assert seen.outcomes() == {"ok": 5, "refused_rate_limit": 1}
    assert seen.ledger.settled_requests == 5


def test_an_sdk_that_tries_again_by_itself_waits_as_it_is_told(limited):
    """With one at once it is told one second, and is served once the other has ended."""
    client = limited.clients.openai("one-at-a-time", max_retries=5)
    with under_way(limited.clients, "one-at-a-time"):
        assert retry_after(refusal(chat, limited.clients, "one-at-a-time")) == 1
        with pytest.raises(openai.RateLimitError) as raised:
            client.with_options(max_retries=1).chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
        assert rule(raised.value) == "key.parallel"
    assert client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION).choices


def test_refusals_use_nothing_up(limited):
    key = "refused-free"
    for _ in range(5):
        chat(limited.clients, key)
    first = retry_after(refusal(chat, limited.clients, key))
    for _ in range(30):
        raised = refusal(chat, limited.clients, key)
    assert retry_after(raised) <= first
    becomes(limited, "tollgate_limit_remaining", 0, key=key, limit="rpm", scope="key")


def test_whoever_is_refused_for_one_rule_is_not_counted_for_another(limited):
    key = "one-of-ten"
    with under_way(limited.clients, key):
        for _ in range(12):
            assert rule(refusal(chat, limited.clients, key)) == "key.parallel"
    becomes(limited, "tollgate_limit_remaining", 9, key=key, limit="rpm", scope="key")


def test_a_refused_stream_is_refused_before_it_begins(limited):
    with under_way(limited.clients, "two-at-a-time"), under_way(limited.clients, "two-at-a-time"):
        raised = refusal(chat, limited.clients, "two-at-a-time", stream=True)
        assert rule(raised) == "key.parallel" and raised.code == "rate_limit_exceeded"
        assert "at once" in raised.message or "parallel" in raised.message.lower()

    def free_again() -> bool:
        return refusal(chat, limited.clients, "two-at-a-time") is None

    assert eventually("a slot is free again", free_again, patience=5)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_answer_tells_what_is_left_in_openais_form(limited, stream):
    key = "stream-headers" if stream else "headers"
    answer = chat(limited.clients, key, stream=stream)
    assert answer.headers["x-ratelimit-limit-requests"] == "5"
    assert answer.headers["x-ratelimit-remaining-requests"] == "4"
    assert DURATION.fullmatch(answer.headers["x-ratelimit-reset-requests"])
    if stream:
        list(answer.parse())
        assert answer.headers["x-ratelimit-limit-tokens"] == "3000"
        assert 2000 < int(answer.headers["x-ratelimit-remaining-tokens"]) < 3000
        assert DURATION.fullmatch(answer.headers["x-ratelimit-reset-tokens"])
    again = chat(limited.clients, key)
    assert again.headers["x-ratelimit-remaining-requests"] == "3"
    assert len(again.headers.get_list("x-ratelimit-remaining-requests")) == 1, "the provider's own would confuse"


def test_every_answer_tells_what_is_left_in_anthropics_form(limited):
    answer = message(limited.clients, "claude-headers")
    assert answer.headers["anthropic-ratelimit-requests-limit"] == "5"
    assert answer.headers["anthropic-ratelimit-requests-remaining"] == "4"
    reset = datetime.datetime.fromisoformat(answer.headers["anthropic-ratelimit-requests-reset"])
    assert reset.tzinfo is not None
    ahead = reset - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(seconds=-2) < ahead <= datetime.timedelta(seconds=62)


@pytest.mark.parametrize("keys, model, provider, served, expected", [
    (["small-a", "small-b"], "gpt-4o-mini", "openai", 4, "team.rpm"),
    (["large-a", "large-b"], "gpt-4o-mini", "openai", None, "team.tpm"),
    (["per-model"], "gpt-4o-mini", "openai", 2, "key_model.rpm"),
    (["by-alias"], "gpt-4o", "openai", 2, "key_model.rpm"),
    (["unlimited", "loner"], "gpt-4.1", "openai", 3, "model.rpm"),
    (["unlimited", "loner"], "tight-model", "tight", 3, "provider.rpm"),
])  # fmt: skip
def test_whose_limit_it_is(limited, keys, model, provider, served, expected):
    """Keys in turn share what is not their own."""
    mark = limited.mark()
    for number in range(60):
        raised = refusal(chat, limited.clients, keys[number % len(keys)], model, provider)
        if raised:
            break
    assert rule(raised) == expected and retry_after(raised) <= 61
    assert number == served if served else number > len(keys)
    assert raised.type == ("tokens" if expected.endswith("tpm") else "requests")
    if expected.startswith("team"):
        assert "'small'" in raised.message or "'large'" in raised.message
    for key in keys:
        assert rule(refusal(chat, limited.clients, key, model, provider)) == expected
    seen = mark.settled(number + 1 + len(keys))
    assert seen.metrics.by("tollgate_refusals_total", "rule") == {expected: 1 + len(keys)}
    assert seen.ledger.settled_requests == number


def test_a_limit_of_a_key_for_one_model_leaves_the_others_alone(limited):
    assert refusal(message, limited.clients, "per-model") is None
    assert rule(refusal(message, limited.clients, "per-model")) == "key_model.rpm"
    assert refusal(chat, limited.clients, "per-model", "gpt-4o") is None


def test_a_model_of_one_at_once_is_shared_by_all_keys(limited):
    with under_way(limited.clients, "unlimited", "gpt-5"):
        assert rule(refusal(chat, limited.clients, "loner", "gpt-5")) == "model.parallel"


def test_a_provider_at_its_limit_is_passed_over_for_the_next(limited):
    """Where headers are held; elsewhere the host has said where the request goes, and it is refused."""
    mark = limited.mark()
    until_refused(chat, limited.clients, "unlimited", "tight-model", "tight")
    if not limited.holds_headers:
        assert rule(refusal(chat, limited.clients, "unlimited", "tight-with-backup", "tight")) == "provider.rpm"
        return
    spared = limited.ledger()
    for _ in range(3):
        chat(limited.clients, "unlimited", "tight-with-backup", "tight")
    limited.idle()
    assert (limited.ledger() - spared).attempts == {"spare": 3}
    served = (limited.counts() - mark.metrics).by(
        "tollgate_requests_total", "provider", "outcome", model="tight-with-backup"
    )
    assert served == {("spare", "ok"): 3}


def test_tokens_are_set_aside_for_the_longest_answer_and_given_back(limited):
    """Six of up to 2,500 tokens that use few, one after the other, are served; a second beside one that runs is not."""
    for _ in range(6):
        chat(limited.clients, "tpm", max_tokens=2500, tokens=20)
    with under_way(limited.clients, "tpm", max_tokens=2000):
        raised = refusal(chat, limited.clients, "tpm", max_tokens=2000)
        assert rule(raised) == "key.tpm"
        assert raised.type == "tokens" and raised.code == "rate_limit_exceeded"
        assert "3000 tokens per minute" in raised.message.replace(",", "")
    limited.idle()

    def given_back() -> bool:
        levels = limited.levels()
        return not levels.total("tollgate_set_aside_tokens") and not levels.total("tollgate_set_aside_nanodollars")

    assert eventually("nothing is set aside any more", given_back, patience=10)


def test_near_a_limit_an_answer_says_so(limited):
    mark = limited.mark()
    warnings = [chat(limited.clients, "warned").headers.get("x-tollgate-warning") for _ in range(5)]
    assert warnings[:3] == [None] * 3 and warnings[4] == "key.rpm"
    seen = mark.settled(5)
    counted = seen.metrics.by("tollgate_near_limit_total", "key", "rule")
    assert counted == {("warned", "key.rpm"): len([warning for warning in warnings if warning])}


def test_a_limit_that_only_warns_refuses_nothing(limited):
    mark = limited.mark()
    warnings = [chat(limited.clients, "only-warned").headers.get("x-tollgate-warning") for _ in range(6)]
    assert warnings[0] is None or warnings[0] == "key.rpm"
    assert warnings[2:] == ["key.rpm"] * 4
    assert mark.settled(6).metrics.total("tollgate_refusals_total") == 0


@pytest.mark.parametrize("key, most", [("raised", 3), ("raised-once", 1)])
def test_a_raise_holds_until_it_ends(limited, key, most):
    served, raised = until_refused(chat, limited.clients, key)
    assert served == most
    assert f"{most} requests per minute" in raised.message or f"{most} request per minute" in raised.message
    becomes(limited, "tollgate_limit", most, key=key, limit="rpm", scope="key")


def test_what_is_limited_and_left_is_on_the_page(limited):
    for key, model, provider in (("tpm", "gpt-4o", "openai"), ("large-a", "gpt-4.1", "openai")):
        refusal(chat, limited.clients, key, model, provider)
    refusal(chat, limited.clients, "unlimited", "tight-model", "tight")
    becomes(limited, "tollgate_limit", 3000, scope="key", key="tpm", limit="tpm")
    becomes(limited, "tollgate_limit", 2, scope="team", team="large", limit="parallel")
    becomes(limited, "tollgate_limit", 3, scope="model", model="gpt-4.1", limit="rpm")
    becomes(limited, "tollgate_limit", 3, scope="provider", limit="rpm")
    levels = limited.levels()
    labels = ("scope", "key", "team", "model", "provider", "limit")
    limits = levels.by("tollgate_limit", *labels)
    assert limits[("key", "tpm", "none", "none", "none", "tpm")] == 3000
    assert limits[("team", "none", "large", "none", "none", "parallel")] == 2
    assert limits[("model", "none", "none", "gpt-4.1", "none", "rpm")] == 3
    assert limits[("provider", "none", "none", "none", "tight", "rpm")] == 3
    left = levels.by("tollgate_limit_remaining", *labels)
    assert left.keys() == limits.keys()
    assert all(0 <= left[series] <= limits[series] for series in limits)


def test_other_refusals_and_lists_are_not_counted(limited):
    """A request that is wrong, or that no provider is asked for, uses nothing up."""
    chat(limited.clients, "mistaken")
    with limited.clients.http("mistaken") as http:
        for _ in range(9):
            assert http.post("/v1/chat/completions", json={"model": "gpt-99", "messages": []}).status_code == 404
    becomes(limited, "tollgate_limit_remaining", 4, key="mistaken", limit="rpm", scope="key")


def test_a_limit_of_everything_together(shape, standing, start_gateway):
    document = standing.document(hold_headers=shape == "hold", limits={"rpm": 4})
    gateway = start_gateway(document)
    for key in ("everything", "loner", "timed", "expiring"):
        chat(gateway.clients, key)
    for key in ("everything", "loner"):
        raised = refusal(chat, gateway.clients, key)
        assert rule(raised) == "all.rpm"
        for name in ("everything", "loner", "timed"):
            assert f"'{name}'" not in raised.message
    assert rule(refusal(message, gateway.clients, "timed")) == "all.rpm"


def test_a_stream_that_ends_in_an_error_gives_its_slot_back(limited):
    for steering in ("cut_after=3", "error_after=3", "status=500", "drop"):
        for _ in range(3):
            with limited.clients.http("two-at-a-time", simulate=f"{simulate(tokens=20)},{steering}") as http:
                try:
                    http.post("/v1/chat/completions", json={"model": "gpt-4o", "messages": QUESTION, "stream": True})
                except Exception as problem:
                    assert not isinstance(problem, AssertionError)
    limited.idle()
    becomes(limited, "tollgate_limit_remaining", 2, key="two-at-a-time", limit="parallel", scope="key")
