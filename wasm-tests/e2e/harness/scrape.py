"""A scraper as Prometheus is one. In: a gateway. Out: every exposition it saw while something else was going on."""

import threading

from .exposition import Metrics
from .gateway import Gateway

INTERVAL = 0.1


class Scraper(threading.Thread):
    """Scrapes in its own thread until stopped; a context manager."""

    def __init__(self, gateway: Gateway):
        super().__init__(name="scraper", daemon=True)
        self.gateway = gateway
        self.seen: list[Metrics] = []
        self.problems: list[str] = []
        self._stop_wanted = threading.Event()

    def __enter__(self) -> "Scraper":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop_wanted.set()
        self.join()

    def run(self) -> None:
        """Scrapes; keeps what could not be read as a problem."""
        while not self._stop_wanted.wait(INTERVAL):
            text = self.gateway.exposition()
            if not text:
                self.problems.append("a scrape was not answered")
                continue
            try:
                self.seen.append(Metrics.parse(text))
            except (AssertionError, ValueError) as problem:
                self.problems.append(str(problem))

    def fallen(self) -> list[str]:
        """Counters that went down or went away between two scrapes, histograms' included."""
        found = []
        for before, after in zip(self.seen, self.seen[1:], strict=False):
            for series, value in before.samples.items():
                family = series[0].removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
                kind = after.kinds.get(series[0]) or after.kinds.get(family)
                if kind == "gauge":
                    continue
                now = after.samples.get(series)
                if now is None:
                    found.append(f"{series} is gone")
                elif now < value:
                    found.append(f"{series} fell from {value} to {now}")
        return found
