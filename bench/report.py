"""The results. In: samples by kind and setup. Out: tables in Markdown, which read well in a terminal too."""

import platform
from pathlib import Path
from statistics import median

from .load import Kind, Sample

Samples = dict[tuple[Kind, str], list[Sample]]


def of(samples: list[Sample], what) -> float:
    """The median over the rounds."""
    return median(what(sample) for sample in samples)


def spread(samples: list[Sample], what) -> str:
    """The smallest and the largest of them."""
    values = [what(sample) for sample in samples]
    return f"{min(values):,.0f}–{max(values):,.0f}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown with aligned columns."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [cell.ljust(width) if not at else cell.rjust(width) for at, (cell, width) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(("-" * (width + 2)) if not at else "-" * (width + 1) + ":" for at, width in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *(line(row) for row in rows)])


def costs(kind: Kind, samples: Samples, names: list[str]) -> str:
    """One kind of request in every setup, the first being what the others are compared with."""
    cpu = {name: of(samples[kind, name], lambda sample: sample.cpu_per_request) for name in names}
    rate = {name: of(samples[kind, name], lambda sample: sample.per_second) for name in names}
    rows = []
    for name in names:
        of_this = samples[kind, name]
        rows.append(
            [
                name,
                f"{cpu[name]:,.0f}",
                spread(of_this, lambda sample: sample.cpu_per_request),
                "" if name == names[0] else f"{cpu[name] - cpu[names[0]]:+,.0f}",
                f"{cpu[name] / cpu[names[0]]:.2f}",
                f"{rate[name]:,.0f}",
                f"{rate[name] / rate[names[0]]:.2f}",
                f"{of(of_this, lambda sample: sample.p50_us) / 1e3:.2f}",
                f"{of(of_this, lambda sample: sample.p99_us) / 1e3:.2f}",
            ]
        )
    header = [kind.name, "CPU µs", "range", "added", "ratio", "req/s", "ratio", "p50 ms", "p99 ms"]
    return table(header, rows)


def added(samples: Samples, kind: Kind, before: str, after: str) -> str:
    """What the second setup costs more than the first, round by round: each pair was measured side by side."""
    pairs = zip(samples[kind, before], samples[kind, after], strict=True)
    differences = [two.cpu_per_request - one.cpu_per_request for one, two in pairs]
    return f"{median(differences):+.1f} µs ({min(differences):+.1f} to {max(differences):+.1f})"


def machine() -> str:
    """What it ran on."""
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return f"{model}, {platform.system()} {platform.release()}"
