"""A provider behind TLS. In: a plain one, and a certificate. Out: an https origin that relays to it."""

import asyncio
import ssl
import threading
from pathlib import Path

import trustme


class TlsFront:
    """Terminates TLS for a host name on this machine, in a thread of its own."""

    def __init__(self, authority: str, directory: Path, host: str = "localhost"):
        self.host, self._behind = host, authority.rsplit(":", 1)
        authority_of_certificates = trustme.CA()
        self.ca_file = directory / "ca.pem"
        authority_of_certificates.cert_pem.write_to_path(str(self.ca_file))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.set_alpn_protocols(["http/1.1"])
        authority_of_certificates.issue_cert(host).configure_cert(self._context)
        self.seen_names: list[str | None] = []
        self._context.sni_callback = lambda _socket, name, _context: self.seen_names.append(name)
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tls front", daemon=True)
        self._thread.start()
        self._listening.wait()

    @property
    def origin(self) -> str:
        """https://host:port"""
        return f"https://{self.host}:{self.port}"

    def stop(self) -> None:
        """Ends it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        starting = asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=self._context)
        server = self._loop.run_until_complete(starting)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(self._behind[0], int(self._behind[1]))
        await asyncio.gather(_copy(reader, behind_writer), _copy(behind_reader, writer))


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        sink.close()
