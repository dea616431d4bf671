"""Bytes on a connection, for what no HTTP library would send. In: a gateway. Out: a socket, and what comes back."""

import socket
import struct

from .clients import HANG_GUARD


class Wire:
    """A connection, and the head of a request on it, up to what says how its body comes."""

    def __init__(self, gateway, steering: str = "", path: str = "/v1/chat/completions", key: str = "everything"):
        host = gateway.clients.host("openai").get("Host", gateway.address)
        self.head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {gateway.clients.secret(key)}\r\n"
            f"x-simulate: {steering}\r\nContent-Type: application/json\r\n"
        )
        self.socket = socket.create_connection(gateway.address.split(":"), timeout=HANG_GUARD)

    def send(self, text: str) -> None:
        """Sends."""
        self.socket.sendall(text.encode())

    def read_until(self, mark: bytes) -> bytes:
        """Reads until the mark has come."""
        seen = b""
        while mark not in seen:
            piece = self.socket.recv(4096)
            assert piece, f"closed before {mark!r}: {seen[-500:]!r}"
            seen += piece
        return seen

    def read_all(self) -> bytes:
        """Reads to the end of the connection."""
        return b"".join(iter(lambda: self.socket.recv(65536), b""))

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self, *, rudely: bool = False) -> None:
        """Closes, with a reset instead of an end if `rudely`."""
        if rudely:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
