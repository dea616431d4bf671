"""Exactness under limits."""

import asyncio

import anthropic
import openai
from harness.agents import Agent, storm
from harness.simulator import simulate

from ..findings import dollars

PROMISE = "with limits on, what the metrics say was spent is what the providers bill, to the nano-dollar"
AGENTS, EACH = 40, 40
LIMITS = {"rpm": 100_000, "tpm": 50_000_000, "parallel": 9}


class Limited(Agent):
    """One that takes a refusal for an answer."""

    async def do(self, kind) -> None:
        """One request; refused ones are counted as such."""
        try:
            await super().do(kind)
        except (openai.RateLimitError, anthropic.RateLimitError):
            self.done["limited"] += 1

    async def flaky(self) -> None:
        """A provider that fails now and then; no second try."""
        try:
            steering = {"x-simulate": simulate(flaky=40)}
            await self.openai.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "again"}], extra_headers=steering
            )
        except openai.InternalServerError:
            return


def attempt(world, found) -> None:
    """The suite's own storm, with every kind of rule, some of which refuse."""
    budgets = [{"usd": 1000, "per": "month"}, {"tokens": 10**9, "over": "24h"}]
    document = world.standing.document(limits={"rpm": 10**6}, budget={"usd": 10**5, "per": "month"})
    for team in document.teams:
        document.teams[team] = {"limits": {"rpm": 10**5, "tpm": 10**9}, "budget": budgets}
    for key in document.keys:
        key.update(limits=LIMITS, budget=budgets, per_model={"gpt-4o*": {"limits": {"rpm": 10**5, "parallel": 6}}})
    document.models["gpt-5"]["limits"] = {"parallel": 3}
    document.providers["spare"]["limits"] = {"rpm": 10**5, "parallel": 2}
    document.entry("expiring")["budget"] = {"usd": 0.05, "per": "day"}
    gateway = world.gateway(document)

    keys = [("everything", "loner", "expiring")[number % 3] for number in range(AGENTS)]
    mark = gateway.mark()
    done = asyncio.run(storm(gateway.clients, keys, EACH, seed=5, kind=Limited))
    seen = mark.settled(sum(done.values()))
    outcomes = seen.outcomes()
    refused = sum(count for outcome, count in outcomes.items() if outcome in ("refused_rate_limit", "refused_budget"))
    counted = seen.metrics.total("tollgate_refusals_total")
    cost, ledger = seen.cost(source="reported"), seen.ledger.reported
    found.did(f"{sum(done.values()):,} mixed requests of {AGENTS} agents with limits on all scopes")
    found.saw(f"{refused} refused, metrics {dollars(cost)}, ledger {dollars(ledger)}")
    found.must(cost == ledger > 0, "they differ")
    found.must(seen.tokens(source="reported") == seen.ledger.tokens, "the tokens differ")
    found.must(refused == counted == done["limited"] > 0, f"{done['limited']} clients refused, {counted} counted")
