"""A gateway that is spoken to in every API. In: a document and its simulators. Out: both, and a speaker for each API."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from .document import Document
from .gateway import Gateway
from .simulator import Simulator
from .speakers import SPEAKERS


@contextmanager
def spoken_to(document: Document, directory: Path, simulators: dict[str, Simulator]) -> Iterator[SimpleNamespace]:
    """Runs it, and ends it and its simulators; nothing may have gone wrong in it meanwhile."""
    gateway = Gateway(document, directory, list(simulators.values()))
    try:
        yield SimpleNamespace(
            gateway=gateway.start(),
            simulators=simulators,
            speakers={name: speaker(gateway.clients) for name, speaker in SPEAKERS.items()},
        )
    finally:
        gateway.stop()
        for simulator in simulators.values():
            simulator.stop()
    assert not gateway.troubles
