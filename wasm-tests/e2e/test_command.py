"""`tollgate up` as an operator meets it: it says where to look, refuses what cannot work, leaves nothing behind."""

import json
import os
import signal
import subprocess

from harness import artefacts
from harness.gateway import WORKERS, Gateway
from harness.process import eventually
from harness.simulator import simulate

QUESTION = [{"role": "user", "content": "Anybody home?"}]


def test_envoy_runs_with_four_workers(gateway):
    info = json.loads(gateway.ask_admin("/server_info"))
    assert info["command_line_options"]["concurrency"] == WORKERS
    assert "/1.40." in info["version"]


def test_it_says_where_it_listens(gateway):
    said = gateway.child.text()
    assert gateway.address in said
    assert gateway.admin in said


def test_a_minted_key_works(start_gateway, standing):
    """`key new` prints an entry; pasted into the document it is the key's."""
    minted = subprocess.run(
        [artefacts.command(), "key", "new", "--name", "minted"], capture_output=True, text=True, timeout=30, check=True
    )
    document = standing.document()
    entry = json.loads(minted.stdout)
    document.keys.append(entry)
    [secret] = [word for word in minted.stderr.split() if word.startswith("tg-")]
    assert secret not in minted.stdout
    gateway = start_gateway(document)
    assert gateway.clients.openai(secret).chat.completions.create(model="gpt-4o-mini", messages=QUESTION).choices
    assert gateway.idle().total("tollgate_requests_total", key="minted") == 1


def test_ending_it_ends_envoy(standing, tmp_path):
    gateway = Gateway(standing.document(), tmp_path, standing.simulators).start()
    assert gateway.child.descendants(), "Envoy is a child of the command"
    gateway.stop()
    assert not gateway.left_running
    assert gateway.child.process.returncode in (0, -signal.SIGTERM, 128 + signal.SIGTERM), gateway.child.tail()
    assert gateway.ask_admin("/ready") == ""


def test_it_ends_when_envoy_does(standing, tmp_path):
    """A dead Envoy must not look like a running gateway."""
    gateway = Gateway(standing.document(), tmp_path, standing.simulators).start()
    try:
        for pid in gateway.child.descendants():
            os.kill(pid, signal.SIGKILL)
        eventually("the command has ended", lambda: not gateway.child.running)
        assert gateway.child.process.returncode != 0
        assert "Envoy" in gateway.child.tail()
    finally:
        gateway.stop()


def test_a_stream_may_end_before_the_gateway_does(standing, tmp_path):
    """Told to end, it lets what is in flight come to its end."""
    gateway = Gateway(standing.document(), tmp_path, standing.simulators).start()
    steering = simulate(tokens=150, rate=100)
    with gateway.clients.openai(simulate=steering).chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, stream=True
    ) as stream:
        chunks = iter(stream)
        next(chunks)
        gateway.child.process.terminate()
        rest = list(chunks)
    gateway.stop()
    assert rest[-1].choices[0].finish_reason == "stop"
    assert not gateway.left_running


def test_a_document_with_problems_is_not_started(standing, tmp_path):
    gateway = Gateway(standing.document().model("broken", "somebody-else"), tmp_path, standing.simulators)
    assert gateway.start_in_vain() == 1
    assert "models.broken.targets[0].provider" in gateway.child.text()
    assert "somebody-else" in gateway.child.text()


def test_a_missing_credential_is_named_and_not_started(standing, tmp_path):
    gateway = Gateway(standing.document(), tmp_path, standing.simulators)
    gateway.document.credentials.clear()
    assert gateway.start_in_vain() == 1
    assert "OPENAI_CREDENTIAL" in gateway.child.text()


def test_an_address_in_use_is_told_as_such(gateway, standing, tmp_path):
    second = Gateway(standing.document(listen=gateway.address), tmp_path, standing.simulators)
    assert second.start_in_vain() == 2
    assert gateway.address in second.child.text()
    assert gateway.clients.openai().models.list().data, "the first one is still there"
