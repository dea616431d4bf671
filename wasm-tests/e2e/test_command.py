"""`tollgate up` as an operator meets it: it starts, says where to look, refuses what cannot work, and leaves nothing behind."""

import json
import subprocess


from harness import artefacts
from harness.gateway import WORKERS
from harness.process import eventually

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
    from harness.gateway import Gateway

    gateway = Gateway(standing.document(), tmp_path, standing.simulators).start()
    below = gateway.child.descendants()
    assert below, "Envoy is a child of the command"
    gateway.stop()
    assert not gateway.left_running
    assert gateway.child.process.returncode in (0, -15, 143), gateway.child.tail()
    assert gateway.ask_admin("/ready") == ""


def test_it_ends_when_envoy_does(standing, tmp_path):
    """A dead Envoy must not look like a running gateway."""
    import os
    import signal

    from harness.gateway import Gateway

    gateway = Gateway(standing.document(), tmp_path, standing.simulators).start()
    try:
        for pid in gateway.child.descendants():
            os.kill(pid, signal.SIGKILL)
        eventually("the command has ended", lambda: not gateway.child.running)
        assert gateway.child.process.returncode != 0
        assert "nvoy" in gateway.child.tail()
    finally:
        gateway.stop()


def test_a_document_with_problems_is_not_started(standing, tmp_path):
    from harness.gateway import Gateway

    document = standing.document()
    document.model("broken", "nobody")
    gateway = Gateway(document, tmp_path, standing.simulators)
    ran = subprocess.run(gateway.command_line(), capture_output=True, text=True, timeout=60, check=False, env=document.credentials)
    assert ran.returncode == 1, ran.stderr
    assert "models.broken.targets[0].provider" in ran.stderr and "nobody" in ran.stderr


def test_a_missing_credential_is_named_and_not_started(standing, tmp_path):
    from harness.gateway import Gateway

    document = standing.document()
    gateway = Gateway(document, tmp_path, standing.simulators)
    ran = subprocess.run(gateway.command_line(), capture_output=True, text=True, timeout=60, check=False, env={})
    assert ran.returncode == 1, ran.stderr
    assert "OPENAI_CREDENTIAL" in ran.stderr


def test_an_address_in_use_is_told_as_such(gateway, standing, tmp_path):
    from harness.gateway import Gateway

    second = Gateway(standing.document(listen=gateway.address), tmp_path, standing.simulators)
    ran = subprocess.run(
        second.command_line(), capture_output=True, text=True, timeout=60, check=False, env=second.document.credentials
    )
    assert ran.returncode not in (0, None)
    assert gateway.address in ran.stderr + ran.stdout


def test_the_gateway_still_works_afterwards(gateway):
    """Nothing above took the shared gateway with it."""
    assert gateway.clients.openai().chat.completions.create(model="gpt-4o-mini", messages=QUESTION).choices
