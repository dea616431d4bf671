"""A gateway. In: a document. Out: `tollgate up` running Envoy on it, and what the pair says about itself."""

import http.client
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import artefacts
from .clients import Clients
from .document import Document
from .exposition import Metrics
from .process import Child, eventually, free_port
from .simulator import Ledger, Simulator

WORKERS = 4

NO_HISTOGRAM = "^wasmcustom.tollgate_[a-z_]*(_total|_in_flight|_info|_series)"
LEVELS = "^wasmcustom.tollgate_(limit|budget|set_aside|requests_in_flight)"

# A trap or a crash; the module answers on, on a new machine, so that no client may have noticed.
TROUBLE = re.compile(
    r"panicked|Uncaught|unreachable executed|\[critical\]|assert failure|Caught Segmentation", re.IGNORECASE
)


class Gateway:
    """`tollgate up` with a document, from start to stop."""

    def __init__(self, document: Document, directory: Path, simulators: list[Simulator], options: tuple = ()):
        self.document = document.copy()
        self.document.settings.setdefault("listen", f"127.0.0.1:{free_port()}")
        self.document.settings.setdefault("admin", f"127.0.0.1:{free_port()}")
        self.simulators = list(simulators)
        self.options = options
        self.directory = directory
        self.file = directory / "tollgate.json"
        self.run_directory = directory / "run"
        self.file.write_text(self.document.text())
        self.child: Child | None = None
        self.left_running: set[int] = set()
        self.troubles: list[str] = []

    @property
    def holds_headers(self) -> bool:
        """Whether it routes by the body, which needs the headers held."""
        return self.document.settings.get("hold_headers", True)

    @property
    def address(self) -> str:
        """host:port of the listener."""
        return self.document.settings["listen"]

    @property
    def admin(self) -> str:
        """host:port of Envoy's admin interface."""
        return self.document.settings["admin"]

    @property
    def clients(self) -> Clients:
        """Clients of this gateway."""
        hosts = None
        if not self.holds_headers:
            endpoints = {name: provider["endpoint"] for name, provider in self.document.providers.items()}
            hosts = {name: endpoint.split("://", 1)[1].split("/", 1)[0] for name, endpoint in endpoints.items()}
        return Clients(f"http://{self.address}", hosts, self.document.secrets)

    def command_line(self) -> list:
        """How the command is called."""
        return [
            artefacts.command(),
            "up",
            self.file,
            "--run-dir",
            self.run_directory,
            "--envoy",
            artefacts.envoy(),
            "--module",
            artefacts.module(),
            "--concurrency",
            str(WORKERS),
            "--access-log",
            self.directory / "access.log",
            *self.options,
        ]

    def start(self) -> "Gateway":
        """Starts it and waits until it answers."""
        self._run()
        self.child.until("it was ready", self.ready)
        return self

    def start_in_vain(self) -> int:
        """Starts what cannot work and waits until it has given up; its exit code."""
        self._run()
        try:
            eventually("it gave up", lambda: not self.child.running)
        finally:
            self.stop()
        return self.child.process.returncode

    def _run(self) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), **self.document.credentials}
        self.child = Child("tollgate", self.command_line(), self.directory / "tollgate.log", environment)

    def ready(self) -> bool:
        """Whether Envoy is live and Tollgate's configuration is in it."""
        return self.ask_admin("/ready").strip() == "LIVE" and "tollgate_build_info" in self.exposition()

    def stop(self) -> None:
        """Ends it; what it left running is in `left_running`, what should not have been logged in `troubles`."""
        if self.child is not None:
            self.left_running = self.child.stop()
            self.troubles = [line for line in self.child.text().splitlines() if TROUBLE.search(line)]

    def logs(self) -> str:
        """Everything it wrote as it ran: the command, Envoy, the access log."""
        return self.child.text() + (self.directory / "access.log").read_bytes().decode("utf-8", "replace")

    def files(self) -> str:
        """Everything in its run directory."""
        paths = [path for path in sorted(self.run_directory.rglob("*")) if path.is_file()]
        return "\n".join(path.read_bytes().decode("utf-8", "replace") for path in paths)

    def ask_admin(self, path: str) -> str:
        """An answer of the admin interface; empty while there is none."""
        connection = http.client.HTTPConnection(self.admin, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
            return body if answer.status == 200 else ""
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()

    def exposition(self) -> str:
        """Tollgate's part of the exposition."""
        return self.ask_admin("/stats/prometheus?filter=wasmcustom")

    def metrics(self) -> Metrics:
        """Tollgate's metrics now."""
        return Metrics.parse(self.exposition())

    def counts(self) -> Metrics:
        """The same without the histograms, which are most of it."""
        return Metrics.parse(self.ask_admin("/stats/prometheus?filter=" + NO_HISTOGRAM))

    def levels(self) -> Metrics:
        """The gauges of limits and budgets, and of what is under way and set aside for it."""
        return Metrics.parse(self.ask_admin("/stats/prometheus?filter=" + LEVELS))

    def ledger(self) -> Ledger:
        """What all simulators would bill by now."""
        return sum((simulator.ledger() for simulator in self.simulators), Ledger.empty())

    def mark(self) -> "Mark":
        """Remembers where the counters are, so that a test can look at its own part."""
        return Mark(self)

    def idle(self) -> Metrics:
        """Waits until no request is in flight; the metrics then."""

        eventually("no request is in flight", lambda: not self.counts().total("tollgate_requests_in_flight"))
        # On a page the counters were read before the gauges.
        return self.counts()

    def observed(self, sample: str, **wanted) -> int:
        """A histogram's sample, once Envoy has flushed an observation into it; for labels of one test's own."""
        family = sample.rsplit("_", 1)[0]
        series = {label: value for label, value in wanted.items() if label != "le"}

        def flushed():
            now = self.metrics()
            return now if now.total(f"{family}_count", **series) else None

        return eventually(f"{family} shows an observation", flushed, patience=20, pause=0.2).total(sample, **wanted)

    def replace(self, text: str) -> None:
        """Replaces the document as an editor or a config map does: whole, by rename."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(text)
        draft.rename(self.file)

    def change(self, document: Document) -> None:
        """Writes a changed document and waits until Envoy works with it."""
        document.settings.update(listen=self.address, admin=self.admin)
        self.replace(document.text())
        self.document = document
        wanted = document.digest()
        self.child.until(
            f"the configuration {wanted} is in use",
            lambda: self.counts().total("tollgate_config_info", hash=wanted) == 1,
        )


@contextmanager
def serving(document: Document, directory: Path, simulators: list[Simulator]) -> Iterator[Gateway]:
    """A gateway for as long as the block lasts, which must end without trouble."""
    gateway = Gateway(document, directory, simulators)
    try:
        yield gateway.start()
    finally:
        gateway.stop()
    assert not gateway.left_running, "tollgate up left processes behind when it was told to end"
    assert not gateway.troubles


class Mark:
    """A point in time of one gateway."""

    def __init__(self, gateway: Gateway):
        self.gateway = gateway
        self.metrics = gateway.counts()
        self.ledger = gateway.ledger()

    def settled(self, requests: int) -> "Seen":
        """What happened since, once that many requests have been recorded and nothing is in flight."""
        seen = None

        def recorded():
            nonlocal seen
            metrics = self.gateway.counts()
            now = metrics - self.metrics
            if metrics.total("tollgate_requests_in_flight") or now.total("tollgate_requests_total") < requests:
                return None
            again = self.gateway.counts()
            if again.samples != metrics.samples:
                return None
            seen = now
            return True

        try:
            eventually(f"{requests} requests are recorded", recorded, patience=20)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self._recorded(self.gateway.counts())}") from None
        assert seen.total("tollgate_requests_total") == requests, self._recorded(self.gateway.counts())
        return Seen(seen, self.gateway.ledger() - self.ledger, self.gateway.holds_headers)

    def _recorded(self, metrics: Metrics) -> str:
        labels = ("key", "model", "provider", "endpoint", "outcome")
        recorded = (metrics - self.metrics).by("tollgate_requests_total", *labels)
        waiting = {key: value for key, value in metrics.by("tollgate_requests_in_flight", "key").items() if value}
        return f"recorded: {recorded}; in flight: {waiting}"


class Seen:
    """What a test's own requests changed."""

    def __init__(self, metrics: Metrics, ledger: Ledger, holds_headers: bool):
        self.metrics = metrics
        self.ledger = ledger
        self.holds_headers = holds_headers

    def outcomes(self) -> dict[str, int]:
        """Requests by outcome."""
        return self.metrics.by("tollgate_requests_total", "outcome")

    def tokens(self, **wanted) -> dict[str, int]:
        """Tokens by kind."""
        return self.metrics.by("tollgate_tokens_total", "type", **wanted)

    def provider_was_spared(self) -> bool:
        """Whether no provider had anything to do. One that saw headers whose body never came did nothing for them."""
        ledger = self.ledger
        served = ledger.settled_requests + ledger.unreported_requests + ledger.interrupted_requests
        return served == 0 and (ledger.requests == 0 or not self.holds_headers)

    def cost(self, **wanted) -> int:
        """Nano-dollars."""
        return self.metrics.total("tollgate_cost_nanodollars_total", **wanted)
