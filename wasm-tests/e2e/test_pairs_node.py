"""The official Node SDKs before providers of other APIs, as a process of their own."""

import json
import os
import subprocess

from harness import artefacts
from harness.every_api import PROVIDERS, every_api
from harness.gateway import serving
from harness.speakers import SPEAKERS

# What pairs.test.mjs asks of every pair: three texts, and twice two about tools; and what is refused.
SERVED, CLIENTS_FAULT, LIMITED, FAILED = 7, 2, 1, 1


def test_the_node_sdks_work_before_every_provider(tmp_path):
    document, simulators = every_api(tmp_path, health={"failures": 1000})
    try:
        with serving(document, tmp_path, list(simulators.values())) as gateway:
            mark = gateway.mark()
            facts = {"url": gateway.clients.base, "key": gateway.clients.secret("everything")}
            ran = subprocess.run(
                [artefacts.node(), "--test", "--test-concurrency=1", "pairs.test.mjs"],
                cwd=artefacts.SUITE / "node",
                env={"PATH": os.environ["PATH"], "TOLLGATE_E2E": json.dumps(facts)},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
            pairs = len(SPEAKERS) * len(PROVIDERS)
            seen = mark.settled(pairs * (SERVED + CLIENTS_FAULT + LIMITED + FAILED))
            outcomes = seen.outcomes()
            assert outcomes.pop("ok") == pairs * SERVED
            assert outcomes.pop("provider_rate_limited") == pairs * LIMITED
            assert outcomes.pop("provider_error") == pairs * FAILED
            assert outcomes.pop("client_error") + outcomes.pop("context_window_exceeded") == pairs * CLIENTS_FAULT
            assert not outcomes
            assert seen.cost(source="reported") == seen.cost() == seen.ledger.reported > 0
            assert seen.ledger.leaked_virtual_keys == 0
    finally:
        for simulator in simulators.values():
            simulator.stop()
