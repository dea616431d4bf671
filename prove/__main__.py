"""Tries the promises, and prints a line for each. See --help."""

import argparse
import contextlib
import importlib
import os
import shutil
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.children import end_with_parent

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / "run" / "prove"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
BUILT = {
    "TOLLGATE_BIN": TARGET / "debug" / "tollgate",
    "TOLLGATE_SIMULATOR": TARGET / "debug" / "tollgate-simulator",
    "TOLLGATE_MODULE": TARGET / "wasm32-wasip1" / "release" / "tollgate.wasm",
    "TOLLGATE_ENVOY": ROOT / ".tools" / "venv" / "bin" / "envoy",
}
# Those that mostly wait for a minute to pass are tried side by side, the others one after the other.
PATIENT = ["rpm", "tpm", "downgrade"]
BUSY = ["parallel", "budget", "money", "leaks", "counters", "shadow", "loop"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="PROMISE", help=f"of {', '.join([*PATIENT, *BUSY])} (default: all)")
    options = parser.parse_args()
    if unknown := set(options.only) - {*PATIENT, *BUSY}:
        parser.error(f"no such promise: {', '.join(sorted(unknown))}; there are {', '.join([*PATIENT, *BUSY])}")
    return options


def attempt(name: str) -> bool:
    """Tries one promise and prints its line."""
    # Not before the environment says what is to be run.
    from .findings import Findings
    from .world import World

    promise = importlib.import_module(f"prove.promises.{name}")
    found, began = Findings(), time.monotonic()
    try:
        with World(DIRECTORY / name) as world:
            promise.attempt(world, found)
        for trouble in world.troubles:
            found.must(False, f"in a log: {trouble}")
    except Exception as error:
        (DIRECTORY / f"{name}.traceback").write_text(traceback.format_exc())
        found.must(False, f"{type(error).__name__}: {str(error)[:500]} (run/prove/{name}.traceback)")
    print(f"{found.line(name, promise.PROMISE)} ({time.monotonic() - began:.0f} s)", flush=True)
    return found.hold


def main(only: list[str]) -> int:
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    wanted = only or [*PATIENT, *BUSY]
    with ThreadPoolExecutor() as pool:
        held = list(pool.map(attempt, [name for name in PATIENT if name in wanted]))
    held += [attempt(name) for name in BUSY if name in wanted]
    print(f"{sum(held)} of {len(held)} promises hold")
    return 0 if all(held) else 1


if __name__ == "__main__":
    end_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for variable, path in BUILT.items():
        os.environ.setdefault(variable, str(path))
    # Nothing here leaves this machine, whatever proxy it goes through otherwise.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    sys.path.insert(0, str(ROOT / "wasm-tests" / "e2e"))
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(arguments().only))
    sys.exit(130)
