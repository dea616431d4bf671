"""The Envoys that are compared. In: `tollgate render`. Out: directories with a bootstrap, alike but for what is measured.

The plain Envoy is the rendered configuration with both filters taken out and the route pointed at the one cluster: the
same listener, limits, retry policy and connection pool.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import documents

PLAIN, BOTH_ROLES, NO_HOLD = "plain Envoy", "Tollgate, both roles", "Tollgate, headers not held"
NO_LIMITS, ALL_LIMITS = "no limits", "all limits, budgets and the guard"
FEW_KEYS, MANY_KEYS = "10 keys, 10 teams", "10,000 keys, 1,000 teams"


@dataclass(frozen=True)
class Setup:
    """One of them, not running."""

    name: str
    directory: Path
    listen: str
    admin: str

    @property
    def bootstrap(self) -> Path:
        """What Envoy is started with."""
        return self.directory / "bootstrap.json"


def render(name: str, directory: Path, upstream: str, listen: str, admin: str, command: Path, module: Path) -> Setup:
    """Writes one setup's files."""
    envoy = directory / "envoy"
    write(compose(name, upstream, listen, admin), envoy, command, module)
    if name == PLAIN:
        strip(envoy)
    return Setup(name, envoy, listen, admin)


def compose(name: str, upstream: str, listen: str, admin: str, generation: int = 0) -> dict:
    """The document of a setup."""
    document = documents.plain(upstream, listen, admin, hold_headers=name != NO_HOLD)
    if name == ALL_LIMITS:
        documents.limited(document)
    elif name == FEW_KEYS:
        documents.crowded(document, documents.FEW_KEYS, documents.FEW_TEAMS, generation)
    elif name == MANY_KEYS:
        documents.crowded(document, documents.MANY_KEYS, documents.MANY_TEAMS, generation)
    return document


def write(document: dict, envoy: Path, command: Path, module: Path) -> None:
    """Envoy's files for a document."""
    envoy.parent.mkdir(parents=True, exist_ok=True)
    source = envoy.parent / f"{envoy.name}.tollgate.json"
    source.write_text(json.dumps(document, indent=2))
    subprocess.run(
        [command, "render", "envoy", source, "--out", envoy, "--module", module], check=True, stdout=subprocess.DEVNULL
    )


def replace(setup: Setup, fresh: Path) -> None:
    """Puts the document of another rendered directory into force under a running Envoy, as `tollgate up` does."""
    for role in ("provider", "gateway"):
        (fresh / f"ecds-{role}.json").rename(setup.directory / f"ecds-{role}.json")


def strip(directory: Path) -> None:
    """Takes Tollgate out of a rendered configuration."""

    def edit(file: str, change) -> None:
        path = directory / file
        content = json.loads(path.read_text())
        changed = [change(node) for node in nodes(content)]
        if not any(changed):
            raise SystemExit(f"{file} has no place for Tollgate any more: bench/setups.py does not know this configuration")
        path.write_text(json.dumps(content, indent=1))

    def without_filters(node: dict) -> bool:
        filters = node.get("http_filters")
        if filters is None:
            return False
        node["http_filters"] = [one for one in filters if "config_discovery" not in one]
        return len(node["http_filters"]) < len(filters)

    def without_choice(node: dict) -> bool:
        if "inline_cluster_specifier_plugin" not in node:
            return False
        del node["inline_cluster_specifier_plugin"]
        node.get("retry_policy", {}).pop("refresh_cluster_on_retry", None)
        node["cluster"] = documents.PROVIDER
        return True

    edit("lds.json", without_filters)
    edit("cds.json", without_filters)
    edit("rds.json", without_choice)
    for filter_configuration in directory.glob("ecds-*.json"):
        filter_configuration.unlink()


def nodes(value):
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        for member in list(value.values()):
            yield from nodes(member)
    elif isinstance(value, list):
        for member in value:
            yield from nodes(member)
