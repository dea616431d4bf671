"""The document of the demo. In: addresses. Out: what an operator would write, and the keys that only agents hold."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field

# What Tollgate presents to the provider; the agents never see these.
CREDENTIALS = {"OPENAI_API_KEY": "sk-simulated-openai", "ANTHROPIC_API_KEY": "sk-simulated-anthropic"}

TEAMS = {"payments": {}, "support": {}, "research": {}}

KEYS = {
    "checkout-agent": {"team": "payments", "models": ["gpt-4o*"]},
    "support-bot": {"team": "support", "models": ["claude-*"]},
    "research-agent": {"team": "research", "models": ["gpt-5*", "claude-opus-4-5"]},
    "search-indexer": {"team": "research", "models": ["text-embedding-3-small"]},
    "nightly-report": {"models": ["gpt-4.1-mini"]},
    "old-prototype": {"team": "research", "expires": "2026-01-01T00:00:00Z"},
}


@dataclass
class Scene:
    """A document, and the keys by name."""

    document: dict
    keys: dict[str, str] = field(default_factory=dict)


def mint() -> str:
    """A virtual key of the shape that `tollgate key new` prints."""
    return "tg-" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def compose(provider: str, listen: str, admin: str) -> Scene:
    """The document for a provider at this address (host:port)."""
    keys = {name: mint() for name in KEYS}
    openai = {"dialect": "openai", "endpoint": f"http://{provider}/v1", "credential": {"env": "OPENAI_API_KEY"}}
    anthropic = {"dialect": "anthropic", "endpoint": f"http://{provider}", "credential": {"env": "ANTHROPIC_API_KEY"}}
    document = {
        "listen": listen,
        "admin": admin,
        "providers": {
            "openai": openai,
            # A second way to the same models, for when the first answers 5xx.
            "openai-backup": {**openai, "priced_as": "openai"},
            "anthropic": anthropic,
        },
        "models": {
            "gpt-4o": {"targets": [{"provider": "openai"}, {"provider": "openai-backup"}], "aliases": ["gpt-4o-2024-11-20"]},
            "gpt-4o-mini": {"targets": [{"provider": "openai"}, {"provider": "openai-backup"}]},
            "gpt-4.1-mini": {"targets": [{"provider": "openai"}]},
            "gpt-5": {"targets": [{"provider": "openai"}]},
            "text-embedding-3-small": {"targets": [{"provider": "openai"}]},
            "claude-sonnet-4-5": {"targets": [{"provider": "anthropic"}]},
            "claude-haiku-4-5": {"targets": [{"provider": "anthropic"}]},
            "claude-opus-4-5": {"targets": [{"provider": "anthropic"}]},
        },
        "teams": TEAMS,
        "keys": [
            {"name": name, "sha256": hashlib.sha256(keys[name].encode()).hexdigest(), **facts}
            for name, facts in KEYS.items()
        ],
    }
    return Scene(document, keys)
