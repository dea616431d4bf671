"""Runs the demo. See --help."""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
import urllib.parse
from pathlib import Path

from . import report, scene
from .agents import Agents
from .children import Children, end_with_parent, port

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / "run" / "demo"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
SPENDING = "sum by(key)(rate(tollgate_cost_nanodollars_total[1m]))*3600/1e9"
MINUTE = 60.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--seconds", type=float, help="seconds of traffic; ends by itself after them")
    return parser.parse_args()


class Demo:
    """One run."""

    def __init__(self):
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        DIRECTORY.mkdir(parents=True)
        self.children = Children(DIRECTORY)
        self.listen = f"127.0.0.1:{port(4000)}"
        self.admin = f"127.0.0.1:{port(9901)}"
        self.provider = ""
        self.prometheus = ""
        self.keys: dict[str, str] = {}

    async def start(self) -> None:
        """Everything that serves, in the order in which it is needed."""
        self.children.start("simulator", self.simulator())
        announced = await self.children.until("the simulated provider listens", self.announcement)
        self.provider = announced.rsplit("http://", 1)[1].strip()

        composed = scene.compose(self.provider, self.listen, self.admin)
        self.keys = composed.keys
        document = DIRECTORY / "tollgate.json"
        document.write_text(json.dumps(composed.document, indent=2) + "\n")
        self.children.start("tollgate", self.tollgate(document), scene.CREDENTIALS)
        await self.children.until("Envoy is ready", self.envoy_is_ready)

        if program := shutil.which("prometheus"):
            self.prometheus = f"127.0.0.1:{port(9090)}"
            self.children.start("prometheus", self.scraper(program))
            ready = f"http://{self.prometheus}/-/ready"
            await self.children.until("Prometheus is ready", lambda: report.fetch(ready))
        else:
            print("Prometheus is not installed: going on without it.", flush=True)

    def simulator(self) -> list:
        credentials = [f"{name.partition('_')[0].lower()}={value}" for name, value in scene.CREDENTIALS.items()]
        accepted = [part for credential in credentials for part in ("--credential", credential)]
        return [TARGET / "debug" / "tollgate-simulator", "--listen", f"127.0.0.1:{port(8000)}", *accepted]

    def announcement(self) -> str | None:
        lines = self.children.log("simulator").read_text().splitlines(keepends=True)
        return next((line for line in lines if line.startswith("listening on ") and line.endswith("\n")), None)

    def tollgate(self, document: Path) -> list:
        return [
            *(TARGET / "debug" / "tollgate", "up", document),
            *("--envoy", ROOT / ".tools" / "venv" / "bin" / "envoy"),
            *("--module", TARGET / "wasm32-wasip1" / "release" / "tollgate.wasm"),
            *("--run-dir", DIRECTORY / "envoy"),
        ]

    def envoy_is_ready(self) -> bool:
        if report.fetch(f"http://{self.admin}/ready").strip() != "LIVE":
            return False
        return bool(report.Metrics(self.admin).total("tollgate_build_info"))

    def scraper(self, program: str) -> list:
        config = DIRECTORY / "prometheus.yml"
        config.write_text((ROOT / "prometheus" / "prometheus.yml").read_text().replace("127.0.0.1:9901", self.admin))
        return [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={DIRECTORY / 'prometheus'}",
            f"--web.listen-address={self.prometheus}",
        ]

    async def settle(self) -> tuple[report.Metrics, report.Ledger]:
        """The books once nothing is in flight any more, at either side."""
        for _ in range(100):
            metrics, ledger = report.Metrics(self.admin), report.Ledger(self.provider)
            still = metrics.total("tollgate_requests_in_flight") or ledger.in_flight
            if not still and metrics.total("tollgate_cost_nanodollars_total") == ledger.nanodollars:
                break
            await asyncio.sleep(0.1)
        return metrics, ledger

    def addresses(self, stays: bool) -> str:
        lines = [
            ("Tollgate", f"http://{self.listen}/v1 (OpenAI)  http://{self.listen} (Anthropic)"),
            ("metrics", f"http://{self.admin}/stats/prometheus?filter=wasmcustom"),
            ("ledger", f"http://{self.provider}/ledger"),
        ]
        if self.prometheus:
            query = urllib.parse.urlencode({"g0.expr": SPENDING, "g0.tab": 0})
            lines.append(("Prometheus", f"http://{self.prometheus}/graph?{query}"))
            lines.append(("", f"(dollars an hour: {SPENDING})"))
        lines.append(("files", f"{DIRECTORY.relative_to(ROOT)}/ (the document, Envoy's configuration, logs)"))
        if stays:
            lines.append(("a key", f"{self.keys['checkout-agent']} (checkout-agent: gpt-4o, gpt-4o-mini)"))
        return "\n".join(f"{name:<12}{text}" for name, text in lines)


async def traffic(demo: Demo, seconds: float) -> Agents:
    """Sends it, and says every few seconds how far it is."""
    agents = Agents(demo.listen, demo.keys, wrong_key=scene.mint())
    sending = asyncio.create_task(agents.run(seconds))
    began = time.monotonic()
    while not sending.done():
        await asyncio.wait([sending], timeout=5)
        demo.children.check()
        gone = min(time.monotonic() - began, seconds)
        print(f"    {gone:3.0f} of {seconds:.0f} s, {agents.tally.sent:,} requests", flush=True)
    await sending
    await agents.close()
    return agents


async def run(seconds: float | None) -> int:
    demo = Demo()
    try:
        print("==> starting the simulated provider, Envoy with Tollgate, Prometheus", flush=True)
        await demo.start()
        print(f"==> {seconds or MINUTE:.0f} seconds of traffic from six agents and a stranger", flush=True)
        agents = await traffic(demo, seconds or MINUTE)
        metrics, ledger = await demo.settle()

        spent = metrics.total("tollgate_cost_nanodollars_total")
        problems = report.alarms(metrics) + [f"{count} × {what}" for what, count in agents.tally.unexpected.most_common()]
        print(f"\n{report.table(metrics)}\n")
        print(f"{report.failovers(metrics)}\n")
        print(demo.addresses(stays=seconds is None) + "\n")
        for problem in problems[:10]:
            print(f"unexpected: {problem}")
        if seconds is None:
            print("Everything stays up until Ctrl-C.")
        print(f"ledger {report.dollars(ledger.nanodollars)} metrics {report.dollars(spent)}", flush=True)
        verdict = 1 if problems or spent != ledger.nanodollars else 0
        with contextlib.suppress(asyncio.CancelledError):
            while seconds is None:
                demo.children.check()
                await asyncio.sleep(0.5)
        return verdict
    finally:
        # Whoever is impatient and presses Ctrl-C again gets the same end, a moment later.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        demo.children.end()


async def main(seconds: float | None) -> int:
    running = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        return await run(seconds)
    except asyncio.CancelledError:
        return 130


if __name__ == "__main__":
    end_with_parent()
    # Nothing here leaves this machine, whatever proxy it goes through otherwise.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    try:
        sys.exit(asyncio.run(main(arguments().seconds)))
    except BrokenPipeError:
        sys.exit(141)
