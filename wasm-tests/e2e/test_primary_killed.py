"""The provider everything goes to is killed under load, and comes back: nobody notices, and traffic returns by itself.

What is killed is its address (`harness.front`), so that its books are still there afterwards. Only a stream whose first
token had passed cannot be begun again: those are counted apart, and must end in an error that the SDK raises.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

import httpx2
import openai
import pytest

from harness.document import Document
from harness.exposition import Metrics
from harness.front import Front
from harness.gateway import Gateway, Seen, serving
from harness.process import PATIENCE, eventually
from harness.simulator import Simulator, simulate

CALLERS = 24
QUESTION = [{"role": "user", "content": "Which of the two bridges is still standing?"}]
# Of a stream most of the time is over before its first token, so that there always are some that have not begun.
STEERING = {"x-simulate": simulate(tokens=20, ttft_ms=250, rate=400)}
PRIMARY, BACKUP = "primary", "backup"


@dataclass
class Request:
    """One, as its caller saw it."""

    streams: bool
    sent: float = field(default_factory=time.monotonic)
    heard: float = 0.0
    provider: str | None = None
    failed: str | None = None


@dataclass
class Load:
    """Callers that ask again and again, and what they noted."""

    gateway: Gateway
    requests: list[Request] = field(default_factory=list)
    enough: bool = False

    async def run(self) -> None:
        """All of them, until it is enough."""
        await asyncio.gather(*(self._caller(number % 2 == 0) for number in range(CALLERS)))

    async def goes_on(self, requests: int) -> None:
        """Waits for so many more to be asked, however long this machine takes."""
        enough, deadline = len(self.requests) + requests, time.monotonic() + PATIENCE
        while len(self.requests) < enough:
            assert time.monotonic() < deadline, "nobody asks any more"
            await asyncio.sleep(0.05)

    async def _caller(self, streams: bool) -> None:
        async with self.gateway.clients.openai_async("agents") as client:
            while not self.enough:
                request = Request(streams)
                self.requests.append(request)
                try:
                    await self._ask(client, request)
                except (openai.OpenAIError, httpx2.HTTPError) as error:
                    request.failed = repr(error)
                request.heard = time.monotonic()
                await asyncio.sleep(0.05)

    async def _ask(self, client: openai.AsyncOpenAI, request: Request) -> None:
        answer = await client.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=QUESTION, max_tokens=100, stream=request.streams, extra_headers=STEERING
        )
        # The head of a stream comes with its first token.
        request.provider = answer.headers["x-tollgate-provider"]
        if not request.streams:
            assert answer.parse().choices[0].message.content
            return
        finished = [chunk.choices[0].finish_reason async for chunk in answer.parse() if chunk.choices]
        assert finished[-1] == "stop"


class Health:
    """How much of its traffic the primary gets, as the gauge says; each value once for as long as it stays."""

    def __init__(self, gateway: Gateway):
        self.gateway = gateway
        self.seen: list[int] = []

    async def becomes(self, wanted: int) -> None:
        """Waits for it."""
        what = f"the primary gets {wanted} % of its traffic"
        await asyncio.to_thread(eventually, what, lambda: self._now() == wanted, pause=0.1)

    def _now(self) -> int | None:
        page = Metrics.parse(self.gateway.ask_admin("/stats/prometheus?filter=tollgate_provider_health_percent"))
        values = [int(value) for _, value in page.of("tollgate_provider_health_percent", provider=PRIMARY)]
        self.seen += [value for value in values if self.seen[-1:] != [value]]
        return values[0] if values else None


@dataclass
class Day:
    """What happened."""

    requests: list[Request]
    health: list[int]
    killing: float
    killed: float
    restored: float
    recovered: float
    seen: Seen


async def kill_and_restore(gateway: Gateway, fronts: list[Front], again) -> Day:
    """Under load: a while with the primary, a while without, and as long as it takes until all is as it was."""
    load, health = Load(gateway), Health(gateway)
    mark = gateway.mark()
    callers = asyncio.create_task(load.run())
    try:
        await health.becomes(100)
        await load.goes_on(4 * CALLERS)
        killing = time.monotonic()
        await asyncio.to_thread(fronts[-1].kill)
        killed = time.monotonic()
        await health.becomes(0)
        await load.goes_on(4 * CALLERS)
        restored = time.monotonic()
        fronts.append(await asyncio.to_thread(again))
        await health.becomes(100)
        recovered = time.monotonic()
        await load.goes_on(4 * CALLERS)
    finally:
        load.enough = True
        await callers
    seen = await asyncio.to_thread(mark.settled, len(load.requests))
    return Day(load.requests, health.seen, killing, killed, restored, recovered, seen)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The day, once for all tests."""
    directory = tmp_path_factory.mktemp("killed")
    with contextlib.ExitStack() as after:
        simulators = []
        for name in (PRIMARY, BACKUP):
            simulators.append(Simulator(name, directory, f"sk-provider-{name}-0123456789abcdef"))
            after.callback(simulators[-1].stop)
        primary, backup = simulators
        fronts = [Front(primary.authority, directory)]
        after.callback(lambda: fronts[-1].stop())
        document = Document(health={"rest": "1s", "recovery": "4s"})
        document.provider(PRIMARY, "openai", f"{fronts[0].origin}/v1", primary.credential, priced_as="openai")
        document.provider(BACKUP, "anthropic", backup.origin, backup.credential, priced_as="anthropic")
        document.model("gpt-4o", PRIMARY, (BACKUP, "claude-haiku-4-5"))
        document.key("agents")
        gateway = after.enter_context(serving(document, directory, simulators))
        yield asyncio.run(
            kill_and_restore(gateway, fronts, lambda: Front(primary.authority, directory, fronts[0].port))
        )


def test_no_request_fails_but_streams_that_had_begun(day):
    failed = [request for request in day.requests if request.failed]
    assert all(request.streams and request.provider == PRIMARY for request in failed), failed
    # All of them were under way when it was killed, and no more than could be.
    assert all(request.sent < day.killed for request in failed)
    assert len(failed) < CALLERS
    assert any(not request.streams for request in day.requests if request.sent < day.killed)
    assert day.seen.outcomes().pop("interrupted_by_provider", 0) == len(failed)
    assert day.seen.outcomes()["ok"] == len(day.requests) - len(failed)


def test_what_was_under_way_moved_on(day):
    caught = [request for request in day.requests if request.sent < day.killing and request.heard > day.killed]
    moved_on = [request for request in caught if request.provider == BACKUP]
    assert {request.streams for request in moved_on} == {True, False}, caught
    moved = day.seen.metrics.by("tollgate_failovers_total", "from", "to")
    assert moved.pop((PRIMARY, BACKUP)) > 0
    # To the primary only from a backup that failed, which it never does.
    assert not moved


def test_it_is_left_alone_while_it_is_gone(day):
    during = [request for request in day.requests if day.killed < request.sent and request.heard < day.restored]
    asked = day.seen.metrics.by("tollgate_attempts_total", "provider", "outcome")
    unreachable = asked[PRIMARY, "provider_unreachable"]
    # Those under way, the few it took to see that it is gone, and a trial now and then.
    assert 0 < unreachable < CALLERS * 2 < len(during), (unreachable, len(during))
    assert {request.provider for request in during} == {BACKUP}
    assert set(day.seen.metrics.by("tollgate_provider_rests_total", "provider")) == {PRIMARY}


def test_traffic_returns_by_degrees_and_entirely(day):
    ramp = day.health[day.health.index(0) + 1 :]
    assert day.health[:2] == [100, 0], day.health
    assert ramp == sorted(ramp) and ramp[-1] == 100, day.health
    assert any(0 < share < 100 for share in ramp), day.health
    between = [request.provider for request in day.requests if day.restored < request.sent < day.recovered]
    assert {PRIMARY, BACKUP} == set(between)
    afterwards = {request.provider for request in day.requests if request.sent > day.recovered}
    assert afterwards == {PRIMARY}


def test_the_ledgers_of_both_are_the_metrics_to_the_nanodollar(day):
    ledger, cost = day.seen.ledger, day.seen.cost(source="reported")
    served = sum(not request.failed for request in day.requests)
    # An answer the primary had sent off, and that was on its way when the connection broke, it bills; nobody has seen
    # it, and the caller got another. All its answers cost the same.
    lost = ledger.settled_requests - served
    assert 0 <= lost <= CALLERS
    per_answer, rest = divmod(day.seen.cost(provider=PRIMARY, source="reported", outcome="ok"), settled_by(day, PRIMARY))
    assert rest == 0
    assert ledger.reported == cost + lost * per_answer
    assert ledger.leaked_virtual_keys == 0


def settled_by(day: Day, provider: str) -> int:
    """Whole answers that came from it."""
    return day.seen.metrics.total("tollgate_requests_total", provider=provider, outcome="ok")


def test_what_came_of_the_streams_that_were_cut_is_billed(day):
    cut = day.seen.outcomes().get("interrupted_by_provider", 0)
    assert (day.seen.cost(source="estimated", outcome="interrupted_by_provider") > 0) == (cut > 0)
    assert day.seen.metrics.total("tollgate_unmetered_requests_total") == 0
