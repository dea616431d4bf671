"""Endpoints Tollgate has no meter of its own for: authenticated, counted, forwarded as they are."""

import io

import openai
import pytest

from harness.document import mint
from harness.simulator import simulate


def counted(seen, outcome: str = "ok", requests: int = 1) -> None:
    """Recorded under the endpoint `other`."""
    assert seen.metrics.by("tollgate_requests_total", "key", "endpoint", "outcome") == {
        ("everything", "other", outcome): requests
    }
    assert seen.ledger.leaked_virtual_keys == 0


def test_files_go_to_the_default_provider(gateway, clients):
    mark = gateway.mark()
    client = clients.openai()
    stored = client.files.create(file=("notes.jsonl", b'{"a": 1}\n'), purpose="batch")
    assert stored.id
    assert client.files.list().data is not None
    seen = mark.settled(2)
    counted(seen, requests=2)
    assert seen.ledger.paths == {"/v1/files": 2}


def test_batches_go_to_the_default_provider(gateway, clients):
    mark = gateway.mark()
    batch = clients.openai().batches.create(
        input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert batch.id
    counted(mark.settled(1))


def test_moderations_pass(gateway, clients):
    mark = gateway.mark()
    answer = clients.openai().moderations.create(model="omni-moderation-latest", input="a bridge")
    assert answer.results
    counted(mark.settled(1))


def test_an_image_is_charged_by_the_usage_its_reply_reports(gateway, clients):
    mark = gateway.mark()
    answer = clients.openai().images.generate(model="gpt-image-1", prompt="a bridge at dawn")
    assert answer.data
    seen = mark.settled(1)
    counted(seen)
    assert seen.cost() == seen.ledger.settled > 0


def test_an_endpoint_the_provider_does_not_have_is_its_own_answer(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.NotFoundError):
        clients.openai().audio.speech.create(model="gpt-audio", voice="alloy", input="a bridge")
    seen = mark.settled(1)
    counted(seen, "client_error")
    assert seen.cost() == 0


def test_a_transcription_is_a_form_with_a_file(gateway, clients):
    mark = gateway.mark()
    recording = io.BytesIO(bytes(range(256)) * 400)
    recording.name = "bridge.wav"
    answer = clients.openai(simulate=simulate(audio_in=50)).audio.transcriptions.create(
        model="gpt-4o-transcribe", file=recording
    )
    assert answer.text
    seen = mark.settled(1)
    counted(seen)
    assert seen.cost() == seen.ledger.settled > 0
    assert seen.metrics.by("tollgate_requests_total", "model") == {"gpt-4o-transcribe": 1}


def test_a_rerank_passes(gateway, clients):
    mark = gateway.mark()
    with clients.http(provider="spare") as http:
        answer = http.post(
            "/v1/rerank", json={"model": "rerank-english", "query": "toll", "documents": ["bridge", "gate"]}
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["results"]
    counted(mark.settled(1))


@pytest.mark.parametrize(
    "path", ["/v1/files", "/v1/batches", "/v1/moderations", "/v1/images/generations", "/v1/anything/new"]
)
def test_no_key_no_passage(gateway, clients, path):
    mark = gateway.mark()
    with clients.http(mint()) as http:
        answer = http.post(path, json={"model": "gpt-4o-mini"})
    assert answer.status_code == 401
    assert mark.settled(1).ledger.requests == 0


def test_a_limited_key_cannot_pass_where_no_model_is_named(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.PermissionDeniedError):
        clients.openai("narrow").files.list()
    assert mark.settled(1).ledger.requests == 0


def test_a_limited_key_cannot_pass_with_a_model_it_may_not_use(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.PermissionDeniedError):
        clients.openai("narrow").images.generate(model="gpt-image-1", prompt="a bridge")
    recording = io.BytesIO(b"RIFF" + bytes(1000))
    recording.name = "bridge.wav"
    with pytest.raises(openai.PermissionDeniedError):
        clients.openai("narrow").audio.transcriptions.create(model="gpt-4o-transcribe", file=recording)
    assert mark.settled(2).provider_was_spared()
