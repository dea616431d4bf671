"""The page itself: readable by the strictest reader, labelled by the document alone."""

import re
import subprocess

import pytest

from harness.exposition import Metrics
from harness.simulator import simulate

QUESTION = [{"role": "user", "content": "What is on the page?"}]
RULE = {"scope", "key", "team", "model", "provider", "limit"}
BUDGET = {"scope", "key", "team", "model", "provider", "window", "then"}
CATALOGUE = {
    "tollgate_requests_total": ("counter", {"key", "team", "model", "provider", "endpoint", "outcome"}),
    "tollgate_tokens_total": ("counter", {"key", "team", "model", "provider", "type", "source", "outcome"}),
    "tollgate_cost_nanodollars_total": ("counter", {"key", "team", "model", "provider", "source", "outcome"}),
    "tollgate_unpriced_requests_total": ("counter", {"key", "team", "model", "provider"}),
    "tollgate_unmetered_requests_total": ("counter", {"key", "team", "model", "provider"}),
    "tollgate_requests_in_flight": ("gauge", {"key", "team"}),
    "tollgate_limit": ("gauge", RULE),
    "tollgate_limit_remaining": ("gauge", RULE),
    "tollgate_budget_nanodollars": ("gauge", BUDGET),
    "tollgate_budget_spent_nanodollars": ("gauge", BUDGET),
    "tollgate_budget_remaining_nanodollars": ("gauge", BUDGET),
    "tollgate_budget_set_aside_nanodollars": ("gauge", BUDGET),
    "tollgate_budget_tokens": ("gauge", BUDGET),
    "tollgate_budget_spent_tokens": ("gauge", BUDGET),
    "tollgate_budget_remaining_tokens": ("gauge", BUDGET),
    "tollgate_budget_set_aside_tokens": ("gauge", BUDGET),
    "tollgate_budget_reset_timestamp_seconds": ("gauge", BUDGET),
    "tollgate_refusals_total": ("counter", {"key", "team", "model", "rule"}),
    "tollgate_would_deny_total": ("counter", {"key", "team", "model", "rule"}),
    "tollgate_near_limit_total": ("counter", {"key", "team", "model", "rule"}),
    "tollgate_downgrades_total": ("counter", {"key", "team", "model", "served", "rule"}),
    "tollgate_clamps_total": ("counter", {"key", "team", "model", "rule"}),
    "tollgate_loop_guard_total": ("counter", {"key", "team", "step", "sign"}),
    "tollgate_set_aside_nanodollars": ("gauge", set()),
    "tollgate_set_aside_tokens": ("gauge", set()),
    "tollgate_gauges_omitted": ("gauge", set()),
    "tollgate_attempts_total": ("counter", {"model", "provider", "outcome"}),
    "tollgate_failovers_total": ("counter", {"model", "from", "to", "reason"}),
    "tollgate_provider_health_percent": ("gauge", {"provider", "credential"}),
    "tollgate_provider_rests_total": ("counter", {"provider", "reason"}),
    "tollgate_provider_quota": ("gauge", {"provider", "credential", "quota"}),
    "tollgate_provider_quota_remaining": ("gauge", {"provider", "credential", "quota"}),
    "tollgate_dropped_members_total": ("counter", {"model", "provider", "member"}),
    "tollgate_request_duration_milliseconds": ("histogram", {"key", "team", "model", "provider"}),
    "tollgate_time_to_first_token_milliseconds": ("histogram", {"key", "team", "model", "provider"}),
    "tollgate_time_per_output_token_microseconds": ("histogram", {"model", "provider"}),
    "tollgate_added_microseconds": ("histogram", set()),
    "tollgate_build_info": ("gauge", {"version"}),
    "tollgate_config_info": ("gauge", {"hash"}),
    "tollgate_config_loads_total": ("counter", {"result"}),
    "tollgate_series": ("gauge", set()),
    "tollgate_series_overflow_total": ("counter", set()),
    "tollgate_internal_errors_total": ("counter", {"kind"}),
}
TYPES = {
    "input", "cached_input", "cache_write_5m", "cache_write_1h", "input_audio", "output", "reasoning", "output_audio",
}  # fmt: skip


@pytest.fixture(scope="module")
def page(gateway) -> str:
    """The whole exposition after requests of every sort."""
    clients = gateway.clients
    clients.openai().chat.completions.create(model="gpt-4o", messages=QUESTION)
    list(
        clients.openai(simulate=simulate(tokens=20, rate=200)).chat.completions.create(
            model="gpt-4o", messages=QUESTION, stream=True
        )
    )
    clients.anthropic().messages.create(model="claude-haiku-4-5", max_tokens=9, messages=QUESTION)
    with clients.http() as http:
        for model in ("no\nline", 'quo"te', "semi;.;team=.=x", "ünï", "x" * 5000, "back\\slash", "gpt-4o\u0000"):
            assert http.post("/v1/chat/completions", json={"model": model, "messages": []}).status_code == 404
    gateway.idle()
    gateway.observed("tollgate_time_per_output_token_microseconds_count", model="gpt-4o")
    return gateway.ask_admin("/stats/prometheus")


def test_the_page_is_read_by_the_strict_parser(page):
    metrics = Metrics.parse(page)
    assert metrics.total("tollgate_requests_total", outcome="ok") >= 3


def test_the_page_is_read_by_promtool(gateway, page, promtool):
    """Prometheus' own reader; the checker's remarks on names of Envoy's own metrics are none of ours."""
    if promtool is None:
        # Without Prometheus installed the same text still went through the client library's parser above.
        return
    ours = gateway.exposition()
    for text in (page, ours):
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
        )
        assert "error while linting" not in checked.stderr.lower(), checked.stderr
        assert checked.returncode in (0, 3), checked.stderr
    remarks = [
        line for line in checked.stderr.splitlines() if line.startswith("tollgate_") and "no help text" not in line
    ]
    # Milliseconds, microseconds and nanodollars are what integers can hold; recording rules make base units of them.
    assert not [line for line in remarks if "base unit" not in line and "abbreviated" not in line], remarks


def test_every_metric_is_in_the_catalogue_with_its_labels(page):
    metrics = Metrics.parse(page)
    for (sample, labels), _ in metrics.samples.items():
        if "tollgate" not in sample:
            continue
        family = sample if sample in CATALOGUE else re.sub("_(bucket|sum|count)$", "", sample)
        assert family in CATALOGUE, sample
        kind, names = CATALOGUE[family]
        assert metrics.kinds[family] == kind, family
        assert {name for name, _ in labels} - {"le"} == names, sample


def test_labels_come_from_the_document_alone(gateway, page):
    metrics = Metrics.parse(page)
    document = gateway.document
    assert metrics.values("key") <= {key["name"] for key in document.keys} | {"unknown"}
    assert metrics.values("team") <= set(document.teams) | {"none"}
    assert metrics.values("model") <= set(document.models) | {"none"}
    assert metrics.values("provider") <= set(document.providers) | {"none"}
    assert metrics.values("type") <= TYPES
    assert metrics.values("source") <= {"reported", "estimated"}


def test_the_build_and_the_configuration_are_told(gateway, page):
    metrics = Metrics.parse(page)
    [(labels, value)] = metrics.of("tollgate_build_info")
    assert value == 1 and re.fullmatch(r"\d+\.\d+\.\d+.*", labels["version"])
    assert metrics.total("tollgate_config_info", hash=gateway.document.digest()) == 1
    assert metrics.total("tollgate_config_loads_total") >= 1
    assert metrics.total("tollgate_series") >= 10
    assert metrics.total("tollgate_series_overflow_total") == 0
    assert metrics.total("tollgate_internal_errors_total") == 0


@pytest.mark.parametrize("family", [name for name, (kind, _) in CATALOGUE.items() if kind == "histogram"])
def test_every_histogram_has_observations_and_rising_buckets(page, family):
    metrics = Metrics.parse(page)
    counts = metrics.by(f"{family}_count", *sorted(CATALOGUE[family][1]) or ["le"])
    assert sum(counts.values()) > 0
    for labels, _ in metrics.of(f"{family}_count"):
        buckets = sorted((float(have["le"]), value) for have, value in metrics.of(f"{family}_bucket", **labels))
        assert buckets[-1][0] == float("inf")
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)


def test_durations_are_resolved_from_five_milliseconds_to_ten_minutes(page):
    metrics = Metrics.parse(page)
    bounds = {float(labels["le"]) for labels, _ in metrics.of("tollgate_request_duration_milliseconds_bucket")}
    assert min(bounds) <= 5 and {600_000.0} <= bounds
    first = {float(labels["le"]) for labels, _ in metrics.of("tollgate_time_to_first_token_milliseconds_bucket")}
    assert len([bound for bound in first if 50 <= bound <= 2000]) >= 10


def test_series_over_the_limit_are_counted_together(start_gateway, standing, shape):
    document = standing.document(hold_headers=shape == "hold", max_series=100)
    for number in range(60):
        document.key(f"crowd-{number}", team="research")
    gateway = start_gateway(document)
    mark = gateway.mark()
    for number in range(60):
        gateway.clients.openai(f"crowd-{number}").chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
    seen = mark.settled(60)
    assert seen.cost() == seen.ledger.settled, "sums stay true"
    assert gateway.metrics().total("tollgate_series_overflow_total") > 0
    assert seen.metrics.total("tollgate_requests_total", key="other") > 0
