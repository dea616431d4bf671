"""A changed document takes effect at once and disturbs nobody; a bad one changes nothing."""

import asyncio
import json
import threading
import time

import openai
import pytest

from harness.agents import storm
from harness.gateway import Gateway
from harness.process import eventually
from harness.scrape import Scraper
from harness.simulator import simulate

QUESTION = [{"role": "user", "content": "Tell me a long story."}]
CHAT = {"model": "gpt-4o-mini", "messages": QUESTION}
STREAMS = 20


@pytest.fixture(scope="module")
def changing(standing, shape, tmp_path_factory):
    """A gateway whose document the tests of this file change."""
    gateway = Gateway(
        standing.document(hold_headers=shape == "hold"),
        tmp_path_factory.mktemp(f"changing-{shape}"),
        standing.simulators,
    )
    try:
        yield gateway.start()
    finally:
        gateway.stop()
    assert not gateway.troubles


@pytest.fixture
def own(changing):
    """The same, with the document it was started with; put back afterwards."""
    original = changing.document
    yield changing
    changing.change(original)


def in_force(gateway) -> list[str]:
    """The hashes of the configurations that say they are in force."""
    return [hash for hash, value in gateway.metrics().by("tollgate_config_info", "hash").items() if value]


def served(gateway, key: str, model: str = "gpt-4o-mini") -> bool:
    """Whether a request with that key is answered."""
    try:
        gateway.clients.openai(key).chat.completions.create(model=model, messages=QUESTION)
    except (openai.AuthenticationError, openai.NotFoundError):
        return False
    return True


def becomes(gateway, key: str, expected: bool, model: str = "gpt-4o-mini") -> None:
    """Workers take a new configuration one after the other; each has it within a moment."""
    what = f"{key} {'is served' if expected else 'is refused'}"
    eventually(what, lambda: served(gateway, key, model) == expected, patience=10)


def test_a_change_while_twenty_streams_run(own):
    """None of them drops, the removed key is out within a second, the new one is in, and no counter falls."""
    mark = own.mark()
    changed = own.document.copy().without_key("loner")
    changed.key("newcomer", team="research")

    async def stream(client, started: asyncio.Event) -> tuple[int, bool]:
        steering = {"x-simulate": simulate(tokens=300, rate=60)}
        answer = await client.chat.completions.create(
            **CHAT, stream=True, stream_options={"include_usage": True}, extra_headers=steering
        )
        chunks, usage = 0, None
        async for chunk in answer:
            chunks, usage = chunks + 1, chunk.usage
            if chunks == 3:
                started.set()
        return chunks, usage is not None

    async def change_meanwhile():
        client = own.clients.openai_async("loner")
        flags = [asyncio.Event() for _ in range(STREAMS)]
        streams = [asyncio.create_task(stream(client, flag)) for flag in flags]
        await asyncio.gather(*(flag.wait() for flag in flags))
        await asyncio.to_thread(own.replace, changed.text())
        written = time.monotonic()
        fresh = own.clients.openai_async("loner")
        while True:
            try:
                await fresh.chat.completions.create(**CHAT)
            except openai.AuthenticationError:
                break
        refused_after = time.monotonic() - written
        assert not any(task.done() for task in streams), "the streams were meant to outlive the change"
        ended = await asyncio.gather(*streams)
        await client.close()
        await fresh.close()
        return refused_after, ended

    # The listener's and the admin's address stay as they are.
    changed.settings.update(own.document.settings)
    with Scraper(own) as scraper:
        refused_after, ended = asyncio.run(change_meanwhile())
    own.document = changed
    assert refused_after < 1.0, "a removed key has to be refused within a second of the change"
    assert all(usage for _, usage in ended) and len({chunks for chunks, _ in ended}) == 1
    becomes(own, "newcomer", True)
    assert not scraper.problems and not scraper.fallen()

    metrics = own.idle() - mark.metrics
    ledger = own.ledger() - mark.ledger
    assert metrics.total("tollgate_cost_nanodollars_total", source="reported") == ledger.reported > 0
    assert metrics.total("tollgate_cost_nanodollars_total", source="estimated") == 0
    assert metrics.total("tollgate_requests_total", key="loner", outcome="ok") >= STREAMS
    assert metrics.by("tollgate_requests_total", "outcome").keys() <= {"ok", "refused_key_unknown"}


def test_counters_keep_their_values_over_changes(own):
    for _ in range(3):
        assert served(own, "everything")
    before = own.idle()
    for number in range(3):
        changed = own.document.copy()
        changed.key(f"visitor-{number}")
        own.change(changed)
    after = own.idle()
    for name in ("tollgate_requests_total", "tollgate_tokens_total", "tollgate_cost_nanodollars_total"):
        assert after.by(name, "key", "model", "provider") == before.by(name, "key", "model", "provider")
    becomes(own, "visitor-2", True)
    assert served(own, "everything")


def test_the_configuration_in_force_is_told_by_its_hash(own):
    first = own.document.digest()
    assert in_force(own) == [first]
    changed = own.document.copy()
    changed.key("visitor")
    own.change(changed)
    assert in_force(own) == [changed.digest()] != [first]


@pytest.mark.parametrize("spoil", ["syntax", "unknown field", "dangling name"])
def test_a_bad_document_keeps_the_old_one(own, spoil):
    good = own.document
    bad = good.as_json()
    if spoil == "unknown field":
        bad["modles"] = {}
    elif spoil == "dangling name":
        bad["models"] = {**bad["models"], "gpt-4o": {"targets": [{"provider": "somebody-else"}]}}
    bad["keys"] = [key for key in bad["keys"] if key["name"] != "everything"]
    text = "{" if spoil == "syntax" else json.dumps(bad)
    said = own.child.text()
    own.replace(text)
    complaint = {"syntax": "not JSON", "unknown field": "modles", "dangling name": "somebody-else"}[spoil]
    eventually("the problem is told", lambda: complaint in own.child.text()[len(said) :])
    assert served(own, "everything")
    assert in_force(own) == [good.digest()]
    # And a good one after it is taken again.
    repaired = good.copy()
    repaired.key("visitor")
    own.change(repaired)
    becomes(own, "visitor", True)


def test_a_model_may_be_taken_away_and_another_added(own):
    changed = own.document.copy()
    del changed.models["gpt-4.1"]
    changed.model("gpt-4.1-renamed", ("openai", "gpt-4.1"))
    own.change(changed)
    becomes(own, "everything", True, "gpt-4.1-renamed")
    becomes(own, "everything", False, "gpt-4.1")


def test_a_provider_may_be_added(own, start_simulator):
    """Its credential is not in the running process's environment, so it is one that needs none."""
    local = start_simulator("local")
    changed = own.document.copy()
    changed.provider("local", "openai", f"{local.origin}/v1")
    changed.model("llama-3.3-70b", "local")
    own.change(changed)
    client = own.clients.openai(provider="local")

    def answered():
        try:
            return client.chat.completions.create(model="llama-3.3-70b", messages=QUESTION)
        except (openai.InternalServerError, openai.NotFoundError):
            return None

    # A new cluster reaches Envoy by another file than the keys, and each worker by itself: it takes a moment.
    assert eventually("the new provider serves", answered).choices
    assert served(own, "everything")


def test_a_key_may_be_disabled_and_enabled_again(own):
    off, on = own.document.copy(), own.document.copy()
    for key in off.keys:
        if key["name"] == "loner":
            key["disabled"] = True
    own.change(off)
    becomes(own, "loner", False)
    own.change(on)
    becomes(own, "loner", True)


def test_changes_under_a_storm_lose_nothing(own):
    """Agents do all they do while the configuration changes again and again: the books stay exact."""
    mark = own.mark()
    enough = threading.Event()
    changes = 0

    def keep_changing() -> None:
        nonlocal changes
        original = own.document
        while not enough.wait(0.2):
            changed = original.copy()
            changed.key(f"passer-by-{changes}")
            own.change(changed)
            changes += 1

    changing = threading.Thread(target=keep_changing)
    changing.start()
    try:
        done = asyncio.run(storm(own.clients, ["everything", "loner"] * 10, 15, seed=2))
    finally:
        enough.set()
        changing.join()
    assert changes > 3
    seen = mark.settled(sum(done.values()))
    assert seen.cost(source="reported") == seen.ledger.reported > 0
    assert seen.tokens(source="reported") == seen.ledger.tokens
    assert (
        seen.metrics.total("tollgate_requests_total", outcome="interrupted_by_client")
        == done["abort_chat"] + done["abort_message"]
    )
