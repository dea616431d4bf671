"""Ways around the meter, a key's models or the gateway's credential: each ends in a refusal or an exact bill."""

import json

import openai
import pytest

from harness.discretion import tells_nothing
from harness.simulator import simulate
from harness.wire import Wire

ALLOWED, FORBIDDEN = "gpt-4o-mini", "gpt-4o-transcribe"
CHAT = {"model": ALLOWED, "messages": [{"role": "user", "content": "let me through"}]}


def part(disposition: str, value: str) -> str:
    """One part of a form, its disposition written as given."""
    return f"--cut\r\nContent-Disposition: {disposition}\r\n\r\n{value}\r\n"


def form(*parts: str, as_type: str = "multipart/form-data; boundary=cut") -> dict:
    """A form whose file is the recording to transcribe."""
    recording = part('form-data; name="file"; filename="bridge.wav"', "RIFF" + "0" * 2000)
    content = "".join([*parts, recording, "--cut--\r\n"]).encode()
    return {"content": content, "headers": {"content-type": as_type}}


def named(model: str) -> str:
    """The part that names the model, as everybody writes it."""
    return part('form-data; name="model"', model)


@pytest.mark.parametrize("tricky", [
    form(named(ALLOWED), named(FORBIDDEN)),
    form(named(FORBIDDEN), named(ALLOWED)),
    form(named(ALLOWED), part("form-data; name=model", FORBIDDEN)),
    form(named(ALLOWED), part('form-data; NAME="model"', FORBIDDEN)),
    form(named(ALLOWED), part('form-data;name="m\\odel"', FORBIDDEN)),
    form(named(ALLOWED), part('form-data; name="x"; name="model"', FORBIDDEN)),
    form(named(ALLOWED), part("form-data; name*=utf-8''model", FORBIDDEN)),
    form(part("form-data; name=model", FORBIDDEN)),
    form(part('FORM-DATA ; name = "model"', FORBIDDEN)),
    form(named(ALLOWED + "\r\n--cut\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n" + FORBIDDEN)),
    form(named(ALLOWED), named(FORBIDDEN), as_type="multipart/form-data; boundary=cut; boundary=x"),
    form(named(ALLOWED), named(FORBIDDEN), as_type='Multipart/Form-Data; Boundary="cut"'),
    form(named(ALLOWED), named(FORBIDDEN), as_type="application/json"),
    form(named(ALLOWED), named(FORBIDDEN), as_type="text/plain"),
])  # fmt: skip
def test_no_form_hides_a_model_the_key_may_not_use(gateway, clients, tricky):
    mark = gateway.mark()
    with clients.http("narrow") as http:
        answer = http.post("/v1/audio/transcriptions", **tricky)
    assert answer.status_code in (400, 403, 404, 415), answer.text
    seen = mark.settled(1)
    assert seen.ledger.settled_requests == seen.ledger.unreported_requests == 0


@pytest.mark.parametrize("content", [
    b'{"model": "gpt-4o-mini", "model": "gpt-image-1", "prompt": "x"}',
    b'{"model": "gpt-image-1", "model": "gpt-4o-mini", "prompt": "x"}',
    b'{"model": "gpt-4o-mini", "mod\\u0065l": "gpt-image-1", "prompt": "x"}',
    b'\xef\xbb\xbf{"model": "gpt-image-1", "prompt": "x"}',
    b'{"model": "gpt-4o-mini", /* "model": 1, */ "prompt": "x"}',
    b'{"prompt": "x"}',
    b'{"model": null, "prompt": "x"}',
    b'{"model": "", "prompt": "x"}',
    b'{"model": "gpt-image-1 ", "prompt": "x"}',
    b'[{"model": "gpt-4o-mini"}]',
])  # fmt: skip
def test_no_json_hides_a_model_the_key_may_not_use(gateway, clients, content):
    mark = gateway.mark()
    with clients.http("narrow") as http:
        answer = http.post("/v1/images/generations", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 403, 404), answer.text
    assert mark.settled(1).provider_was_spared()


@pytest.mark.parametrize("method, path", [
    ("DELETE", "/v1/files/file-1"),
    ("GET", "/v1/files"),
    ("POST", "/v1/batches"),
    ("POST", "/v1/fine_tuning/jobs"),
    ("POST", "/v1/responses/resp_1/cancel"),
    ("GET", "/v1/responses/resp_1"),
    ("PUT", "/v1/files"),
])  # fmt: skip
def test_a_model_that_means_nothing_opens_nothing(gateway, clients, method, path):
    """Where no model is taken, naming an allowed one does not make a limited key an unlimited one."""
    mark = gateway.mark()
    with clients.http("narrow") as http:
        answer = http.request(method, path, json=CHAT)
    assert answer.status_code == 403, answer.text
    assert mark.settled(1).ledger.requests == 0


@pytest.mark.parametrize("method", ["TRACE", "PURGE", "PROPFIND", "post"])
@pytest.mark.parametrize("path", ["/v1/files", "/v1/chat/completions"])
def test_an_odd_method_reaches_no_provider(gateway, method, path):
    """TRACE would have the provider tell the gateway's own credential."""
    before = gateway.ledger()
    with Wire(gateway, path=path) as wire:
        wire.send(wire.head.replace("POST", method, 1) + "Content-Length: 0\r\nConnection: close\r\n\r\n")
        answer = wire.read_all().decode("utf-8", "replace")
    assert answer.split(" ", 2)[1] in ("400", "405"), answer
    tells_nothing(gateway, answer.split("\r\n\r\n", 1)[1])
    assert (gateway.ledger() - before).requests == 0


def test_an_answer_to_be_fetched_later_is_refused(gateway, clients):
    """It could be fetched past the meter."""
    mark = gateway.mark()
    with pytest.raises(openai.BadRequestError) as caught:
        clients.openai().responses.create(model="gpt-4o", input="a long thought", background=True)
    assert caught.value.param == "background"
    assert mark.settled(1).provider_was_spared()


def test_credentials_for_a_websocket_are_not_given_out(gateway, clients):
    mark = gateway.mark()
    with clients.http() as http:
        answer = http.post("/v1/realtime/client_secrets", json={"session": {"model": "gpt-4o"}})
    assert answer.status_code == 501
    assert "WebSocket" in answer.json()["error"]["message"]
    assert mark.settled(1).ledger.requests == 0


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_client_cannot_have_envoy_repeat_what_is_metered_once(gateway, clients, status):
    greedy = {
        "x-envoy-max-retries": "5",
        "x-envoy-retry-on": "5xx,retriable-4xx,retriable-status-codes",
        "x-envoy-retriable-status-codes": "429,500,503",
        "x-envoy-hedge-on-per-try-timeout": "true",
        "x-envoy-upstream-rq-per-try-timeout-ms": "1",
        "x-tollgate-retry": "1",
    }
    mark = gateway.mark()
    with pytest.raises(openai.APIStatusError):
        clients.openai(simulate=simulate(status=status)).chat.completions.create(**CHAT, extra_headers=greedy)
    seen = mark.settled(1)
    assert seen.ledger.requests == seen.metrics.total("tollgate_attempts_total") == 1


def test_a_client_cannot_have_envoy_hedge_what_is_metered_once(gateway, clients):
    hedging = {"x-envoy-hedge-on-per-try-timeout": "true", "x-envoy-upstream-rq-per-try-timeout-ms": "20"}
    mark = gateway.mark()
    client = clients.openai(simulate=simulate(ttft_ms=200))
    assert client.chat.completions.create(**CHAT, extra_headers={**hedging, "x-envoy-max-retries": "3"}).choices
    seen = mark.settled(1)
    assert seen.ledger.requests == 1
    assert seen.cost() == seen.ledger.settled > 0


@pytest.mark.parametrize("more", [
    "Authorization: Bearer {loner}\r\n",
    "authorization: Bearer {loner}\r\nAuthorization: Bearer {timed}\r\n",
    "x-api-key: {loner}\r\nX-Api-Key: {timed}\r\n",
    "api-key: {loner}\r\nCookie: key={timed}\r\n",
    "x-goog-api-key: {loner}\r\nProxy-Authorization: Bearer {timed}\r\n",
])  # fmt: skip
def test_a_second_key_does_not_leak(gateway, clients, more):
    mark = gateway.mark()
    body = json.dumps(CHAT)
    secrets = {name: clients.secret(name) for name in ("loner", "timed")}
    with Wire(gateway) as wire:
        wire.send(f"{wire.head}{more.format(**secrets)}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}")
        answer = wire.read_all()
    assert answer.split(b" ", 2)[1] in (b"200", b"400", b"401"), answer[:300]
    ledger = mark.settled(1).ledger
    assert ledger.leaked_virtual_keys == 0
    assert set(ledger.attempts) <= {"openai"}


@pytest.mark.parametrize(
    "lengths", ["Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n", "Content-Length: {n}\r\nContent-Length: 5\r\n"]
)
def test_a_request_is_not_smuggled_in_another(gateway, lengths):
    """Two lengths are two readings; what would be a second request to a provider must not come about."""
    before = gateway.ledger()
    smuggled = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with Wire(gateway) as wire:
        wire.send(f"{wire.head}{lengths.format(n=len(smuggled) + 5)}Connection: close\r\n\r\n0\r\n\r\n{smuggled}")
        answer = wire.read_all()
    assert answer.split(b" ", 2)[1] in (b"400", b"401"), answer[:300]
    assert (gateway.ledger() - before).settled_requests == 0
