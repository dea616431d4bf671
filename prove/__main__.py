"""Tries the promises, and prints a line for each. See --help."""

import argparse
import contextlib
import importlib
import shutil
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from demo.children import end_with_parent

from . import surroundings

DIRECTORY = surroundings.ROOT / "run" / "prove"
# Those that mostly wait for a minute to pass are tried side by side, the others one after the other.
PATIENT = ["rpm", "tpm", "downgrade"]
BUSY = ["parallel", "budget", "money", "leaks", "counters", "shadow", "loop", "killed"]


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
    surroundings.find()
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(arguments().only))
    sys.exit(130)
