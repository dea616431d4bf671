"""A client that is served all the time, or notices. In: a running setup. Out: how long it was kept waiting at most."""

import http.client
import json
import os
import threading
import time

from . import load
from .documents import KEY, MODEL
from .setups import Setup

BODY = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Still there?"}], "max_tokens": 16})
PAUSE = 0.002


class Probe(threading.Thread):
    """Asks again and again on one connection until it is told to stop; a context manager."""

    def __init__(self, setup: Setup, upstream: str):
        super().__init__(name="probe", daemon=True)
        self.setup = setup
        self.headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Host": upstream}
        self.longest = 0.0
        self.asked = 0
        self.failed = 0
        self._enough = threading.Event()

    def __enter__(self) -> "Probe":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self._enough.set()
        self.join()

    def run(self) -> None:
        """Asks."""
        # This thread alone; Envoy has the other core.
        os.sched_setaffinity(0, {int(load.PEER_CORE)})
        connection = http.client.HTTPConnection(self.setup.listen, timeout=60)
        while not self._enough.wait(PAUSE):
            began = time.monotonic()
            try:
                connection.request("POST", "/v1/chat/completions", BODY, self.headers)
                answer = connection.getresponse()
                answer.read()
                self.failed += answer.status != 200
            except (OSError, http.client.HTTPException):
                self.failed += 1
                connection.close()
            self.asked += 1
            self.longest = max(self.longest, time.monotonic() - began)
        connection.close()
