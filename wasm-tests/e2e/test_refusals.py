"""Requests no SDK would send: each gets its clear answer at once, in the client's dialect, and costs nobody a thing."""

import base64
import gzip
import json

import openai
import pytest

from harness.gateway import Gateway
from harness.wire import Wire

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
JSON = {"content-type": "application/json"}
ENDPOINTS = {
    "/v1/chat/completions": "openai",
    "/v1/completions": "openai",
    "/v1/embeddings": "openai",
    "/v1/responses": "openai",
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "anthropic",
}


def message(answer) -> str:
    """The message of an error, which both dialects keep at the same place."""
    return answer.json()["error"]["message"]


def refused(
    gateway,
    clients,
    status: int,
    outcome: str,
    *,
    path="/v1/chat/completions",
    provider="openai",
    method="POST",
    **request,
):
    """Sends the request, checks its refusal, and that no provider heard of it."""
    mark = gateway.mark()
    with clients.http("everything", provider) as http:
        answer = http.request(method, path, **request)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-request-id"]
    seen = mark.settled(1)
    assert seen.outcomes() == {outcome: 1}
    assert seen.metrics.by("tollgate_requests_total", "key") == {"everything": 1}
    assert seen.provider_was_spared()
    return answer


@pytest.mark.parametrize("path, provider", ENDPOINTS.items())
def test_malformed_json_is_refused_with_its_position(gateway, clients, path, provider):
    content = b'{"model": "gpt-4o-mini",\n "messages": [}'
    answer = refused(
        gateway, clients, 400, "refused_body_invalid", path=path, provider=provider, content=content, headers=JSON
    )
    assert "line 2, column 15" in message(answer)


def test_malformed_json_raises_bad_request_in_the_sdk(clients):
    with pytest.raises(openai.BadRequestError) as caught:
        clients.openai().post("/chat/completions", cast_to=object, content=b"{", options={"headers": JSON})
    assert "not valid JSON" in caught.value.message


@pytest.mark.parametrize("path, provider", ENDPOINTS.items())
def test_an_error_is_in_the_dialect_of_its_endpoint(gateway, clients, path, provider):
    answer = refused(
        gateway, clients, 400, "refused_body_invalid", path=path, provider=provider, content=b"{}", headers=JSON
    )
    assert "'model' is missing" in message(answer)
    if provider == "anthropic":
        assert answer.json()["type"] == "error"
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert answer.headers["request-id"]
    else:
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert answer.json()["error"]["param"] == "model"


@pytest.mark.parametrize("body, said", [
    ({"model": 7}, "'model' must be a string"),
    ({"model": None}, "'model' is missing"),
    ({"model": ["gpt-4o-mini"]}, "'model' must be a string"),
    ({**CHAT, "stream": "yes"}, "'stream'"),
    ([CHAT], "must be a JSON object"),
    ("gpt-4o-mini", "must be a JSON object"),
])  # fmt: skip
def test_a_member_of_the_wrong_type_is_named(gateway, clients, body, said):
    assert said in message(refused(gateway, clients, 400, "refused_body_invalid", json=body))


@pytest.mark.parametrize("content", [b"", b"  \n\t "], ids=["nothing", "white space"])
def test_an_empty_body_is_refused(gateway, clients, content):
    assert "no body" in message(refused(gateway, clients, 400, "refused_body_invalid", content=content, headers=JSON))


def test_a_member_that_comes_twice_is_refused(gateway, clients):
    """Two readers could see two different requests: the one that is allowed, and the one that is served."""
    content = b'{"model": "gpt-4o-mini", "messages": [], "model": "gpt-4.1"}'
    assert "'model' occurs more than once" in message(
        refused(gateway, clients, 400, "refused_body_invalid", content=content, headers=JSON)
    )


def test_an_escaped_name_does_not_hide_a_second_member(gateway, clients):
    content = b'{"model": "gpt-4o-mini", "messages": [], "mod\\u0065l": "gpt-4.1"}'
    refused(gateway, clients, 400, "refused_body_invalid", content=content, headers=JSON)


def test_an_escaped_model_name_is_the_model_it_spells(gateway, clients):
    mark = gateway.mark()
    content = b'{"mod\\u0065l": "gpt-4o\\u002dmini", "messages": [{"role": "user", "content": "hello"}]}'
    with clients.http("narrow") as http:
        assert http.post("/v1/chat/completions", content=content, headers=JSON).status_code == 200
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_requests_total", "model") == {"gpt-4o-mini": 1}
    assert seen.cost() == seen.ledger.settled > 0


def test_a_byte_order_mark_is_not_json(gateway, clients):
    content = b"\xef\xbb\xbf" + json.dumps(CHAT).encode()
    refused(gateway, clients, 400, "refused_body_invalid", content=content, headers=JSON)


@pytest.mark.parametrize("depth", [200, 100_000, 1_000_000])
def test_deep_nesting_is_refused(gateway, clients, depth):
    content = b'{"model": "gpt-4o-mini", "messages": ' + b"[" * depth + b"]" * depth + b"}"
    assert "levels deep" in message(
        refused(gateway, clients, 400, "refused_body_invalid", content=content, headers=JSON)
    )


def test_invalid_utf8_is_refused_with_its_position(gateway, clients):
    content = b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "\xff\xfe"}]}'
    answer = refused(gateway, clients, 400, "refused_body_invalid", content=content, headers=JSON)
    assert f"offset {content.index(0xFF)}" in message(answer)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_that_says_it_is_not_json_is_refused(gateway, clients, content_type):
    content = json.dumps(CHAT).encode()
    answer = refused(
        gateway, clients, 415, "refused_body_invalid", content=content, headers={"content-type": content_type}
    )
    assert "application/json" in message(answer)


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate"])
def test_a_compressed_body_is_refused_with_what_to_do(gateway, clients, encoding):
    content = gzip.compress(json.dumps(CHAT).encode())
    answer = refused(
        gateway, clients, 415, "refused_body_invalid", content=content, headers={**JSON, "content-encoding": encoding}
    )
    assert "Content-Encoding" in message(answer)


@pytest.mark.parametrize("path, provider", ENDPOINTS.items())
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_refused_and_the_right_one_named(gateway, clients, path, provider, method):
    answer = refused(gateway, clients, 405, "refused_method", path=path, provider=provider, method=method)
    assert answer.headers["allow"] == "POST"
    assert "POST" in message(answer)


@pytest.mark.parametrize("path", ["/", "/v2/chat/completions", "/v1/chat/completions/../../../etc/passwd", "/metrics"])
def test_a_path_nobody_serves_is_not_found(gateway, clients, path):
    with clients.http() as http:
        answer = http.get(path)
    assert answer.status_code == 404, answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/%63hat/completions",
        "/V1/Chat/Completions",
        "/v1/x/../chat/completions",
    ],
)
def test_no_spelling_of_a_path_goes_past_the_meter(gateway, clients, path):
    """Either it is the endpoint it looks like, metered, or it is refused: never forwarded as something else."""
    mark = gateway.mark()
    body = json.dumps(CHAT)
    with Wire(gateway, path=path) as wire:
        wire.send(f"{wire.head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}")
        answer = wire.read_all()
    status = int(answer.split(b" ", 2)[1])
    seen = mark.settled(1)
    if status == 200:
        assert seen.cost() == seen.ledger.settled > 0
        assert seen.metrics.by("tollgate_requests_total", "endpoint") == {"chat_completions": 1}
    else:
        assert seen.ledger.settled_requests == 0


@pytest.fixture(scope="session")
def small(shape, standing, tmp_path_factory):
    """A gateway that takes bodies of at most 10,000 bytes."""
    document = standing.document(hold_headers=shape == "hold", max_body_bytes=10_000)
    running = Gateway(document, tmp_path_factory.mktemp(f"small-{shape}"), standing.simulators)
    try:
        yield running.start()
    finally:
        running.stop()
    assert not running.troubles


def chat_of(size: int) -> bytes:
    """A valid request of exactly that many bytes."""
    frame = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": ""}]})
    return frame.replace('""', '"' + "x" * (size - len(frame)) + '"').encode()


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("size", [10_001, 100_000, 5_000_000])
def test_a_body_over_the_limit_is_refused(small, chunked, size):
    mark = small.mark()
    content = chat_of(size)
    with small.clients.http() as http:
        answer = http.post(
            "/v1/chat/completions", content=iter([content[:50], content[50:]]) if chunked else content, headers=JSON
        )
    assert answer.status_code == 413, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error", answer.text
    assert "10000" in message(answer)
    seen = mark.settled(1)
    assert seen.outcomes() == {"refused_body_too_large": 1}
    assert seen.ledger.settled_requests == 0


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_a_body_at_the_limit_is_served(small, chunked):
    content = chat_of(10_000)
    with small.clients.http() as http:
        answer = http.post(
            "/v1/chat/completions", content=iter([content[:50], content[50:]]) if chunked else content, headers=JSON
        )
    assert answer.status_code == 200, answer.text


def test_a_ten_megabyte_image_is_served(gateway, clients):
    mark = gateway.mark()
    picture = base64.b64encode(bytes(range(256)) * 30_720).decode()
    assert len(picture) > 10_000_000
    content = [
        {"type": "text", "text": "What is on this picture?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
    ]
    answer = clients.openai().chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content
    seen = mark.settled(1)
    assert seen.cost() == seen.ledger.settled > 0


@pytest.mark.parametrize("path", ["/v1/realtime?model=gpt-4o-mini", "/v1/responses", "/v1/chat/completions"])
def test_a_websocket_is_refused_with_a_clear_error(gateway, clients, path):
    mark = gateway.mark()
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": base64.b64encode(bytes(16)).decode(),
    }
    with clients.http() as http:
        answer = http.get(path, headers=upgrade)
    assert 400 <= answer.status_code < 600 and answer.status_code != 502, answer.status_code
    assert "WebSocket" in message(answer)
    seen = mark.settled(1)
    assert seen.outcomes() == {"refused_upgrade": 1}
    assert seen.ledger.requests == 0


def test_a_refusal_comes_before_the_body_is_sent(gateway, clients):
    """`Expect: 100-continue` or not: a caller with a wrong key is told so whatever it still means to send."""
    with Wire(gateway, key="tg-wrong") as wire:
        wire.send(f"{wire.head}Content-Length: 4000000\r\n\r\n" + "{" * 10)
        first = wire.socket.recv(65536)
    assert first.startswith(b"HTTP/1.1 401"), first
