"""A provider's address that can be killed. In: a provider. Out: an origin that relays to it, in a process of its own.

Killed, it is to a gateway what a provider is that was killed: every connection breaks at once, and then none comes about.
The provider behind it keeps its books, though, which would have died with it.
"""

import asyncio
import contextlib
import sys
from pathlib import Path

from .process import Child, free_port


class Front:
    """The process; it may be started again at the same port."""

    def __init__(self, authority: str, directory: Path, port: int | None = None):
        self.port = port or free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "harness.front", self.port, *authority.rsplit(":", 1)]
        environment = {"PYTHONPATH": str(Path(__file__).parent.parent)}
        self.child = Child(f"front {self.port}", command, directory / f"front-{self.port}.log", environment)
        self.child.until("it listens", lambda: "listening" in self.child.text())

    def kill(self) -> None:
        """SIGKILL."""
        self.child.process.kill()
        self.stop()

    def stop(self) -> None:
        """Ends it."""
        self.child.stop()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def _serve(port: int, host: str, behind: int) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(host, behind)
        await asyncio.gather(_copy(reader, behind_writer), _copy(behind_reader, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", port)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
