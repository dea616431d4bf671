"""Dollars and tokens for a period: what happens near a budget's end and at it, and what a changed one remembers."""

import datetime
import time

import openai
import pytest

from harness.gateway import serving
from harness.limits import (
    LENGTH,
    QUESTION,
    becomes,
    chat,
    message,
    refusal,
    retry_after,
    rule,
    under_way,
    until_refused,
)
from harness.process import eventually

DAY = {"per": "day"}
# One answer of gpt-4o in these tests is worth a little over $0.001, one of gpt-4o-mini a little over $0.00006.
NANO = 10**9


@pytest.fixture(scope="module")
def budgeted(shape, standing, tmp_path_factory):
    """A gateway with keys of every sort of budget, each met by one test."""
    document = standing.document(hold_headers=shape == "hold")
    document.models["gpt-4o"]["cheaper"] = "gpt-4o-mini"
    document.models["claude-sonnet-4-5"]["cheaper"] = "claude-haiku-4-5"
    document.models["o3-mini"]["budget"] = {"usd": 0.001, **DAY}
    document.team("frugal", budget={"usd": 0.004, "per": "week"})
    document.providers["spare"]["budget"] = {"tokens": 400, "over": "90m"}
    for name in ("blocked", "patient-sdk", "streams"):
        document.key(name, budget={"usd": 0.005, **DAY})
    document.key("blocked-claude", budget={"usd": 0.003, "per": "month"})
    document.key("rolling", budget={"usd": 0.003, "over": "24h"})
    document.key("tokens", budget={"tokens": 500, "per": "hour"})
    document.key("clamped", budget={"usd": 0.005, **DAY, "then": "clamp"})
    document.key("clamped-silent", budget={"usd": 0.005, **DAY, "then": "clamp"})
    document.key("clamped-stream", budget={"tokens": 300, **DAY, "then": "clamp"})
    document.key("clamped-claude", budget={"usd": 0.002, **DAY, "then": "clamp"})
    document.key("downgraded", budget={"usd": 0.004, **DAY, "warn_at": 0.5, "then": "downgrade"})
    document.key("downgraded-claude", budget={"usd": 0.008, **DAY, "warn_at": 0.5, "then": "downgrade"})
    document.key("warned", budget={"usd": 0.002, **DAY, "then": "warn"})
    document.key("soft-and-hard", budget=[{"usd": 0.002, **DAY, "then": "warn"}, {"usd": 0.005, **DAY}])
    document.key("frugal-a", team="frugal")
    document.key("frugal-b", team="frugal")
    document.key("per-model", per_model={"gpt-4o": {"budget": {"usd": 0.002, **DAY}}})
    document.key("free")
    document.key("leaving", budget={"usd": 1, **DAY})
    with serving(document, tmp_path_factory.mktemp(f"budgeted-{shape}"), standing.simulators) as gateway:
        yield gateway


SPENT = "tollgate_budget_spent_nanodollars"


def worth(gateway, key: str) -> int:
    """What a key's requests cost, as the counters say."""
    return gateway.idle().total("tollgate_cost_nanodollars_total", key=key)


def test_a_spent_budget_refuses_and_is_never_exceeded(budgeted):
    mark = budgeted.mark()
    served, raised = until_refused(chat, budgeted.clients, "blocked", "gpt-4o")
    assert served == 4, "the fifth could cost more than is left"
    assert raised.type == "insufficient_quota" and raised.code == "budget_exceeded"
    assert "'blocked'" in raised.message
    assert rule(raised) == "key.budget.day"
    assert retry_after(raised) <= 86_400
    seen = mark.settled(5)
    assert seen.outcomes() == {"ok": 4, "refused_budget": 1}
    assert seen.cost() == seen.ledger.settled <= 0.005 * NANO
    becomes(budgeted, SPENT, seen.cost(), key="blocked")
    assert seen.metrics.by("tollgate_refusals_total", "key", "rule") == {("blocked", "key.budget.day"): 1}


def test_a_spent_budget_still_has_what_costs_less_than_the_rest(budgeted):
    until_refused(chat, budgeted.clients, "patient-sdk", "gpt-4o")
    assert chat(budgeted.clients, "patient-sdk", "gpt-4o-mini").parse().choices


def test_an_sdk_does_not_wait_for_tomorrow(budgeted):
    """It is told not to try by itself, so one call is one request."""
    until_refused(chat, budgeted.clients, "patient-sdk", "gpt-4o")
    mark = budgeted.mark()
    with pytest.raises(openai.RateLimitError) as raised:
        budgeted.clients.openai("patient-sdk", max_retries=2).chat.completions.create(
            model="gpt-4o", messages=QUESTION, max_tokens=LENGTH
        )
    if retry_after(raised.value) > 60:
        assert mark.settled(1).outcomes() == {"refused_budget": 1}


def test_the_anthropic_sdk_raises_rate_limit_error(budgeted):
    served, raised = until_refused(message, budgeted.clients, "blocked-claude", "claude-sonnet-4-5")
    assert served == 1
    assert raised.body["error"]["type"] == "rate_limit_error"
    assert "'blocked-claude'" in raised.body["error"]["message"]
    assert rule(raised) == "key.budget.month"
    retry_after(raised)


@pytest.mark.parametrize("key, model, provider, expected, served", [
    ("rolling", "gpt-4o", "openai", "key.budget.rolling_24h", 2),
    ("tokens", "gpt-4o-mini", "openai", "key.token_budget.hour", None),
    ("per-model", "gpt-4o", "openai", "key_model.budget.day", 1),
    ("free", "o3-mini", "openai", "model.budget.day", None),
    ("free", "house-model", "spare", "provider.token_budget.rolling_90m", None),
])  # fmt: skip
def test_whose_budget_it_is(budgeted, key, model, provider, expected, served):
    mark = budgeted.mark()
    count, raised = until_refused(chat, budgeted.clients, key, model, provider)
    assert rule(raised) == expected
    assert raised.code == "budget_exceeded"
    assert count == served if served else count >= 1
    seen = mark.settled(count + 1)
    assert seen.metrics.by("tollgate_refusals_total", "rule") == {expected: 1}


def test_keys_of_a_team_share_its_budget(budgeted):
    for number in range(10):
        raised = refusal(chat, budgeted.clients, ("frugal-a", "frugal-b")[number % 2], "gpt-4o")
        if raised:
            break
    assert number == 3 and rule(raised) == "team.budget.week" and "'frugal'" in raised.message
    assert rule(refusal(chat, budgeted.clients, "frugal-b", "gpt-4o")) == "team.budget.week"
    both = worth(budgeted, "frugal-a") + worth(budgeted, "frugal-b")
    assert both <= 0.004 * NANO
    becomes(budgeted, SPENT, both, team="frugal", scope="team")


def test_a_clamped_answer_is_as_long_as_the_rest_buys(budgeted):
    mark = budgeted.mark()
    answer = chat(budgeted.clients, "clamped", "gpt-4o", max_tokens=1000, tokens=1000)
    allowed = int(answer.headers["x-tollgate-clamped"])
    completion = answer.parse()
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == allowed < 1000
    assert allowed > 350, "the rest buys some 490 tokens"
    seen = mark.settled(1)
    assert seen.cost() == seen.ledger.settled <= 0.005 * NANO
    becomes(budgeted, SPENT, seen.cost(), key="clamped")
    assert seen.metrics.by("tollgate_clamps_total", "key", "model", "rule") == {
        ("clamped", "gpt-4o", "key.budget.day"): 1
    }


def test_an_answer_that_asked_for_no_length_is_clamped_too(budgeted):
    client = budgeted.clients.openai("clamped-silent", simulate="tokens=3000")
    answer = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=QUESTION)
    assert answer.parse().choices[0].finish_reason == "length"
    assert answer.parse().usage.completion_tokens == int(answer.headers["x-tollgate-clamped"]) < 500
    assert worth(budgeted, "clamped-silent") <= 0.005 * NANO


def test_an_answer_that_fits_is_not_clamped(budgeted):
    answer = chat(budgeted.clients, "leaving", "gpt-4o")
    assert "x-tollgate-clamped" not in answer.headers


def test_a_clamped_stream_ends_with_its_length_and_then_nothing_is_left(budgeted):
    answer = chat(budgeted.clients, "clamped-stream", max_tokens=1000, tokens=1000, stream=True)
    assert int(answer.headers["x-tollgate-clamped"]) < 300
    chunks = list(answer.parse())
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    used = sum(budgeted.idle().by("tollgate_tokens_total", "type", key="clamped-stream").values())
    assert used <= 300
    becomes(budgeted, "tollgate_budget_spent_tokens", used, key="clamped-stream")
    for _ in range(20):
        if raised := refusal(chat, budgeted.clients, "clamped-stream"):
            break
    assert rule(raised) == "key.token_budget.day"


def test_a_clamped_message_of_anthropic_ends_with_its_length(budgeted):
    answer = message(budgeted.clients, "clamped-claude", "claude-sonnet-4-5", max_tokens=1000, tokens=1000)
    whole = answer.parse()
    assert whole.stop_reason == "max_tokens"
    assert whole.usage.output_tokens == int(answer.headers["x-tollgate-clamped"]) < 200


def test_from_its_share_on_a_budget_buys_the_cheaper_model(budgeted):
    mark = budgeted.mark()
    answers = [chat(budgeted.clients, "downgraded", "gpt-4o") for _ in range(5)]
    served = [answer.parse().model for answer in answers]
    changed = served.index("gpt-4o-mini")
    assert served == ["gpt-4o"] * changed + ["gpt-4o-mini"] * (5 - changed) and 1 <= changed <= 3
    for answer in answers[changed:]:
        assert answer.headers["x-tollgate-model"] == "gpt-4o-mini"
        assert answer.headers["x-tollgate-downgraded"] == "gpt-4o; key.budget.day"
    assert all("x-tollgate-downgraded" not in answer.headers for answer in answers[:changed])
    seen = mark.settled(5)
    assert seen.metrics.by("tollgate_downgrades_total", "key", "model", "served", "rule") == {
        ("downgraded", "gpt-4o", "gpt-4o-mini", "key.budget.day"): 5 - changed
    }
    assert seen.cost() == seen.ledger.settled
    becomes(budgeted, SPENT, seen.cost(), key="downgraded")
    assert seen.ledger.models() == {"gpt-4o": changed, "gpt-4o-mini": 5 - changed}


def test_a_downgraded_message_of_anthropic_names_who_served_it(budgeted):
    answers = [message(budgeted.clients, "downgraded-claude", "claude-sonnet-4-5") for _ in range(6)]
    assert answers[0].parse().model == "claude-sonnet-4-5"
    assert answers[-1].parse().model == "claude-haiku-4-5"
    assert answers[-1].headers["x-tollgate-downgraded"] == "claude-sonnet-4-5; key.budget.day"


def test_a_budget_that_only_warns_refuses_nothing(budgeted):
    answers = [chat(budgeted.clients, "warned", "gpt-4o") for _ in range(5)]
    assert "x-tollgate-warning" not in answers[0].headers
    assert answers[-1].headers["x-tollgate-warning"] == "key.budget.day"
    assert worth(budgeted, "warned") > 0.002 * NANO
    becomes(budgeted, SPENT, worth(budgeted, "warned"), key="warned")


def test_a_soft_budget_warns_before_a_hard_one_refuses(budgeted):
    answers = []
    for _ in range(10):
        if raised := refusal(lambda: answers.append(chat(budgeted.clients, "soft-and-hard", "gpt-4o"))):
            break
    assert len(answers) == 4 and rule(raised) == "key.budget.day"
    assert "x-tollgate-warning" not in answers[0].headers
    assert "key.budget.day" in answers[2].headers["x-tollgate-warning"]
    for then, amount in (("warn", 2_000_000), ("block", 5_000_000)):
        becomes(budgeted, "tollgate_budget_nanodollars", amount, key="soft-and-hard", then=then)
        becomes(budgeted, SPENT, worth(budgeted, "soft-and-hard"), key="soft-and-hard", then=then)


def test_a_stream_is_set_aside_for_while_it_runs_and_paid_for_as_it_ends(budgeted):
    aside = "tollgate_budget_set_aside_nanodollars"

    def held() -> int:
        return budgeted.levels().total(aside, key="streams")

    with under_way(budgeted.clients, "streams", "gpt-4o", max_tokens=300):
        assert 300 * 10_000 <= eventually("it is set aside", held, patience=10) < 0.005 * NANO
        assert rule(refusal(chat, budgeted.clients, "streams", "gpt-4o", max_tokens=300)) == "key.budget.day"
    assert 0 < worth(budgeted, "streams") < 300 * 10_000
    becomes(budgeted, aside, 0, key="streams")
    becomes(budgeted, SPENT, worth(budgeted, "streams"), key="streams")


def test_what_a_client_leaves_is_paid_for_too(budgeted):
    before = worth(budgeted, "leaving")
    with under_way(budgeted.clients, "leaving", "gpt-4o", max_tokens=3000) as stream:
        for _, _ in zip(stream, range(20), strict=False):
            pass
    assert worth(budgeted, "leaving") > before
    becomes(budgeted, SPENT, worth(budgeted, "leaving"), key="leaving")


def test_what_fails_costs_nothing(budgeted):
    chat(budgeted.clients, "leaving", "gpt-4o")
    before = worth(budgeted, "leaving")
    client = budgeted.clients.openai("leaving", simulate="status=500")
    for _ in range(3):
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert worth(budgeted, "leaving") == before
    becomes(budgeted, "tollgate_budget_set_aside_nanodollars", 0, key="leaving")
    becomes(budgeted, SPENT, before, key="leaving")


def test_the_page_tells_what_is_left_and_until_when(budgeted):
    for key, ask, model in (
        ("blocked", chat, "gpt-4o"),
        ("rolling", chat, "gpt-4o"),
        ("frugal-a", chat, "gpt-4o"),
        ("blocked-claude", message, "claude-sonnet-4-5"),
    ):
        refusal(ask, budgeted.clients, key, model)
    becomes(budgeted, "tollgate_budget_nanodollars", 5_000_000, key="blocked", window="day")
    becomes(budgeted, "tollgate_budget_nanodollars", 3_000_000, key="blocked-claude", window="month")
    becomes(budgeted, "tollgate_budget_nanodollars", 3_000_000, key="rolling", window="rolling_24h")
    becomes(budgeted, "tollgate_budget_nanodollars", 4_000_000, team="frugal", window="week")
    becomes(budgeted, "tollgate_set_aside_nanodollars", 0)
    levels = budgeted.levels()
    labels = ("scope", "key", "team", "model", "provider", "window", "then")
    amount = levels.by("tollgate_budget_nanodollars", *labels)
    left = levels.by("tollgate_budget_remaining_nanodollars", *labels)
    used = levels.by("tollgate_budget_spent_nanodollars", *labels)
    assert amount[("key", "blocked", "none", "none", "none", "day", "block")] == 5_000_000
    assert amount[("team", "none", "frugal", "none", "none", "week", "block")] == 4_000_000
    assert amount[("key", "rolling", "none", "none", "none", "rolling_24h", "block")] == 3_000_000
    assert all(left[series] == max(0, amount[series] - used[series]) for series in amount)
    reset = levels.by("tollgate_budget_reset_timestamp_seconds", "key", "window")
    now = datetime.datetime.now(datetime.UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=1)
    assert reset[("blocked", "day")] in (int(midnight.timestamp()), int(midnight.timestamp()) - 86_400)
    assert 0 < reset[("blocked-claude", "month")] - time.time() <= 31 * 86_400


@pytest.fixture(scope="module")
def changing(standing, tmp_path_factory):
    """A gateway whose budgets the tests below change."""
    document = standing.document()
    for name in ("amount", "period", "raise"):
        document.key(name, budget={"usd": 0.002, **DAY})
    with serving(document, tmp_path_factory.mktemp("changing-budgets"), standing.simulators) as gateway:
        yield gateway


def with_budget(gateway, key: str, budget: dict):
    """The document with another budget for that key."""
    changed = gateway.document.copy()
    changed.entry(key)["budget"] = budget
    return changed


def served_again(gateway, key: str) -> bool:
    """Once every worker has the change."""
    return eventually(f"{key} is served", lambda: refusal(chat, gateway.clients, key, "gpt-4o") is None, patience=10)


def test_another_amount_keeps_what_was_spent(changing):
    until_refused(chat, changing.clients, "amount", "gpt-4o")
    before = worth(changing, "amount")
    changing.change(with_budget(changing, "amount", {"usd": 0.02, **DAY}))
    becomes(changing, "tollgate_budget_nanodollars", 20_000_000, key="amount")
    becomes(changing, SPENT, before, key="amount")
    assert served_again(changing, "amount")
    assert worth(changing, "amount") == 2 * before
    becomes(changing, SPENT, 2 * before, key="amount")
    changing.change(with_budget(changing, "amount", {"usd": 0.001, **DAY}))

    def refused() -> bool:
        return refusal(chat, changing.clients, "amount", "gpt-4o") is not None

    assert eventually("it is refused again", refused, patience=10)


def test_another_period_begins_afresh(changing):
    until_refused(chat, changing.clients, "period", "gpt-4o")
    before = worth(changing, "period")
    becomes(changing, SPENT, before, key="period", window="day")
    changing.change(with_budget(changing, "period", {"usd": 0.002, "over": "36h"}))
    assert served_again(changing, "period")
    becomes(changing, SPENT, worth(changing, "period") - before, key="period", window="rolling_36h")
    becomes(changing, SPENT, 0, key="period", window="day")


def test_a_raise_ends_by_itself(changing):
    until_refused(chat, changing.clients, "raise", "gpt-4o")
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=6)
    raised = {"to": 1, "until": until.isoformat(timespec="seconds").replace("+00:00", "Z")}
    changing.change(with_budget(changing, "raise", {"usd": 0.002, **DAY, "raise": raised}))
    assert served_again(changing, "raise")

    def refused():
        return refusal(chat, changing.clients, "raise", "gpt-4o")

    assert rule(eventually("it is refused again", refused, patience=20, pause=0.2)) == "key.budget.day"
    assert time.time() >= until.timestamp() - 1
