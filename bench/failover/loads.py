"""The same agents on the same bad day, four times: directly, with the SDK's own retries, and twice through Tollgate.

In: a world of providers. Out: tables, and what is not as promised. Money is compared as it is where nothing fails: what the
providers have told of (`source="reported"`) with their ledgers.
"""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass

import openai
from harness.document import Document
from prove.findings import Findings, dollars
from prove.world import World

from ..report import table
from .agents import Work, work
from .day import Day

AGENTS = 40
AT_MOST = 0.2
# How long it is measured what they ask for when nothing fails.
FAIR_SECONDS = 10
MODEL = "gpt-4o-mini"
DIRECT, RETRIES = "directly", "directly, the SDK's 2 retries"
# By default a provider that fails gets so little of a day with an outage every ten seconds that hardly anything has to move
# on. One that comes back at once is failed by again and again.
GATEWAYS = {
    "through Tollgate": {},
    "through Tollgate, eager": {"health": {"rest": "1s", "rest_at_most": "1s", "recovery": "1s"}},
}

SAID = (
    "A task is five calls, each with the conversation so far: two that call a tool, two streams, one whole answer; it fails with\n"
    "its first call. No client but that of the second line tries anything again. Eager is Tollgate with a provider's rest and\n"
    "recovery of 1 s each, instead of 10 s and 30 s: its primary is asked, and fails, far more often."
)


@dataclass(frozen=True)
class Run:
    """One of them."""

    name: str
    work: Work

    def row(self) -> list[str]:
        """A line of the table."""
        calls, failed = len(self.work.calls), len(self.work.failures)
        why = ", ".join(f"{count} × {failure}" for failure, count in Counter(c.failure for c in self.work.failures).most_common())
        return [
            self.name,
            f"{calls:,}",
            f"{failed:,}",
            f"{100 * failed / max(1, calls):.2f} %",
            f"{self.work.tasks:,}",
            f"{self.work.failed:,}",
            f"{100 * self.work.failed / max(1, self.work.tasks):.1f} %",
            why,
        ]


def document(world: World, settings: dict) -> Document:
    """One model with two backups, the last of another dialect."""
    made = world.standing.providers(Document(**settings))
    made.model("agent", ("openai", MODEL), ("spare", MODEL), ("anthropic", "claude-haiku-4-5"))
    made.key("everything")
    return made


def direct(world: World, seconds: float, retries: int = 0, asked: int | None = None) -> Work:
    """Agents that ask the primary itself, on the bad day or, where it is not known what they ask, on a fair one."""
    primary = world.standing.openai
    clients = [
        openai.AsyncOpenAI(api_key=primary.credential, base_url=f"{primary.origin}/v1", max_retries=retries, timeout=45)
        for _ in range(AGENTS)
    ]
    with Day(primary, world.standing.spare, asked) if asked else contextlib.nullcontext():
        return _run(clients, MODEL, seconds)


def through(world: World, name: str, seconds: float, asked: int, found: Findings) -> tuple[Work, str]:
    """Agents that ask Tollgate; and the text on how it served them."""
    gateway = world.gateway(document(world, GATEWAYS[name]), name.replace(", ", "-").replace(" ", "-"))
    clients = [gateway.clients.openai_async() for _ in range(AGENTS)]
    with Day(world.standing.openai, world.standing.spare, asked):
        mark = gateway.mark()
        done = _run(clients, "agent", seconds)
        seen = mark.settled(len(done.calls))
    return done, _told(name, seen, done, found)


def _run(clients: list[openai.AsyncOpenAI], model: str, seconds: float) -> Work:
    async def all_of_them() -> Work:
        try:
            return await work(clients, model, seconds)
        finally:
            for client in clients:
                await client.close()

    return asyncio.run(all_of_them())


def _told(run: str, seen, done: Work, found: Findings) -> str:
    attempts = seen.metrics.by("tollgate_attempts_total", "provider")
    moves = seen.metrics.by("tollgate_failovers_total", "from", "reason")
    served = seen.metrics.by("tollgate_requests_total", "provider", outcome="ok")
    cost = seen.metrics.by("tollgate_cost_nanodollars_total", "provider")
    rests = seen.metrics.by("tollgate_provider_rests_total", "provider", "reason")
    reported, ledger = seen.cost(source="reported"), seen.ledger.reported
    estimated = seen.cost(source="estimated")
    found.must(reported == ledger > 0, f"metrics {dollars(reported)}, ledgers {dollars(ledger)}")
    found.must(sum(moves.values()) > 0, "nothing ever went on to another provider")
    rows = [
        [name, f"{attempts.get(name, 0):,}", f"{served.get(name, 0):,}", f"{_from(moves, name)}", f"{_from(rests, name)}"]
        + [dollars(cost.get(name, 0))]
        for name in ("openai", "spare", "anthropic")
    ]
    total = sum(attempts.values())
    return "\n\n".join(
        [
            table([run, "attempts", "served", "moves away, by reason", "rests, by reason", "cost"], rows),
            f"{total:,} attempts for {len(done.calls):,} calls. Cost by the metrics {dollars(reported)}, by the ledgers of all "
            f"providers {dollars(ledger)};\nestimated for what was cut short {dollars(estimated)}.",
        ]
    )


def _from(counts: dict, name: str) -> str:
    return ", ".join(f"{count} {reason}" for (of, reason), count in sorted(counts.items()) if of == name and count)


def section(world: World, seconds: float, found: Findings) -> str:
    """All of them, one after the other."""
    fair = direct(world, FAIR_SECONDS)
    found.must(not fair.failures, "calls failed on a fair day")
    asked = int(fair.tokens * 60 / FAIR_SECONDS)
    runs = [Run(DIRECT, direct(world, seconds, asked=asked)), Run(RETRIES, direct(world, seconds, retries=2, asked=asked))]
    tables = []
    for name in GATEWAYS:
        done, told = through(world, name, seconds, asked, found)
        runs.append(Run(name, done))
        tables.append(told)
        rate = 100 * len(done.failures) / max(1, len(done.calls))
        found.must(rate <= AT_MOST, f"{rate:.2f} % of the calls failed {name}")
    header = [f"{AGENTS} agents, {seconds:.0f} s each", "calls", "failed", "", "tasks", "failed", "", "of the calls"]
    return "\n\n".join([table(header, [run.row() for run in runs]), SAID, *tables])
