"""Prometheus text. In: what /stats/prometheus answers. Out: samples that can be summed by labels and subtracted."""

from collections import defaultdict
from collections.abc import Callable, Collection

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Wanted = str | Collection[str] | Callable[[str], bool]


def _matches(labels: dict[str, str], wanted: dict[str, Wanted]) -> bool:
    for name, want in wanted.items():
        have = labels.get(name)
        if have is None:
            return False
        if isinstance(want, str):
            if have != want:
                return False
        elif callable(want):
            if not want(have):
                return False
        elif have not in want:
            return False
    return True


class Metrics:
    """The samples of one scrape, or the difference of two."""

    def __init__(self, samples: dict[tuple[str, Labels], float], kinds: dict[str, str]):
        self.samples = samples
        self.kinds = kinds

    @classmethod
    def parse(cls, text: str) -> "Metrics":
        """Reads an exposition; refuses a sample or a family that appears twice."""
        samples: dict[tuple[str, Labels], float] = {}
        kinds: dict[str, str] = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, family, kind = line.split(" ")
                if family in kinds:
                    raise AssertionError(f"family {family} is declared twice")
                kinds[family] = kind
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                series = (sample.name, frozenset(sample.labels.items()))
                if series in samples:
                    raise AssertionError(f"series {series} appears twice")
                samples[series] = sample.value
        return cls(samples, kinds)

    def __sub__(self, before: "Metrics") -> "Metrics":
        changed = {series: value - before.samples.get(series, 0) for series, value in self.samples.items()}
        return Metrics({series: value for series, value in changed.items() if value}, self.kinds)

    def names(self) -> set[str]:
        """Every sample name."""
        return {name for name, _ in self.samples}

    def of(self, name: str, **wanted: Wanted) -> list[tuple[dict[str, str], float]]:
        """The samples of that name whose labels are as wanted: a value, a set of values, or a predicate."""
        return [
            (dict(labels), value)
            for (sample, labels), value in self.samples.items()
            if sample == name and _matches(dict(labels), wanted)
        ]

    def total(self, name: str, **wanted: Wanted) -> int:
        """The sum over those samples. Tollgate counts in whole units, so a fraction is a defect."""
        total = sum(value for _, value in self.of(name, **wanted))
        if total != int(total):
            raise AssertionError(f"{name} adds up to {total}, which is not whole")
        return int(total)

    def by(self, name: str, *labels: str, **wanted: Wanted) -> dict:
        """Sums per label value, or per tuple of them."""
        sums: dict = defaultdict(int)
        for have, value in self.of(name, **wanted):
            at = tuple(have.get(label, "") for label in labels)
            sums[at[0] if len(labels) == 1 else at] += int(value)
        return dict(sums)

    def values(self, label: str) -> set[str]:
        """Every value that a label has anywhere in Tollgate's metrics."""
        return {
            value
            for (name, labels) in self.samples
            if name.startswith("tollgate_")
            for key, value in labels
            if key == label
        }
