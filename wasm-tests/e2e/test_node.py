"""The official Node SDK, as its own process."""

import json
import os
import subprocess

from harness import artefacts

# What sdk.test.mjs sends: each of its requests once.
OUTCOMES = {
    "ok": 10,
    "refused_key_unknown": 1,
    "refused_key_disabled": 1,
    "refused_model_forbidden": 1,
    "refused_model_unknown": 1,
    "refused_body_invalid": 1,
    "provider_rate_limited": 3,
    "provider_error": 1,
    "interrupted_by_client": 1,
}


def test_the_node_sdk_works_unmodified(gateway):
    mark = gateway.mark()
    facts = {
        "url": gateway.clients.base,
        "host": gateway.clients.host("openai").get("Host"),
        "keys": gateway.document.secrets,
    }
    ran = subprocess.run(
        [artefacts.node(), "--test", "--test-concurrency=1", "sdk.test.mjs"],
        cwd=artefacts.SUITE / "node",
        env={"PATH": os.environ["PATH"], "TOLLGATE_E2E": json.dumps(facts)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    seen = mark.settled(sum(OUTCOMES.values()))
    assert seen.outcomes() == OUTCOMES
    assert seen.cost(source="reported") == seen.ledger.reported > 0
    assert seen.ledger.leaked_virtual_keys == 0
