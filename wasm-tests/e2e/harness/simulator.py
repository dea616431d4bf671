"""The simulated provider. In: a credential it accepts. Out: an address, and a ledger of what it would bill."""

import http.client
import json
from dataclasses import dataclass, field
from pathlib import Path

from . import artefacts
from .process import Child


def simulate(*flags: str, **knobs) -> str:
    """The value of `x-simulate` that asks for this kind of answer."""
    return ",".join([*flags, *(f"{knob}={value}" for knob, value in knobs.items())])


@dataclass(frozen=True)
class Ledger:
    """Sums of one or more ledgers, or the difference of two states of one. Money in nano-dollars."""

    requests: int = 0
    leaked_virtual_keys: int = 0
    in_flight: int = 0
    errors: int = 0
    settled: int = 0
    settled_requests: int = 0
    unreported_requests: int = 0
    interrupted_requests: int = 0
    interrupted_reported: int = 0
    paths: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    settled_by_model: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> "Ledger":
        """Nothing."""
        return cls()

    @classmethod
    def read(cls, report: dict) -> "Ledger":
        """From the JSON of `GET /ledger`."""
        totals = report["totals"]
        by_model: dict[str, int] = {}
        for models in report["credentials"].values():
            for model, account in models.items():
                if account["settled"]["requests"]:
                    by_model[model] = by_model.get(model, 0) + account["settled"]["requests"]
        tokens = _plus(totals["settled"]["tokens"], totals["interrupted"]["reported"]["tokens"])
        return cls(
            requests=report["requests"],
            leaked_virtual_keys=report["leaked_virtual_keys"],
            in_flight=report["in_flight"],
            errors=totals["errors"],
            settled=totals["settled"]["nanodollars"],
            settled_requests=totals["settled"]["requests"],
            unreported_requests=totals["unreported"]["requests"],
            interrupted_requests=totals["interrupted"]["requests"],
            interrupted_reported=totals["interrupted"]["reported"]["nanodollars"],
            paths=report["paths"],
            attempts=report["attempts"],
            settled_by_model=by_model,
            tokens=tokens,
        )

    @property
    def reported(self) -> int:
        """Nano-dollars of all usage it has told its callers, in whole answers and in interrupted ones."""
        return self.settled + self.interrupted_reported

    def models(self) -> dict[str, int]:
        """Settled replies by the provider's own name of the model."""
        return self.settled_by_model

    def __add__(self, other: "Ledger") -> "Ledger":
        return self._with(other, 1)

    def __sub__(self, other: "Ledger") -> "Ledger":
        return self._with(other, -1)

    def _with(self, other: "Ledger", sign: int) -> "Ledger":
        values = {}
        for name in self.__dataclass_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            values[name] = _plus(mine, theirs, sign) if isinstance(mine, dict) else mine + sign * theirs
        return Ledger(**values)


def _plus(one: dict[str, int], other: dict[str, int], sign: int = 1) -> dict[str, int]:
    sums = {name: one.get(name, 0) + sign * other.get(name, 0) for name in one.keys() | other.keys()}
    return {name: value for name, value in sums.items() if value}


class Simulator:
    """One simulated provider, started at once."""

    def __init__(self, name: str, directory: Path, credential: str | None = None, options: tuple = (), port: int = 0):
        self.name = name
        self.credential = credential
        known = ["--credential", f"{name}={credential}"] if credential else []
        command = [artefacts.simulator(), "--listen", f"127.0.0.1:{port}", *known, *options]
        self.child = Child(f"simulator {name}", command, directory / f"{name}.log", {"RUST_BACKTRACE": "1"})
        first = self.child.until("it said where it listens", self._announcement)
        self.authority = first.rsplit("http://", 1)[1].strip()
        self.port = int(self.authority.rsplit(":", 1)[1])

    def _announcement(self) -> str | None:
        lines = [line for line in self.child.text().splitlines(keepends=True) if line.startswith("listening on ")]
        return lines[0] if lines and lines[0].endswith("\n") else None

    @property
    def origin(self) -> str:
        """scheme://host:port"""
        return f"http://{self.authority}"

    def report(self) -> dict:
        """The ledger as it is served."""
        connection = http.client.HTTPConnection(self.authority, timeout=30)
        try:
            connection.request("GET", "/ledger")
            answer = connection.getresponse()
            assert answer.status == 200, answer.status
            return json.loads(answer.read())
        finally:
            connection.close()

    def weather(self, **forecast) -> None:
        """Makes the day a bad one for everybody; nothing makes it fair again."""
        connection = http.client.HTTPConnection(self.authority, timeout=30)
        try:
            connection.request("POST", "/weather", json.dumps(forecast), {"content-type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status == 200, said
        finally:
            connection.close()

    def ledger(self) -> Ledger:
        """The ledger as sums."""
        return Ledger.read(self.report())

    def stop(self) -> None:
        """Ends it."""
        self.child.stop()

    def kill(self) -> None:
        """Ends it as a crash does."""
        self.child.process.kill()
        self.stop()
