"""How long a move to the next provider takes. In: a world of providers. Out: a table.

One request after the other on one connection, in turn to each of several models: one whose only provider answers after a
fixed time, and others that have this provider behind one that fails at once. Each difference is between two requests of the
same round. Health is out of the way: each failing provider is in the document many times, asked in turn, so that none of
them has failed often enough to be left alone; who answers 429 says that it wants to be asked again at once.
"""

import http.client
import json
import time
from contextlib import ExitStack

from harness.document import Document
from harness.process import refusing_port
from harness.simulator import Simulator
from prove.findings import Findings
from prove.world import World

from ..report import table

OWN_MS = 20
AIM_MS = 5
# Half of 20 attempts within ten seconds take a provider out as well: a round takes a tenth of a second at least.
HEALTH = {"failures": 1000}
TIMES = 8
ALONE = "only the provider that answers"
FAILING = {"503": ("status=503",), "429": ("status=429", "retry_after=0"), "no answer": ("drop",)}
WARM = 30


def quantile(values: list[float], share: float) -> float:
    """The value that so large a share is at most."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Asker:
    """A connection that is kept."""

    def __init__(self, address: str, secret: str):
        self.connection = http.client.HTTPConnection(address, timeout=30)
        self.headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}

    def ask(self, model: str) -> tuple[float, int]:
        """Milliseconds until the whole answer was there, and the attempts it took."""
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "How far is it?"}]})
        began = time.perf_counter()
        self.connection.request("POST", "/v1/chat/completions", body, self.headers)
        answer = self.connection.getresponse()
        answer.read()
        took = (time.perf_counter() - began) * 1e3
        assert answer.status == 200, f"{model}: {answer.status}"
        return took, int(answer.headers["x-tollgate-attempts"])


def section(world: World, rounds: int, found: Findings) -> str:
    """Rounds, and the table of what they took."""
    with ExitStack() as stack:
        made = Document(health=HEALTH)

        def simulator(name: str, *knobs: str) -> Simulator:
            started = Simulator(name, world.directory, f"sk-{name}", ("--simulate", ",".join(knobs)))
            stack.callback(started.stop)
            return started

        def behind(name: str, origin: str, credential: str) -> None:
            for number in range(TIMES):
                first = f"{name}-{number}"
                made.provider(first, "openai", f"{origin}/v1", credential, priced_as="openai")
                made.model(f"behind-{first}", (first, "gpt-4o-mini"), ("second", "gpt-4o-mini"))

        second = simulator("second", f"ttft_ms={OWN_MS}")
        made.provider("second", "openai", f"{second.origin}/v1", second.credential, priced_as="openai")
        made.model("alone", ("second", "gpt-4o-mini"))
        models = {ALONE: "alone", "nobody listens": "behind-gone"}
        behind("gone", f"http://127.0.0.1:{stack.enter_context(refusing_port())}", "sk-gone")
        for kind, knobs in FAILING.items():
            name = f"first-{kind.replace(' ', '-')}"
            failing = simulator(name, *knobs)
            behind(name, failing.origin, failing.credential)
            models[kind] = f"behind-{name}"
        secret = made.key("everything", loop_guard="off")
        gateway = world.gateway(made, "moves")
        return _measured(Asker(gateway.address, secret), models, rounds, found)


def _measured(asker: Asker, models: dict[str, str], rounds: int, found: Findings) -> str:
    took: dict[str, list[float]] = {name: [] for name in models}
    added: dict[str, list[float]] = {name: [] for name in models}
    stayed = 0
    names = list(models)
    for number in range(WARM + rounds):
        # Each round begins with another.
        turn = number % len(names)
        times = {}
        for name in names[turn:] + names[:turn]:
            times[name] = asker.ask(models[name] if name == ALONE else f"{models[name]}-{number % TIMES}")
        if number < WARM:
            continue
        for name, (milliseconds, attempts) in times.items():
            if attempts != (1 if name == ALONE else 2):
                stayed += 1
                continue
            took[name].append(milliseconds)
            added[name].append(milliseconds - times[ALONE][0])
    found.must(all(took.values()), "not all of them were ever measured")
    rows = [
        [name, f"{len(took[name]):,}"]
        + [f"{quantile(took[name], share):.2f}" for share in (0.5, 0.99)]
        + (["", ""] if name == ALONE else [f"{quantile(added[name], share):+.2f}" for share in (0.5, 0.99)])
        + ["" if name == ALONE else f"{quantile(took[name], 0.99) - quantile(took[ALONE], 0.99):+.2f}"]
        for name in names
    ]
    header = ["the first provider's answer", "requests", "p50 ms", "p99 ms", "added p50", "added p99", "p99 less p99"]
    aside = f" {stayed} requests took another number of attempts and are not in it." if stayed else ""
    return "\n\n".join(
        [
            table(header, rows),
            f"The second provider takes {OWN_MS} ms by itself, Envoy and the client included what the first line says. Added is "
            f"the difference\nof two requests of the same round; the aim is {AIM_MS} ms at p99.{aside}",
        ]
    )
