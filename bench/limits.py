"""What all limits together cost a request, beside none. In: a bench. Out: tables."""

from . import load, report, setups

NAMES = [setups.NO_LIMITS, setups.ALL_LIMITS]
KINDS = [load.JSON, load.STREAM, load.ONE]
AIM_US = 15


async def section(bench) -> str:
    """Both setups in turn, in every round."""
    samples = await bench.costs(NAMES, KINDS)
    tables = [report.costs(kind, samples, NAMES) for kind in KINDS]
    lines = [f"{kind.name}: {report.added(samples, kind, *NAMES)}" for kind in KINDS]
    said = (
        "Limits: requests and tokens a minute and requests at once, and two budgets, for each of key, team, key with model,\n"
        "model, provider and everything together; the loop guard on. None of them is ever reached.\n"
        f"Added to a request, the median of the rounds and their range (the aim is {AIM_US} µs): {'; '.join(lines)}."
    )
    return "\n\n".join([said, *tables])
