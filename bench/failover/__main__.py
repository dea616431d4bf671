"""Agents against a provider in trouble, without Tollgate and with it, and how long a move takes. See --help."""

import argparse
import contextlib
import datetime
import shutil
import signal
import sys

from demo.children import end_with_parent
from prove import surroundings

from .. import report

DIRECTORY = surroundings.ROOT / "run" / "bench-failover"
RESULTS = surroundings.ROOT / "bench" / "failover.md"
SECTIONS = ["loads", "moves"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-failover", description=__doc__)
    parser.add_argument("--save", action="store_true", help="write the results into bench/failover.md")
    parser.add_argument("--seconds", type=float, default=40, help="seconds of each of the three loads (default: 40)")
    parser.add_argument("--rounds", type=int, default=400, help="rounds of requests one at a time (default: 400)")
    parser.add_argument("--only", default="", help=f"one of the sections: {', '.join(SECTIONS)} (default: both)")
    options = parser.parse_args()
    if options.only and options.only not in SECTIONS:
        parser.error(f"no such section: {options.only}; there are {', '.join(SECTIONS)}")
    if options.only and options.save:
        parser.error("results are saved whole: --save goes without --only")
    return options


def main(options: argparse.Namespace) -> int:
    # Not before the environment says what is to be run.
    from prove.findings import Findings
    from prove.world import World

    from . import day, loads, moves

    shutil.rmtree(DIRECTORY, ignore_errors=True)
    found = Findings()
    parts = [f"# Results of `make bench-failover`\n\n{datetime.date.today()}, {report.machine()}."]
    with World(DIRECTORY) as world:
        if options.only != "moves":
            print("==> loads", file=sys.stderr, flush=True)
            parts += [day.__doc__.partition("\n\n")[2].strip(), loads.section(world, options.seconds, found)]
        if options.only != "loads":
            print("==> moves", file=sys.stderr, flush=True)
            parts.append(moves.section(world, options.rounds, found))
    for trouble in world.troubles:
        found.must(False, f"in a log: {trouble}")
    text = "\n\n".join(parts) + "\n"
    print(text, end="")
    for broken in found.broken:
        print(f"BROKEN: {broken}", file=sys.stderr)
    if options.save and not found.broken:
        RESULTS.write_text(text)
    return 1 if found.broken else 0


if __name__ == "__main__":
    end_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    surroundings.find()
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(arguments()))
    sys.exit(130)
