"""The official Node SDKs, as their own process, before providers of every API."""

import json
import os
import re
import secrets
import subprocess

from harness import artefacts
from harness.document import Document
from harness.gateway import serving
from harness.simulator import Simulator

# A provider's dialect, where its API begins, what else the gateway has to be told, and a model of its own.
PROVIDERS = {
    "chat": ("openai", "/v1", {"priced_as": "openai"}, "gpt-4o"),
    "responses": ("openai", "/v1", {"priced_as": "openai", "translate_to": "responses"}, "gpt-4.1"),
    "anthropic": ("anthropic", "", {"priced_as": "anthropic"}, "claude-haiku-4-5"),
    "gemini": ("gemini", "/v1beta", {"priced_as": "google"}, "gemini-2.5-flash"),
    "bedrock": ("bedrock", "", {"priced_as": "aws", "auth": "bearer"}, "amazon.nova-lite-v1:0"),
}


def test_the_node_sdks_work_with_every_provider(tmp_path):
    document, simulators = Document(health={"failures": 1000, "rest": "1s"}), []
    for name, (dialect, path, facts, model) in PROVIDERS.items():
        credential = f"sk-provider-{secrets.token_hex(16)}"
        simulators.append(Simulator(name, tmp_path, credential))
        document.provider(name, dialect, f"{simulators[-1].origin}{path}", credential, **facts)
        document.model(name, (name, model))
    key = document.key("everything")
    try:
        with serving(document, tmp_path, simulators) as gateway:
            facts = {"url": gateway.clients.base, "key": key, "providers": list(PROVIDERS)}
            ran = subprocess.run(
                [artefacts.node(), "--test", "pairs.test.mjs"],
                cwd=artefacts.SUITE / "node",
                env={"PATH": os.environ["PATH"], "TOLLGATE_E2E": json.dumps(facts)},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert ran.returncode == 0, ran.stdout[-12000:] + ran.stderr[-2000:]
            served = int(re.search(r"served: (\d+)", ran.stdout)[1])
            seen, ledger = gateway.idle(), gateway.ledger()
    finally:
        for simulator in simulators:
            simulator.stop()
    assert seen.total("tollgate_requests_total", outcome="ok") == served == 9 * len(PROVIDERS) * 3
    assert seen.total("tollgate_cost_nanodollars_total", outcome="ok") == ledger.settled > 0
    assert ledger.leaked_virtual_keys == 0
    assert not seen.total("tollgate_internal_errors_total")
