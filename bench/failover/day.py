"""A day on which the providers are in trouble. In: simulated providers, and how many tokens a minute are asked of the primary
on a fair one. Out: outages and a quota, for as long as it lasts.

Every ten seconds the primary is out for one: it answers 503, then nobody listens there, then it resets every connection, in
turn. All the while its quota of tokens, the prompts' and the most the answers may have, is a little less than what is asked.
Of the first backup's answers two in a hundred are a 500.
"""

import http.client
import itertools
import json
import threading

from harness.simulator import Simulator

EVERY_MS, FOR_MS, FROM_MS = 10_000, 1_000, 5_000
OUTAGES = ["503", "refuse", "reset"]
# The quota, as a share of what is asked for on a fair day, when conversations grow longer. After an outage there is a little
# more of it, because none was used.
SHARE = 0.76
BACKUP = {"flaky": {"500": 2}}


def post(provider: Simulator, path: str, body: dict, headers: dict | None = None) -> int:
    """The status of the answer."""
    connection = http.client.HTTPConnection(provider.authority, timeout=30)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


class Day:
    """The trouble of one run; a context manager. It is the same each time it begins."""

    def __init__(self, primary: Simulator, backup: Simulator, asked: int):
        self.primary, self.backup = primary, backup
        self.quota = int(asked * SHARE)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._pass, daemon=True)

    def __enter__(self) -> "Day":
        self._drain()
        self._forecast(self.backup, BACKUP)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self._thread.join()
        for provider in (self.primary, self.backup):
            self._forecast(provider, {})

    def _pass(self) -> None:
        for outage in itertools.cycle(OUTAGES):
            self._forecast(self.primary, {"outage": outage, "from_ms": FROM_MS, "for_ms": FOR_MS, "tpm": self.quota})
            # The next forecast comes while there is no outage.
            if self._over.wait(EVERY_MS / 1000):
                return

    def _drain(self) -> None:
        """Leaves nothing of a minute's quota, which would otherwise last for all of the run."""
        self._forecast(self.primary, {"tpm": self.quota})
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "All of it."}], "max_tokens": self.quota * 2}
        status = post(self.primary, "/v1/chat/completions", body, {"authorization": f"Bearer {self.primary.credential}"})
        assert status == 200, f"the quota could not be used up: {status}"

    @staticmethod
    def _forecast(provider: Simulator, forecast: dict) -> None:
        status = post(provider, "/weather", forecast)
        assert status < 300, f"{provider.name} does not take {forecast}: {status}"
