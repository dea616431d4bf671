"""Fixtures: the simulated providers, and a gateway of each shape in front of them."""

import shutil
import signal

import pytest

from harness import artefacts
from harness.document import Document
from harness.gateway import Gateway
from harness.process import living, refusing_port
from harness.simulator import Simulator
from harness.standing import Standing

pytest.register_assert_rewrite("harness.discretion")

# hold: headers are held and requests routed by their model. no_hold: the host cannot hold them, the mesh routes.
SHAPES = ["hold", "no_hold"]


def pytest_sessionstart(session):
    """Everything the suite needs is looked for first: what is missing fails the run, it never skips a test."""
    # Told to end, it still ends what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not session.config.option.collectonly:
        for find in (artefacts.command, artefacts.module, artefacts.simulator, artefacts.envoy, artefacts.node):
            find()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the processes said last."""
    report = yield
    if report.failed:
        for child in living():
            report.sections.append((f"last lines of {child.name} ({child.process.pid})", child.tail()))
    return report


@pytest.fixture(scope="session")
def standing(tmp_path_factory):
    """Simulated providers that live as long as the run."""
    directory = tmp_path_factory.mktemp("simulators")
    started: list[Simulator] = []
    try:
        with refusing_port() as one, refusing_port() as other:
            yield Standing(started, directory, (one, other))
    finally:
        for simulator in started:
            simulator.stop()


@pytest.fixture(scope="session", params=SHAPES)
def shape(request) -> str:
    """The shape of the gateway role."""
    return request.param


@pytest.fixture(scope="session")
def gateway(shape, standing, tmp_path_factory):
    """A gateway that all tests of one shape share; they look only at what they changed themselves."""
    directory = tmp_path_factory.mktemp(f"gateway-{shape}")
    running = Gateway(standing.document(hold_headers=shape == "hold"), directory, standing.simulators)
    try:
        yield running.start()
        assert running.child.running, "the gateway ended by itself"
    finally:
        running.stop()
    assert not running.left_running, "tollgate up left processes behind when it was told to end"
    assert not running.troubles


@pytest.fixture
def clients(gateway):
    """Clients of the shared gateway."""
    return gateway.clients


@pytest.fixture
def start_gateway(standing, tmp_path_factory):
    """Starts a gateway of a test's own."""
    started: list[Gateway] = []

    def start(document: Document, name: str = "gateway") -> Gateway:
        own = Gateway(document, tmp_path_factory.mktemp(name), standing.simulators)
        started.append(own)
        return own.start()

    yield start
    for own in started:
        own.stop()
    assert not any(own.left_running for own in started), "tollgate up left processes behind when it was told to end"
    assert not any(own.troubles for own in started)


@pytest.fixture
def start_simulator(tmp_path_factory):
    """Starts a simulated provider of a test's own."""
    started: list[Simulator] = []

    def start(name: str, **options) -> Simulator:
        own = Simulator(name, tmp_path_factory.mktemp(name), **options)
        started.append(own)
        return own

    yield start
    for own in started:
        own.stop()


@pytest.fixture(scope="session")
def promtool() -> str | None:
    """Prometheus' own checker, where it is installed."""
    return shutil.which("promtool")
