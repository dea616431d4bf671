"""What everything here runs on: programs built before, and the harness of the end-to-end tests. In: nothing. Out: both found."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
BUILT = {
    "TOLLGATE_BIN": TARGET / "debug" / "tollgate",
    "TOLLGATE_SIMULATOR": TARGET / "debug" / "tollgate-simulator",
    "TOLLGATE_MODULE": TARGET / "wasm32-wasip1" / "release" / "tollgate.wasm",
    "TOLLGATE_ENVOY": ROOT / ".tools" / "venv" / "bin" / "envoy",
}


def find() -> None:
    """Says in the environment what is to be run, where it does not say so, and makes `harness` importable."""
    for variable, path in BUILT.items():
        os.environ.setdefault(variable, str(path))
    # Nothing here leaves this machine, whatever proxy it goes through otherwise.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    sys.path.insert(0, str(ROOT / "wasm-tests" / "e2e"))
