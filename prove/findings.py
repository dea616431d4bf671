"""What becomes of a promise. In: what was tried and measured, and conditions. Out: one line, `holds` or `BROKEN`."""

from dataclasses import dataclass, field


@dataclass
class Findings:
    """Of one promise, collected while it is tried."""

    tried: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def did(self, what: str) -> None:
        """Something was tried."""
        self.tried.append(what)

    def saw(self, what: str) -> None:
        """Something was measured."""
        self.measured.append(what)

    def must(self, holds: bool, otherwise: str) -> None:
        """A condition of the promise, and what is wrong where it is not met."""
        if not holds:
            self.broken.append(otherwise)

    @property
    def hold(self) -> bool:
        """Whether the promise is kept; one of which nothing was measured is not."""
        return not self.broken and bool(self.measured)

    def line(self, name: str, promise: str) -> str:
        """The promise, what was tried, what was measured, the verdict."""
        verdict = "holds" if self.hold else "BROKEN"
        parts = [promise, f"tried: {', '.join(self.tried)}", f"measured: {', '.join(self.measured)}"]
        return f"{verdict:<7}{name:<10}" + " | ".join([*parts, *self.broken])


def dollars(nanodollars: int) -> str:
    """Exactly."""
    return f"${nanodollars // 10**9}.{nanodollars % 10**9:09d}"
