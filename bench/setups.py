"""The Envoys that are compared. In: `tollgate render`. Out: directories with a bootstrap, alike but for what is measured.

The plain Envoy is the rendered configuration with both filters taken out and the route pointed at the one cluster: the
same listener, limits, retry policy and connection pool.
"""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY = "tg-" + "b" * 43
MODEL = "gpt-4o-mini"
PROVIDER = "openai"
CREDENTIAL = {"OPENAI_API_KEY": "sk-bench"}

PLAIN, BOTH_ROLES, NO_HOLD = "plain Envoy", "Tollgate, both roles", "Tollgate, headers not held"


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
    directory.mkdir(parents=True, exist_ok=True)
    document = {
        "listen": listen,
        "admin": admin,
        "hold_headers": name != NO_HOLD,
        "providers": {
            PROVIDER: {"dialect": "openai", "endpoint": f"http://{upstream}/v1", "credential": {"env": "OPENAI_API_KEY"}}
        },
        "models": {MODEL: {"targets": [{"provider": PROVIDER}]}},
        "teams": {"bench": {}},
        "keys": [{"name": "bench", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "team": "bench"}],
    }
    source = directory / "tollgate.json"
    source.write_text(json.dumps(document, indent=2))
    envoy = directory / "envoy"
    subprocess.run([command, "render", "envoy", source, "--out", envoy, "--module", module], check=True)
    if name == PLAIN:
        strip(envoy)
    return Setup(name, envoy, listen, admin)


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
        node["cluster"] = PROVIDER
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
