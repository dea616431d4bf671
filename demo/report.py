"""Who spent what. In: Envoy's /stats/prometheus and the provider's /ledger. Out: a table, and two sums that must agree."""

import json
import urllib.error
import urllib.request
from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

CACHED = {"cached_input"}
OUTPUT = {"output", "reasoning", "output_audio"}
COLUMNS = ["key", "team", "requests", "refused", "input", "cached", "output", "dollars"]


def fetch(url: str) -> str:
    """The answer's text; empty while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
    except (OSError, urllib.error.URLError):
        return ""


def dollars(nanodollars: int) -> str:
    """Exactly."""
    return f"${nanodollars // 10**9}.{nanodollars % 10**9:09d}"


class Metrics:
    """Tollgate's samples of one scrape."""

    def __init__(self, admin: str):
        text = fetch(f"http://{admin}/stats/prometheus?filter=wasmcustom")
        self.samples = [
            (sample.name, sample.labels, int(sample.value))
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith("tollgate_") and sample.value == int(sample.value)
        ]

    def of(self, name: str):
        """Labels and value of each sample of that name."""
        return [(labels, value) for have, labels, value in self.samples if have == name]

    def total(self, name: str) -> int:
        """Their sum."""
        return sum(value for _, value in self.of(name))


class Ledger:
    """What the simulated provider would bill."""

    def __init__(self, provider: str):
        report = json.loads(fetch(f"http://{provider}/ledger"))
        totals = report["totals"]
        self.in_flight = report["in_flight"]
        self.nanodollars = totals["settled"]["nanodollars"] + totals["interrupted"]["reported"]["nanodollars"]


def rows(metrics: Metrics) -> list[dict]:
    """One row for each key, the dearest first."""
    by_key: dict[tuple, dict] = defaultdict(lambda: defaultdict(int))

    def row(labels: dict) -> dict:
        return by_key[labels["key"], labels["team"]]

    for labels, value in metrics.of("tollgate_requests_total"):
        refused = labels["outcome"].startswith("refused_")
        row(labels)["requests"] += value
        row(labels)["refused"] += value if refused else 0
    for labels, value in metrics.of("tollgate_tokens_total"):
        kind = labels["type"]
        row(labels)["cached" if kind in CACHED else "output" if kind in OUTPUT else "input"] += value
    for labels, value in metrics.of("tollgate_cost_nanodollars_total"):
        row(labels)["nanodollars"] += value
    found = [{"key": key, "team": team, **numbers} for (key, team), numbers in by_key.items()]
    return sorted(found, key=lambda row: (-row.get("nanodollars", 0), row["key"]))


def table(metrics: Metrics) -> str:
    """The rows and their sum, for a terminal."""
    found = rows(metrics)
    numbers = ["requests", "refused", "input", "cached", "output", "nanodollars"]
    found.append({"key": "all", "team": "", **{name: sum(row.get(name, 0) for row in found) for name in numbers}})
    lines = [COLUMNS]
    for row in found:
        counts = [f"{row.get(name, 0):,}" for name in numbers[:-1]]
        lines.append([row["key"], row["team"], *counts, dollars(row.get("nanodollars", 0))])
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = []
    for line in lines:
        cells = [cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(line, widths))]
        text.append("  ".join(cells).rstrip())
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([text[0], rule, *text[1:-1], rule, text[-1]])


def failovers(metrics: Metrics) -> str:
    """How often a second provider had to answer."""
    attempts = metrics.of("tollgate_attempts_total")
    count = sum(value for labels, value in attempts if labels["provider"] == "openai-backup" and labels["outcome"] == "ok")
    requests = "1 request was" if count == 1 else f"{count} requests were"
    return f"{requests} answered by the second provider, after a 503 of the first."


def alarms(metrics: Metrics) -> list[str]:
    """What should be zero and is not."""
    names = ["tollgate_unpriced_requests_total", "tollgate_unmetered_requests_total", "tollgate_internal_errors_total"]
    return [f"{name} is {count}" for name in names if (count := metrics.total(name))]
