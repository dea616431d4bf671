"""What a promise is tried on. In: a directory. Out: simulated providers, documents and gateways, ended at the exit."""

from contextlib import ExitStack
from pathlib import Path

from harness.document import Document
from harness.gateway import Gateway
from harness.process import refusing_port
from harness.simulator import Ledger, Simulator
from harness.standing import Standing


class World:
    """The harness's providers, and whatever gateways are started in front of them; a context manager."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.simulators: list[Simulator] = []
        self.gateways: list[Gateway] = []
        self.troubles: list[str] = []
        self._ports = ExitStack()

    def __enter__(self) -> "World":
        self.directory.mkdir(parents=True)
        dead = (self._ports.enter_context(refusing_port()), self._ports.enter_context(refusing_port()))
        try:
            self.standing = Standing(self.simulators, self.directory, dead)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for gateway in self.gateways:
            gateway.stop()
            self.troubles += gateway.troubles
            self.troubles += [f"process {pid} was left running" for pid in gateway.left_running]
        for simulator in self.simulators:
            simulator.stop()
        self._ports.close()

    def document(self, **settings) -> Document:
        """The three providers and a few models; no keys."""
        document = self.standing.providers(Document(default_provider="openai", **settings))
        for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1"):
            document.model(name, "openai")
        document.model("claude-haiku-4-5", "anthropic")
        return document

    def gateway(self, document: Document, name: str = "gateway") -> Gateway:
        """A running one, with four workers."""
        directory = self.directory / name
        directory.mkdir()
        gateway = Gateway(document, directory, self.simulators)
        self.gateways.append(gateway)
        return gateway.start()

    def revive(self, dead: Simulator, life: str) -> Simulator:
        """Starts a provider that was killed again, at the same address; its books are empty."""
        directory = self.directory / life
        directory.mkdir()
        fresh = Simulator(dead.name, directory, dead.credential, port=dead.port)
        self.simulators[self.simulators.index(dead)] = fresh
        return fresh

    def ledger(self) -> Ledger:
        """What all providers together would bill."""
        return sum((simulator.ledger() for simulator in self.simulators), Ledger.empty())
