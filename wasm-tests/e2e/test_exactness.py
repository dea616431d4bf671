"""What the metrics say is what the provider bills, to the nano-dollar, whatever forty agents do at once."""

import asyncio

import pytest

from harness.agents import storm
from harness.scrape import Scraper

AGENTS = 40
REQUESTS_EACH = 50
KEYS = ["everything", "loner", "expiring"]


@pytest.fixture(scope="module")
def after_the_storm(gateway):
    """Two thousand mixed requests of forty agents on one gateway, scraped ten times a second."""
    mark = gateway.mark()
    keys = [KEYS[number % len(KEYS)] for number in range(AGENTS)]
    with Scraper(gateway) as scraper:
        done = asyncio.run(storm(gateway.clients, keys, REQUESTS_EACH))
    return done, mark.settled(sum(done.values())), scraper


def test_every_request_is_recorded_once(after_the_storm):
    done, seen, _ = after_the_storm
    assert sum(done.values()) - done["tried_again"] == AGENTS * REQUESTS_EACH
    expected = {
        "refused_model_unknown": done["refused"],
        "refused_key_unknown": done["wrong_key"],
        "provider_error": done["provider_error"] + done["tried_again"],
        "interrupted_by_client": done["abort_chat"] + done["abort_message"],
        "interrupted_by_provider": done["cut"],
    }
    assert all(expected.values()), "each sort of request is in the mix"
    assert seen.outcomes() == {**expected, "ok": sum(done.values()) - sum(expected.values())}


def test_the_reported_cost_is_the_ledger_to_the_nanodollar(after_the_storm):
    _, seen, _ = after_the_storm
    assert seen.cost(source="reported") == seen.ledger.reported > 0


def test_the_reported_tokens_are_the_ledgers(after_the_storm):
    _, seen, _ = after_the_storm
    assert seen.tokens(source="reported") == seen.ledger.tokens


def test_what_was_cut_short_is_estimated_and_nothing_else(after_the_storm):
    done, seen, _ = after_the_storm
    cut_short = done["abort_chat"] + done["abort_message"] + done["cut"]
    assert seen.ledger.interrupted_requests == cut_short > 0
    assert seen.cost(source="estimated") > 0
    assert seen.metrics.total("tollgate_unmetered_requests_total") == 0
    assert seen.metrics.total("tollgate_unpriced_requests_total") == 0


def test_the_provider_saw_each_attempt_and_no_virtual_key(after_the_storm, gateway):
    done, seen, _ = after_the_storm
    attempts = seen.metrics.by("tollgate_attempts_total", "provider")
    # Where headers are held the first provider of the pair is tried, and nobody listens there: until it is known that it
    # is better left alone.
    tried = attempts.pop("nobody", 0)
    assert 0 < tried <= done["failover"] if gateway.holds_headers else tried == 0
    # Where they are not, a request has been announced to a provider before its body is found wanting.
    announced = 0 if gateway.holds_headers else done["refused"]
    assert seen.ledger.requests - sum(attempts.values()) in range(announced + 1)
    assert set(seen.ledger.attempts) <= {"openai", "anthropic", "spare"}
    assert seen.ledger.leaked_virtual_keys == 0


def test_nothing_is_left_in_flight(after_the_storm, gateway):
    _, seen, _ = after_the_storm
    assert gateway.metrics().total("tollgate_requests_in_flight") == 0
    assert seen.ledger.in_flight == 0
    assert gateway.metrics().total("tollgate_internal_errors_total") == 0


def test_scraping_lost_nothing_and_no_counter_ever_fell(after_the_storm):
    _, _, scraper = after_the_storm
    assert not scraper.problems
    assert len(scraper.seen) > 20
    assert not scraper.fallen()


def test_all_four_workers_took_part(after_the_storm, gateway):
    stats = gateway.ask_admin("/stats?filter=listener.*worker_.*downstream_cx_total")
    counts = [int(line.rsplit(": ", 1)[1]) for line in stats.splitlines()]
    assert len(counts) == 4 and all(counts), stats
