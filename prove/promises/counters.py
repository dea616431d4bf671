"""Counters over changes."""

from .. import unrest

PROMISE = "no counter falls or goes away, however often the document changes and the module is replaced"


def attempt(world, found) -> None:
    """The unrest, scraped ten times a second."""
    after = unrest.rage(world)
    fallen = after.scraper.fallen()
    pages = after.scraper.seen
    series = len(pages[-1].samples) if pages else 0
    found.did(f"{after.changes} changes, {after.machines} of them with new machines, under {after.requests:,} requests")
    found.saw(f"{len(fallen)} falls in {len(pages)} scrapes of up to {series:,} series")
    found.must(not fallen, f"{fallen[:3]}")
    found.must(not after.scraper.problems, f"{after.scraper.problems[:3]}")
    found.must(after.changes >= 3 and after.machines > 0 and len(pages) >= 10, "there was no unrest")
