"""What is set aside, and given back."""

import time

from .. import unrest

PROMISE = "whatever dies, nothing stays in flight or set aside, and no gauge ever falls below nothing"
WRAPPED = 2.0**63


def attempt(world, found) -> None:
    """The unrest, and a minute to settle."""
    after = unrest.rage(world)
    ended = time.monotonic()
    left = unrest.calm(after.gateway)
    settled = time.monotonic() - ended
    gauges = [
        (series, value)
        for page in [*after.scraper.seen, after.gateway.metrics()]
        for series, value in page.samples.items()
        if page.kinds.get(series[0]) == "gauge"
    ]
    wrapped = {series[0] for series, value in gauges if value >= WRAPPED}
    found.did(
        f"{after.requests:,} requests, {unrest.LEAVERS * unrest.LEAVES} of them left, {after.deaths} deaths of a "
        f"provider, {after.changes} changes, {after.machines} of them with new machines"
    )
    limited = len(after.gateway.levels().samples)
    found.saw(f"{len(left)} of {limited} gauges not back {settled:.0f} s later")
    found.saw(f"{len(wrapped)} wrapped of {len(gauges):,} readings")
    found.must(limited > 100, "the gauges of limits are not there")
    found.must(not left, f"left: {dict(list(left.items())[:4])}")
    found.must(not wrapped, f"wrapped: {sorted(wrapped)}")
    found.must(after.deaths > 0 and after.machines > 0, "there was no unrest")
    found.must(not after.problems, f"a change did not come through: {after.problems[:1]}")
    internal = after.gateway.metrics().by("tollgate_internal_errors_total", "kind")
    found.must(not any(internal.values()), f"internal errors: {internal}")
