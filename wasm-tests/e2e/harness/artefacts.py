"""The built things the suite runs. In: the environment. Out: paths that exist; a missing one fails, never skips."""

import os
import shutil
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SUITE = REPOSITORY / "wasm-tests" / "e2e"


def _existing(variable: str, candidates: list[Path], remedy: str) -> Path:
    chosen = os.environ.get(variable)
    paths = [Path(chosen).resolve()] if chosen else candidates
    for path in paths:
        if path.is_file():
            return path
    looked = ", ".join(map(str, paths))
    pytest.exit(f"{variable}: nothing at {looked}. {remedy}", returncode=3)


@cache
def command() -> Path:
    """The native `tollgate` command."""
    target = REPOSITORY / "target"
    return _existing(
        "TOLLGATE_BIN",
        [target / "release" / "tollgate", target / "debug" / "tollgate"],
        "Build it: cargo build --release",
    )


@cache
def module() -> Path:
    """`tollgate.wasm`, as Envoy loads it."""
    return _existing(
        "TOLLGATE_MODULE",
        [REPOSITORY / "target" / "wasm32-wasip1" / "release" / "tollgate.wasm"],
        "Build it: scripts/build-module",
    )


@cache
def simulator() -> Path:
    """The simulated provider."""
    target = REPOSITORY / "target"
    return _existing(
        "TOLLGATE_SIMULATOR",
        [target / "release" / "tollgate-simulator", target / "debug" / "tollgate-simulator"],
        "Build it: cargo build --release -p tollgate-simulator",
    )


@cache
def envoy() -> Path:
    """Envoy itself."""
    return _existing(
        "TOLLGATE_ENVOY",
        [REPOSITORY / ".tools" / "venv" / "bin" / "envoy"],
        "Install it: scripts/setup, or point TOLLGATE_ENVOY at an Envoy 1.40",
    )


@cache
def node() -> Path:
    """Node.js, with the pinned SDK installed beside the scripts."""
    found = shutil.which("node")
    if found is None:
        pytest.exit("node is not on the PATH: the Node SDK tests need it", returncode=3)
    if not (SUITE / "node" / "node_modules" / "openai").is_dir():
        pytest.exit("the Node SDK is not installed: npm ci --prefix wasm-tests/e2e/node", returncode=3)
    return Path(found)
