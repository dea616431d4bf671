"""What a key may still use, as its holder and an operator are told; and the gauges, kept true while nobody asks."""

import json

import pytest

from harness.document import mint
from harness.gateway import serving
from harness.limits import becomes, chat, refusal, rule, under_way
from harness.process import eventually

ME, KEYS = "/tollgate/v1/me", "/tollgate/v1/keys"


@pytest.fixture(scope="module")
def told(shape, standing, tmp_path_factory):
    """A gateway with a few limited keys and an operator."""
    document = standing.document(hold_headers=shape == "hold", limits={"rpm": 100_000})
    document.team("crowd", limits={"rpm": 5000}, budget={"usd": 77, "per": "month"})
    document.models["gpt-4.1"]["limits"] = {"rpm": 4321}
    document.providers["spare"]["limits"] = {"parallel": 321}
    document.key(
        "curious",
        team="crowd",
        limits={"rpm": 50, "tpm": 60_000, "parallel": 3},
        budget=[{"usd": 2, "per": "day"}, {"tokens": 70_000, "over": "12h"}],
        per_model={"gpt-4o*": {"limits": {"rpm": 41}}},
    )
    document.key("brief", budget={"tokens": 5000, "over": "60s"}, limits={"rpm": 9, "tpm": 4000})
    for number in range(7):
        document.key(f"crowd-{number}", team="crowd")
    document.operator("operator")
    with serving(document, tmp_path_factory.mktemp(f"told-{shape}"), standing.simulators) as gateway:
        # What the last test waits for has a minute to go by.
        chat(gateway.clients, "brief")
        yield gateway


def ask(gateway, key: str | None, path: str, **options):
    """An answer of Tollgate's own."""
    with gateway.clients.http(key) as http:
        return http.get(path, **options)


def numbers(value) -> set:
    """Every number anywhere in an answer."""
    if isinstance(value, dict):
        return set().union(*map(numbers, value.values()))
    if isinstance(value, list):
        return set().union(*map(numbers, value))
    return {value} if isinstance(value, int | float) and not isinstance(value, bool) else set()


def test_a_key_is_told_its_limits_and_what_it_used(told):
    chat(told.clients, "curious", "gpt-4o")
    told.idle()
    answer = ask(told, "curious", ME)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    said = answer.json()
    assert {50, 60_000, 3, 2, 70_000} <= numbers(said), "its limits and budgets"
    assert 41 in numbers(said), "its limit for one model"
    assert "curious" in answer.text and "reset" in answer.text
    for other in ("brief", "loner", "everything", "crowd-1", "operator"):
        assert json.dumps(other) not in answer.text, "others are none of its business"
    for secret in [*told.document.secrets.values(), *told.document.credentials.values()]:
        assert secret not in answer.text


def test_asking_is_free(told):
    spared = told.ledger()
    answers = [ask(told, "curious", ME).json() for _ in range(5)]
    used = [[rule["used"] for rule in answer["rules"] if rule["rule"] == "key.rpm"] for answer in answers]
    assert used[-1] <= used[0]
    assert (told.ledger() - spared).requests == 0


def test_a_key_without_limits_is_told_so(told):
    assert ask(told, "loner", ME).status_code == 200


@pytest.mark.parametrize("key, status", [(None, 401), ("tg-" + "x" * 43, 401), ("shut-off", 401), ("run-out", 401)])
def test_who_is_not_let_in_is_told_nothing(told, key, status):
    answer = ask(told, key, ME)
    assert answer.status_code == status and "error" in answer.json()
    assert ask(told, key, KEYS).status_code == status


def test_a_key_is_not_told_of_the_others(told):
    answer = ask(told, "curious", KEYS)
    assert answer.status_code == 403 and "crowd" not in answer.text


def test_an_operator_is_told_of_all(told):
    answer = ask(told, "operator", KEYS)
    assert answer.status_code == 200
    for key in told.document.keys:
        assert json.dumps(key["name"]) in answer.text
    assert {5000, 77, 4321, 321, 100_000} <= numbers(answer.json()), "teams, models, providers, everything"
    for secret in [*told.document.secrets.values(), *told.document.credentials.values()]:
        assert secret not in answer.text


def test_an_operator_may_ask_for_one_key(told):
    answer = ask(told, "operator", KEYS, params={"key": "curious"})
    assert answer.status_code == 200 and json.dumps("curious") in answer.text
    assert json.dumps("loner") not in answer.text
    assert ask(told, "operator", KEYS, params={"key": "nobody"}).status_code == 404


def test_an_operator_may_ask_page_by_page(told):
    names = [key["name"] for key in told.document.keys]
    seen: list[str] = []
    after: dict = {}
    for _ in range(len(names)):
        answer = ask(told, "operator", KEYS, params={"most": 3, **after})
        assert answer.status_code == 200, answer.text
        page = [key["key"] for key in answer.json()["keys"]]
        if not page:
            break
        assert len(page) <= 3
        seen += page
        after = {"after": page[-1]}
    assert sorted(seen) == sorted(names)


def test_an_operator_has_no_models(told):
    with told.clients.http("operator") as http:
        answer = http.post("/v1/chat/completions", json={"model": "gpt-4o", "messages": []})
    assert answer.status_code in (401, 403)


def test_what_is_not_there_is_not_found(told):
    assert ask(told, "operator", "/tollgate/v1/nothing").status_code == 404
    assert ask(told, "curious", "/tollgate/v1/nothing").status_code == 404
    with told.clients.http("curious") as http:
        assert http.post(ME, json={}).status_code == 405


def test_the_gauges_follow_what_is_under_way(told):
    free = {"metric": "tollgate_limit_remaining", "key": "curious", "limit": "parallel", "scope": "key"}
    chat(told.clients, "curious")
    becomes(told, value=3, **free)
    with under_way(told.clients, "curious"), under_way(told.clients, "curious"):
        becomes(told, value=1, **free)
        assert told.levels().total("tollgate_set_aside_nanodollars") > 0
    becomes(told, value=3, **free)
    becomes(told, "tollgate_set_aside_nanodollars", 0)


def test_a_removed_keys_gauges_read_nothing(standing, start_gateway):
    document = standing.document()
    document.key("leaving", limits={"rpm": 2}, budget={"usd": 1, "per": "day"})
    gateway = start_gateway(document)
    chat(gateway.clients, "leaving")
    cost = gateway.idle().total("tollgate_cost_nanodollars_total", key="leaving")
    becomes(gateway, "tollgate_budget_spent_nanodollars", cost, key="leaving")
    gateway.change(gateway.document.copy().without_key("leaving"))

    def gone() -> bool:
        samples = gateway.levels().samples
        return not any(value for (_, labels), value in samples.items() if ("key", "leaving") in labels)

    assert eventually("nothing is told of it any more", gone, patience=15, pause=0.2)
    assert gateway.counts().total("tollgate_requests_total", key="leaving") == 1, "its counters stay"


def test_a_key_that_comes_back_has_used_what_it_used(standing, start_gateway):
    document = standing.document()
    document.key("wandering", limits={"rpm": 2})
    gateway = start_gateway(document)
    for _ in range(2):
        chat(gateway.clients, "wandering")
    whole = gateway.document
    gateway.change(whole.copy().without_key("wandering"))
    gateway.change(whole.copy())

    def known() -> bool:
        return ask(gateway, "wandering", ME).status_code == 200

    assert eventually("it is known again", known, patience=10)
    assert rule(refusal(chat, gateway.clients, "wandering")) == "key.rpm"


def test_gauges_leave_the_counters_their_series(standing, start_gateway):
    """Of keys with many rules each there are more gauges than series; what each key spent is counted as its own still."""
    document = standing.document(max_series=400)
    rules = {
        "limits": {"rpm": 100, "tpm": 10**6, "parallel": 9},
        "budget": [{"usd": 9, "per": "day"}, {"tokens": 10**6, "over": "24h"}],
    }
    for number in range(30):
        document.key(f"many-{number}", **rules)
    gateway = start_gateway(document)
    for number in range(30):
        chat(gateway.clients, f"many-{number}")
        if number == 25:
            # The gauges of those so far are shown before the last ones come.
            eventually("a gauge", lambda: gateway.levels().of("tollgate_limit", key="many-0"), patience=10)
    costs = gateway.idle().by("tollgate_cost_nanodollars_total", "key")
    assert costs.keys() == {f"many-{number}" for number in range(30)}


def test_after_a_minute_of_silence_nothing_is_used(told):
    """Of limits and budgets of a minute; nobody asks in between but the scraper."""
    if not told.holds_headers:
        # A minute is the same one in both shapes, and long.
        return
    assert ask(told, mint(), ME).status_code == 401

    def all_of_it() -> bool:
        levels = told.levels()
        left = levels.by("tollgate_limit_remaining", "limit", key="brief", scope="key")
        spent = levels.by("tollgate_budget_spent_tokens", "window", key="brief", scope="key")
        return left == {"rpm": 9, "tpm": 4000} and set(spent.values()) == {0}

    assert eventually("all of it is there again", all_of_it, patience=100, pause=1)
