"""Shadow mode: everything is computed and counted, and nothing is refused."""

import pytest

from harness.gateway import serving
from harness.limits import LENGTH, chat, message, refusal, rule, under_way

SHADOW = {"mode": "shadow"}


@pytest.fixture(scope="module")
def shadowed(shape, standing, tmp_path_factory):
    """A gateway with rules, keys and a team in shadow mode, beside enforced ones."""
    document = standing.document(hold_headers=shape == "hold")
    document.team("watched", limits={"rpm": 3}, **SHADOW)
    document.key("rule", limits={"rpm": {"limit": 2, **SHADOW}})
    document.key("claude-rule", limits={"rpm": {"limit": 2, **SHADOW}})
    document.key("budget", budget={"usd": 0.002, "per": "day", **SHADOW})
    document.key("tokens", budget={"tokens": 400, "over": "1h", **SHADOW})
    document.key("parallel", limits={"parallel": {"limit": 1, **SHADOW}})
    document.key("key", limits={"rpm": 2}, budget={"usd": 0.002, "per": "day"}, **SHADOW)
    document.key("team", team="watched")
    document.key("both", limits={"rpm": {"limit": 2, **SHADOW}}, budget={"tokens": 8 * LENGTH, "per": "day"})
    with serving(document, tmp_path_factory.mktemp(f"shadowed-{shape}"), standing.simulators) as gateway:
        yield gateway


@pytest.mark.parametrize("key, ask, expected, fits", [
    ("rule", chat, "key.rpm", 2),
    ("claude-rule", message, "key.rpm", 2),
    ("budget", chat, "key.budget.day", 1),
    ("tokens", chat, "key.token_budget.rolling_1h", None),
    ("team", chat, "team.rpm", 3),
])  # fmt: skip
def test_what_would_be_refused_is_served_told_and_counted(shadowed, key, ask, expected, fits):
    mark = shadowed.mark()
    model = {"model": "gpt-4o"} if ask is chat else {}
    told = [ask(shadowed.clients, key, **model).headers.get("x-tollgate-would-deny") for _ in range(6)]
    # How many tokens are set aside for a prompt is an estimate, and not the test's to know.
    fits = fits or told.count(None)
    assert 1 <= fits <= 3 and told == [None] * fits + [expected] * (6 - fits)
    seen = mark.settled(6)
    assert seen.outcomes() == {"ok": 6}
    assert seen.metrics.by("tollgate_would_deny_total", "key", "rule") == {(key, expected): 6 - fits}
    assert seen.metrics.total("tollgate_refusals_total") == 0
    assert seen.cost() == seen.ledger.settled


def test_a_stream_tells_it_too(shadowed):
    with under_way(shadowed.clients, "parallel"):
        second = chat(shadowed.clients, "parallel", stream=True)
        assert second.headers["x-tollgate-would-deny"] == "key.parallel"
        list(second.parse())


def test_a_key_in_shadow_mode_has_none_of_its_rules_enforced(shadowed):
    mark = shadowed.mark()
    answers = [chat(shadowed.clients, "key", "gpt-4o") for _ in range(5)]
    told = answers[-1].headers["x-tollgate-would-deny"].split(", ")
    assert set(told) == {"key.rpm", "key.budget.day"}
    counted = mark.settled(5).metrics.by("tollgate_would_deny_total", "rule")
    assert counted["key.rpm"] == 3 and counted["key.budget.day"] >= 1


def test_an_enforced_rule_beside_one_in_shadow_mode_refuses(shadowed):
    raised, told = None, []
    while raised is None and len(told) < 10:
        raised = refusal(lambda: told.append(chat(shadowed.clients, "both").headers.get("x-tollgate-would-deny")))
    assert rule(raised) == "key.token_budget.day"
    assert told[:2] == [None, None] and all(one == "key.rpm" for one in told[2:])


def test_a_whole_document_may_be_in_shadow_mode(shape, standing, start_gateway):
    document = standing.document(hold_headers=shape == "hold", limits={"rpm": 2}, **SHADOW)
    document.models["gpt-4o-mini"]["limits"] = {"rpm": 1}
    document.key("limited", limits={"rpm": 1})
    gateway = start_gateway(document)
    mark = gateway.mark()
    told = [chat(gateway.clients, "limited").headers.get("x-tollgate-would-deny", "").split(", ") for _ in range(3)]
    assert told[0] == [""] and set(told[1]) == {"key.rpm", "model.rpm"}
    assert set(told[2]) == {"key.rpm", "model.rpm", "all.rpm"}
    seen = mark.settled(3)
    assert seen.outcomes() == {"ok": 3}
    assert seen.metrics.by("tollgate_would_deny_total", "rule") == {"key.rpm": 2, "model.rpm": 2, "all.rpm": 1}
