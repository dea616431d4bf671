"""Measures Envoy with and without Tollgate, side by side. See --help."""

import argparse
import asyncio
import datetime
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from demo import report as demo_report
from demo.children import Children, end_with_parent, port

from . import documents, limits, load, report, scale, setups

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / "run" / "bench"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
COMMAND = TARGET / "debug" / "tollgate"
MODULE = TARGET / "wasm32-wasip1" / "release" / "tollgate.wasm"
ENVOY = ROOT / ".tools" / "venv" / "bin" / "envoy"
RESULTS = ROOT / "bench" / "results.md"
NAMES = [setups.PLAIN, setups.BOTH_ROLES, setups.NO_HOLD]
KINDS = [load.JSON, load.STREAM, load.PACED, load.ONE]
STARTS = 5
FEW, MANY = 1, 5
SECTIONS = ["costs", "process", "limits", "scale"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--save", action="store_true", help="write the results into bench/results.md")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; each measures everything once (default: 5)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds of each measurement (default: 4)")
    parser.add_argument("--only", default="", help=f"some of the sections: {', '.join(SECTIONS)} (default: all)")
    options = parser.parse_args()
    options.only = options.only.replace(",", " ").split()
    if unknown := set(options.only) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    if options.only and options.save:
        parser.error("results are saved whole: --save goes without --only")
    return options


class Bench:
    """One run."""

    def __init__(self, rounds: int, seconds: int, only: list[str]):
        self.rounds = rounds
        self.seconds = seconds
        self.only = only
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        DIRECTORY.mkdir(parents=True)
        self.children = Children(DIRECTORY)
        self.upstream = ""
        self.made = 0

    async def start_upstream(self) -> None:
        program = TARGET / "release" / "tollgate-bench-upstream"
        self.children.start("upstream", ["taskset", "-c", load.PEER_CORE, program, f"127.0.0.1:{port(0)}"])
        log = self.children.log("upstream")
        announced = await self.children.until("the upstream listens", lambda: log.read_text().strip())
        self.upstream = announced.rsplit("http://", 1)[1]

    def setup(self, name: str) -> setups.Setup:
        """A setup of its own, with addresses of its own."""
        self.made += 1
        listen, admin = f"127.0.0.1:{port(0)}", f"127.0.0.1:{port(0)}"
        return setups.render(name, DIRECTORY / f"setup-{self.made}", self.upstream, listen, admin, COMMAND, MODULE)

    def rendered(self, setup: setups.Setup, generation: int) -> Path:
        """Envoy's files for a later document of a setup."""
        document = setups.compose(setup.name, self.upstream, setup.listen, setup.admin, generation)
        fresh = setup.directory.with_name(f"envoy-{generation}")
        setups.write(document, fresh, COMMAND, MODULE)
        return fresh

    async def start(self, setup: setups.Setup, workers: int, core: str | None) -> tuple[int, float]:
        """Starts Envoy; its process id, and the milliseconds until it was ready."""
        pinned = ["taskset", "-c", core] if core else []
        envoy = [ENVOY, "-c", setup.bootstrap, "--concurrency", workers, "--disable-hot-restart", "-l", "warning"]
        began = time.monotonic()
        self.children.start(f"envoy-{self.made}", [*pinned, *envoy], documents.CREDENTIAL)
        await self.children.until("Envoy is ready", lambda: self.is_ready(setup))
        return self.children.running[-1][1].pid, (time.monotonic() - began) * 1e3

    @staticmethod
    def is_ready(setup: setups.Setup) -> bool:
        if demo_report.fetch(f"http://{setup.admin}/ready").strip() != "LIVE":
            return False
        return setup.name == setups.PLAIN or "tollgate_build_info" in demo_report.fetch(
            f"http://{setup.admin}/stats/prometheus?filter=wasmcustom"
        )

    async def costs(self, names: list[str], kinds: list[load.Kind]) -> report.Samples:
        """Processor time and throughput. Rounds go through all setups in turn, so that noise meets all of them."""
        running = [(setup := self.setup(name), (await self.start(setup, 1, load.ENVOY_CORE))[0]) for name in names]
        for setup, pid in running:
            load.measure(setup, pid, load.JSON, self.upstream, 2)
            load.measure(setup, pid, load.STREAM, self.upstream, 1)
        samples: report.Samples = {(kind, name): [] for kind in kinds for name in names}
        for number in range(self.rounds):
            say(f"round {number + 1} of {self.rounds}")
            # Each round begins with another setup.
            turn = number % len(running)
            for kind in kinds:
                for setup, pid in running[turn:] + running[:turn]:
                    samples[kind, setup.name].append(load.measure(setup, pid, kind, self.upstream, self.seconds))
                    self.children.check()
        for _ in running:
            self.children.end_last()
        return samples

    async def memory(self) -> dict[tuple[str, int], int]:
        """KiB of Envoy with few workers and with many, after a load that all of them took part in."""
        found = {}
        for name in NAMES:
            for workers in (FEW, MANY):
                setup = self.setup(name)
                pid, _ = await self.start(setup, workers, None)
                load.measure(setup, pid, load.STREAM, self.upstream, 2)
                load.measure(setup, pid, load.JSON, self.upstream, 2)
                found[name, workers] = load.resident_kib(pid)
                self.children.end_last()
        return found

    async def starts(self) -> dict[str, float]:
        """Milliseconds from nothing to ready, with one worker."""
        found: dict[str, list[float]] = {name: [] for name in NAMES}
        for _ in range(STARTS):
            for name in NAMES:
                _, milliseconds = await self.start(self.setup(name), 1, load.ENVOY_CORE)
                found[name].append(milliseconds)
                self.children.end_last()
        return {name: median(values) for name, values in found.items()}

    async def run(self) -> str:
        """Everything; the text of the results."""
        await self.start_upstream()
        parts = [self.heading()]
        for section in SECTIONS:
            if not self.only or section in self.only:
                say(section)
                parts.append(await getattr(self, f"section_{section}")())
        return "\n\n".join(parts) + "\n"

    async def section_costs(self) -> str:
        """A request with and without Tollgate."""
        samples = await self.costs(NAMES, KINDS)
        return "\n\n".join(report.costs(kind, samples, NAMES) for kind in KINDS)

    async def section_limits(self) -> str:
        """A request with all limits and with none."""
        return await limits.section(self)

    async def section_scale(self) -> str:
        """Many keys and few."""
        return await scale.section(self)

    def heading(self) -> str:
        """What was measured, on what."""
        version = subprocess.run([ENVOY, "--version"], capture_output=True, text=True, check=True).stdout
        envoy = re.search(r"/(\d+\.\d+\.\d+)/", version)[1]
        return (
            "# Results of `make bench`\n\n"
            f"{datetime.date.today()}, Envoy {envoy}, {report.machine()}.\n"
            f"Medians of {self.rounds} rounds of {self.seconds} s each, all setups in turn. Envoy with one worker has a core to "
            "itself; wrk and the\nupstream share another. CPU is Envoy's processor time, user and system, per request; the "
            "request is some 870 bytes, the JSON\nanswer 746, the stream 101 events and `[DONE]`, each in a write of its own."
        )

    async def section_process(self) -> str:
        """Memory and start."""
        memory, starts = await self.memory(), await self.starts()
        rows = []
        for name in NAMES:
            few, many = memory[name, FEW], memory[name, MANY]
            worker = (many - few) / (MANY - FEW)
            if name == setups.PLAIN:
                of_envoy, first = worker, few
            rows.append(
                [name]
                + [f"{few / 1024:.1f}", f"{many / 1024:.1f}"]
                + ["" if name == setups.PLAIN else f"{value / 1024:+.1f}" for value in (few - first, worker - of_envoy)]
                + [f"{starts[name]:.0f}", "" if name == setups.PLAIN else f"{starts[name] - starts[setups.PLAIN]:+.0f}"]
            )
        header = ["whole process", "MiB, 1 worker", f"MiB, {MANY} workers", "added, 1 worker", "added, each further worker"]
        return "\n\n".join(
            [
                report.table([*header, "start ms", "added ms"], rows),
                f"The module is {MODULE.stat().st_size / 1024:.0f} KiB. Start is from nothing until Envoy is ready and "
                f"Tollgate configured: the median of {STARTS}.",
            ]
        )


def say(what: str) -> None:
    print(f"==> {what}", file=sys.stderr, flush=True)


async def main(options: argparse.Namespace) -> int:
    running = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    bench = Bench(options.rounds, options.seconds, options.only)
    try:
        text = await bench.run()
    except (asyncio.CancelledError, subprocess.CalledProcessError) as error:
        if isinstance(error, subprocess.CalledProcessError):
            print(f"{error}\n{error.stderr or ''}", file=sys.stderr)
        return 130
    finally:
        bench.children.end()
    print(text, end="")
    if options.save:
        RESULTS.write_text(text)
        say(f"written to {RESULTS.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    end_with_parent()
    sys.exit(asyncio.run(main(arguments())))
