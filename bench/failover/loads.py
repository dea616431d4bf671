"""The same agents on the same bad day, three times: directly, directly with the SDK's own retries, through Tollgate.

In: a world of providers. Out: tables, and what is not as promised. Money is compared as it is where nothing fails: what the
providers have told of (`source="reported"`) with their ledgers.
"""

import asyncio
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
MODEL = "gpt-4o-mini"
DIRECT, RETRIES, GATEWAY = "directly", "directly, the SDK's 2 retries", "through Tollgate"


@dataclass(frozen=True)
class Run:
    """One of the three."""

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


def document(world: World) -> Document:
    """One model with two backups, the last of another dialect."""
    made = world.standing.providers(Document())
    made.model("agent", ("openai", MODEL), ("spare", MODEL), ("anthropic", "claude-haiku-4-5"))
    made.key("everything")
    return made


def direct(world: World, seconds: float, retries: int) -> Work:
    """Agents that ask the primary itself."""
    primary = world.standing.openai

    def client() -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(api_key=primary.credential, base_url=f"{primary.origin}/v1", max_retries=retries, timeout=45)

    return _run(world, [client() for _ in range(AGENTS)], MODEL, seconds)


def _run(world: World, clients: list[openai.AsyncOpenAI], model: str, seconds: float) -> Work:
    async def all_of_them() -> Work:
        try:
            return await work(clients, model, seconds)
        finally:
            for client in clients:
                await client.close()

    with Day(world.standing.openai, world.standing.spare):
        return asyncio.run(all_of_them())


def through(world: World, seconds: float, found: Findings) -> tuple[Work, str]:
    """Agents that ask Tollgate; and the text on how it served them."""
    gateway = world.gateway(document(world))
    # The request that uses up the quota is the providers' alone.
    before, mark, drained = world.standing.openai.ledger(), gateway.mark(), []

    def clients() -> list[openai.AsyncOpenAI]:
        return [gateway.clients.openai_async() for _ in range(AGENTS)]

    done = _run(world, clients(), "agent", seconds)
    seen = mark.settled(len(done.calls))
    del before, drained
    return done, _told(seen, done, found)


def _told(seen, done: Work, found: Findings) -> str:
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
            table(["through Tollgate", "attempts", "served", "moves away, by reason", "rests, by reason", "cost"], rows),
            f"{total:,} attempts for {len(done.calls):,} calls. Cost by the metrics {dollars(reported)}, by the ledgers of all "
            f"providers {dollars(ledger)}; estimated for what was cut short {dollars(estimated)}.",
        ]
    )


def _from(counts: dict, name: str) -> str:
    return ", ".join(f"{count} {reason}" for (of, reason), count in sorted(counts.items()) if of == name and count)


def section(world: World, seconds: float, found: Findings) -> str:
    """All three, one after the other."""
    runs = [Run(DIRECT, direct(world, seconds, 0)), Run(RETRIES, direct(world, seconds, 2))]
    done, told = through(world, seconds, found)
    runs.append(Run(GATEWAY, done))
    rate = 100 * len(done.failures) / max(1, len(done.calls))
    found.must(rate <= AT_MOST, f"{rate:.2f} % of the calls through Tollgate failed")
    header = [f"{AGENTS} agents, {seconds:.0f} s each", "calls", "failed", "", "tasks", "failed", "", "of the calls"]
    return "\n\n".join([table(header, [run.row() for run in runs]), told])
