"""However a request ends, it is recorded once and nothing stays in flight."""

import json
import socket

import pytest

from harness.simulator import simulate
from harness.wire import Wire

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Tell me a long story."}]}


def leave(gateway, stage: str, *, rudely: bool, stream: bool = True) -> None:
    """One request whose client goes away at that stage."""
    body = json.dumps({**CHAT, "stream": stream})
    steering = simulate("hang") if stage == "answer" else simulate(tokens=2000, rate=100)
    wire = Wire(gateway, steering)
    wire.send(f"{wire.head}Content-Length: {len(body)}\r\n\r\n")
    if stage == "body":
        wire.send(body[:20])
    elif stage != "head":
        wire.send(body)
    if stage == "stream":
        wire.read_until(b"content")
    elif stage == "head of the answer":
        wire.read_until(b"200 OK")
    wire.close(rudely=rudely)


@pytest.mark.parametrize("rudely", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("stage", ["head", "body", "sent", "answer", "head of the answer", "stream"])
def test_a_client_may_leave_at_any_stage(gateway, stage, rudely):
    mark = gateway.mark()
    for _ in range(12):
        leave(gateway, stage, rudely=rudely)
    seen = mark.settled(12)
    assert seen.outcomes() == {"interrupted_by_client": 12}
    assert seen.cost(source="reported") == seen.ledger.reported == 0
    if stage in ("head", "body"):
        assert seen.cost() == 0


@pytest.mark.parametrize("steering", ["hang_after=5,tokens=50", "hang"])
def test_a_provider_that_falls_silent_does_not_keep_the_client(gateway, clients, steering):
    """The client's patience ends before the gateway's; what it leaves is recorded."""
    mark = gateway.mark()
    with clients.http(simulate=steering, timeout=0.7) as http, pytest.raises(Exception) as caught:
        http.post("/v1/chat/completions", json={**CHAT, "stream": True})
    assert "imeout" in type(caught.value).__name__
    assert mark.settled(1).outcomes() == {"interrupted_by_client": 1}


def test_an_error_in_a_body_with_status_200_costs_nothing(gateway, clients):
    mark = gateway.mark()
    with clients.http(simulate="error_body") as http:
        assert http.post("/v1/chat/completions", json=CHAT).json()["error"]
    seen = mark.settled(1)
    assert seen.cost() == seen.ledger.reported == 0
    assert "ok" not in seen.outcomes()


def test_a_body_may_end_in_trailers(gateway):
    """The last chunk of a body is then not the end of the request."""
    mark = gateway.mark()
    body = json.dumps(CHAT)
    wire = Wire(gateway, simulate())
    wire.send(f"{wire.head}Connection: close\r\nTransfer-Encoding: chunked\r\nTrailer: x-checksum\r\n\r\n")
    wire.send(f"{len(body):x}\r\n{body}\r\n0\r\nx-checksum: 1\r\n\r\n")
    answer = wire.read_all()
    wire.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer[:500]
    seen = mark.settled(1)
    assert seen.cost() == seen.ledger.settled > 0


@pytest.mark.parametrize("piece", [1, 7, 64])
def test_a_body_may_come_in_small_pieces(gateway, piece):
    mark = gateway.mark()
    body = json.dumps(CHAT)
    wire = Wire(gateway, simulate())
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.send(f"{wire.head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at in range(0, len(body), piece):
        part = body[at : at + piece]
        wire.send(f"{len(part):x}\r\n{part}\r\n")
    wire.send("0\r\n\r\n")
    assert wire.read_all().startswith(b"HTTP/1.1 200")
    wire.close()
    seen = mark.settled(1)
    assert seen.cost() == seen.ledger.settled > 0


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(gateway):
    body = json.dumps(CHAT)
    wire = Wire(gateway, simulate())
    wire.send(f"{wire.head}Connection: close\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n")
    wire.read_until(b"100 Continue\r\n\r\n")
    wire.send(body)
    assert wire.read_all().startswith(b"HTTP/1.1 200")
    wire.close()


def test_a_connection_outlives_refusals(gateway, clients):
    """Good and bad requests in turn on one connection: none spoils the next."""
    mark = gateway.mark()
    bad = [
        {"content": b"{", "headers": {"content-type": "application/json"}},
        {"json": {"model": "gpt-99", "messages": []}},
        {"json": {**CHAT, "model": 7}},
        {"json": CHAT, "headers": {"x-simulate": "status=500"}},
        {"json": CHAT, "headers": {"authorization": "Bearer tg-wrong"}},
    ]
    with clients.http() as http:
        for number in range(30):
            assert http.post("/v1/chat/completions", **bad[number % len(bad)]).status_code >= 400
            assert http.post("/v1/chat/completions", json=CHAT).status_code == 200
            streamed = http.post("/v1/chat/completions", json={**CHAT, "stream": True})
            assert streamed.text.endswith("data: [DONE]\n\n")
    seen = mark.settled(90)
    assert seen.outcomes()["ok"] == 60
    assert seen.cost() == seen.ledger.settled > 0
