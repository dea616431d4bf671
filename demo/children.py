"""Child processes. In: command lines. Out: children with a log each, all ended by their own ids, the last one first."""

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """On Linux, the calling process gets SIGTERM when whoever started it dies, however that comes about."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def port(preferred: int) -> int:
    """A loopback port nobody listens on: the usual one if it is free."""
    for wanted in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError("no free port on 127.0.0.1")


class Children:
    """Those that run."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.running: list[tuple[str, subprocess.Popen]] = []

    def start(self, name: str, command: list, environment: dict[str, str] | None = None) -> None:
        """Starts one; its output goes to NAME.log."""
        with self.log(name).open("wb") as output:
            child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                # Ctrl-C in the terminal is for this process, which ends its children in order.
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self.running.append((name, child))

    def log(self, name: str) -> Path:
        """Where its output is."""
        return self.directory / f"{name}.log"

    def check(self) -> None:
        """Fails, with its last words, if one has ended by itself."""
        for name, child in self.running:
            if (code := child.poll()) is not None:
                tail = self.log(name).read_text(errors="replace").splitlines()[-15:]
                raise SystemExit(f"{name} ended with {code}:\n" + "\n".join(f"  {line}" for line in tail))

    async def until(self, what: str, holds, seconds: float = 60):
        """The first true value of `holds()`, tried again until then."""
        for _ in range(int(seconds / 0.01)):
            if value := holds():
                return value
            self.check()
            await asyncio.sleep(0.01)
        raise SystemExit(f"gave up waiting until {what}; see {self.directory}/*.log")

    def end(self) -> None:
        """Ends all of them, in the reverse order of their start."""
        while self.running:
            self.end_last()

    def end_last(self) -> None:
        """Ends the one that was started last."""
        _, child = self.running.pop()
        child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
