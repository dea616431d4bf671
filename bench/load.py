"""Load, and what it cost. In: a running Envoy and a kind of request. Out: requests, latency, processor time of Envoy."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import documents, setups

LUA = Path(__file__).with_name("load.lua")
# Envoy alone on the first core; whatever it talks to on the second.
ENVOY_CORE, PEER_CORE = "0", "1"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Kind:
    """A kind of request, and how many of them at once."""

    name: str
    shape: str
    connections: int
    pause_us: int = 0


JSON = Kind("JSON", "json", 32)
STREAM = Kind("stream of 101 events", "stream", 32)
# Each event finds Envoy idle, as with a real model: nothing is read in one go that was written in two.
PACED = Kind("the same, an event every 2 ms or so", "stream", 32, pause_us=1000)
ONE = Kind("JSON, one at a time", "json", 1)


@dataclass(frozen=True)
class Sample:
    """One round."""

    requests: int
    seconds: float
    cpu_us: float
    p50_us: int
    p99_us: int

    @property
    def per_second(self) -> float:
        """Throughput."""
        return self.requests / self.seconds

    @property
    def cpu_per_request(self) -> float:
        """Envoy's processor time, in microseconds."""
        return self.cpu_us / self.requests


def cpu_us(pid: int) -> float:
    """Processor time of a process so far, user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / TICKS


def resident_kib(pid: int) -> int:
    """Memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def measure(setup: setups.Setup, pid: int, kind: Kind, upstream: str, seconds: int) -> Sample:
    """One round of one kind. Any answer but 2xx makes it worthless, and so fails."""
    before = cpu_us(pid)
    done = subprocess.run(
        ["taskset", "-c", PEER_CORE, "wrk", "-t1", f"-c{kind.connections}", f"-d{seconds}s", "--timeout", "20s"]
        + ["-s", LUA, f"http://{setup.listen}", "--", documents.KEY, upstream, kind.shape, str(kind.pause_us)],
        capture_output=True,
        text=True,
        check=True,
    )
    spent = cpu_us(pid) - before
    line = next(line for line in done.stdout.splitlines() if line.startswith("result "))
    result = json.loads(line.removeprefix("result "))
    if result["failed"] or not result["requests"]:
        raise SystemExit(f"{setup.name}, {kind.name}: {result['failed']} of {result['requests']} requests failed")
    return Sample(result["requests"], result["microseconds"] / 1e6, spent, result["p50"], result["p99"])
