"""Ten thousand keys beside ten. In: a bench. Out: what a request, a start, a reload, an idle second and memory cost."""

import asyncio
import hashlib
import time
from statistics import median

from demo import report as demo_report

from . import load, report, setups
from .probe import Probe

NAMES = [setups.FEW_KEYS, setups.MANY_KEYS]
KINDS = [load.JSON, load.ONE]
RELOADS = 5
IDLE = 5
FEW, MANY = 1, 5


async def section(bench) -> str:
    """The requests first, then one running Envoy of each for the rest."""
    samples = await bench.costs(NAMES, KINDS)
    tables = [report.costs(kind, samples, NAMES) for kind in KINDS]
    rows = []
    for name in NAMES:
        starts = [await _start(bench, name) for _ in range(RELOADS)]
        reloads = await _reloads(bench, name)
        memory = [await _memory(bench, name, workers) for workers in (FEW, MANY)]
        rows.append(
            [
                name,
                f"{median(starts):.0f}",
                *(f"{median(values):.0f} ({max(values):.0f})" for values in zip(*reloads["times"], strict=True)),
                f"{reloads['idle']:.2f}",
                f"{memory[0] / 1024:.1f}",
                f"{(memory[1] - memory[0]) / (MANY - FEW) / 1024:+.1f}",
            ]
        )
    header = ["all keys and teams limited", "start ms", "reload ms", "longest stall ms", "idle CPU %", "MiB, 1 worker"]
    said = (
        "A reload is from the new document's arrival until Envoy says it is in force, its stall the longest a client of "
        "one worker\nwas kept waiting meanwhile: medians and maxima of "
        f"{RELOADS}. The aims: a request within 5 %, start and reload below a second."
    )
    return "\n\n".join([*tables, said, report.table([*header, "each further worker"], rows)])


async def _start(bench, name: str) -> float:
    _, milliseconds = await bench.start(bench.setup(name), 1, load.ENVOY_CORE)
    bench.children.end_last()
    return milliseconds


async def _memory(bench, name: str, workers: int) -> int:
    setup = bench.setup(name)
    pid, _ = await bench.start(setup, workers, None)
    load.measure(setup, pid, load.JSON, bench.upstream, 2)
    found = load.resident_kib(pid)
    bench.children.end_last()
    return found


async def _reloads(bench, name: str) -> dict:
    """Milliseconds until each new document was in force, and of the longest stall; and what idling took."""
    setup = bench.setup(name)
    pid, _ = await bench.start(setup, 1, load.ENVOY_CORE)
    load.measure(setup, pid, load.JSON, bench.upstream, 1)
    await asyncio.sleep(1)
    before = load.cpu_us(pid)
    await asyncio.sleep(IDLE)
    idle = (load.cpu_us(pid) - before) / (IDLE * 1e6) * 100
    times = []
    for generation in range(1, RELOADS + 1):
        fresh = bench.rendered(setup, generation)
        text = fresh.with_name(f"{fresh.name}.tollgate.json").read_bytes()
        with Probe(setup, bench.upstream) as probe:
            await asyncio.sleep(0.3)
            probe.longest, began = 0.0, time.monotonic()
            setups.replace(setup, fresh)
            await bench.children.until("the new document is in force", lambda: _in_force(setup, text))
            took = time.monotonic() - began
            await asyncio.sleep(1)
        if probe.failed:
            raise SystemExit(f"{probe.failed} of {probe.asked} requests failed during a reload")
        times.append((took * 1e3, probe.longest * 1e3))
    bench.children.end_last()
    return {"times": times, "idle": idle}


def _in_force(setup: setups.Setup, text: bytes) -> bool:
    page = demo_report.fetch(f"http://{setup.admin}/stats/prometheus?filter=wasmcustom.tollgate_config_info")
    wanted = f'tollgate_config_info{{hash="{hashlib.sha256(text).hexdigest()[:16]}"}} 1'
    return wanted in page
