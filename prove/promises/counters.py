"""Counters over changes."""

import time

from harness.limits import under_way
from harness.process import eventually

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
    outlived(after.gateway, unrest.document(world), found)
    found.must(after.changes >= 3 and after.machines > 0 and len(pages) >= 10, "there was no unrest")


def outlived(gateway, complete, found) -> None:
    """A stream of a key that nothing was counted of yet begins on one machine, and ends when there is another."""
    gateway.change(without_reserve(complete))
    with under_way(gateway.clients, unrest.LAST, "gpt-4o"):
        gateway.change(complete)
        # A moment for all workers, and for whatever machines do once a second.
        time.sleep(2.5)
    found.did("a stream that outlives its machine")

    def cost() -> int:
        return gateway.counts().total("tollgate_cost_nanodollars_total", key=unrest.LAST)

    try:
        eventually("what it cost is counted", cost, patience=10)
    except AssertionError:
        found.must(False, "what a stream cost that outlived its machine is not counted")
    time.sleep(1)
    found.saw(f"{cost()} nanodollars counted of it")


def without_reserve(document):
    """The document without the provider whose credential makes the machines others."""
    changed = document.copy()
    del changed.providers[unrest.RESERVE]
    return changed
