"""Child processes. In: a command line. Out: a running child with its log, ended by its own pid and nothing else."""

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

# Only ever a guard against hanging for ever: nothing is judged by how long it took.
PATIENCE = 60.0

_living: list["Child"] = []


def living() -> list["Child"]:
    """Children started and not yet stopped: a failed test prints the end of their logs."""
    return list(_living)


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def refusing_port():
    """A loopback port that is taken and never listened on: connections to it are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def eventually(what: str, holds, patience: float = PATIENCE, pause: float = 0.02):
    """The first true value of `holds()`; fails naming `what` when it never comes."""
    deadline = time.monotonic() + patience
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"gave up waiting until {what}; last seen: {value!r}")
        time.sleep(pause)


class Child:
    """One child process whose output goes to a file."""

    def __init__(self, name: str, command: list, log: Path, environment: dict[str, str] | None = None):
        self.name = name
        self.log = log
        self._descendants: set[int] = set()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        _living.append(self)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def text(self) -> str:
        """Everything it printed so far."""
        return self.log.read_bytes().decode("utf-8", "replace")

    def tail(self, lines: int = 40) -> str:
        """The last lines it printed."""
        return "\n".join(self.text().splitlines()[-lines:])

    def until(self, what: str, holds):
        """Waits for `holds()`, and fails at once when the child ends instead."""

        def still():
            value = holds()
            if not value and not self.running:
                raise AssertionError(f"{self.name} ended with {self.process.returncode} before {what}:\n{self.tail()}")
            return value

        return eventually(what, still)

    def descendants(self) -> set[int]:
        """Process ids of everything below it."""
        found, open_ends = set(), [self.process.pid]
        while open_ends:
            pid = open_ends.pop()
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    pids = [int(child) for child in children.read_text().split()]
                except OSError:
                    continue
                found.update(pids)
                open_ends.extend(pids)
        self._descendants |= found
        return found

    def stop(self) -> set[int]:
        """Ends it as Ctrl-C or a supervisor would; returns the descendants it left running, ended here as well."""
        if self in _living:
            _living.remove(self)
        below = {pid: _started(pid) for pid in self.descendants()}
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        left = {pid for pid, started in below.items() if started and _started(pid) == started}
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return left


def _started(pid: int) -> str | None:
    """When a process began, which tells it from a later one with the same id; None for one that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
