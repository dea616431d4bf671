"""Documents as an operator writes them. In: providers, models, keys. Out: the JSON, and the secrets only tests know."""

import base64
import copy
import hashlib
import json
import secrets


def mint() -> str:
    """A virtual key as `tollgate key new` makes them."""
    return "tg-" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def hashed(secret: str) -> str:
    """What the document has of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Document:
    """A document under construction. `secrets`: the virtual keys by name; `credentials`: the providers' by variable."""

    def __init__(self, **settings):
        self.settings = settings
        self.providers: dict[str, dict] = {}
        self.models: dict[str, dict] = {}
        self.teams: dict[str, dict] = {}
        self.prices: list[dict] = []
        self.keys: list[dict] = []
        self.secrets: dict[str, str] = {}
        self.credentials: dict[str, str] = {}

    def provider(self, name: str, dialect: str, endpoint: str, credential: str | None = None, **facts) -> "Document":
        """A provider; its credential, when it has one, travels in the environment variable `<NAME>_CREDENTIAL`."""
        entry = {"dialect": dialect, "endpoint": endpoint, **facts}
        if credential is not None:
            variable = f"{name.upper().replace('-', '_').replace('.', '_')}_CREDENTIAL"
            self.credentials[variable] = credential
            entry["credential"] = {"env": variable}
        self.providers[name] = entry
        return self

    def model(self, name: str, *targets: str | tuple[str, str], **facts) -> "Document":
        """A model; a target is a provider, or a provider with its own name for the model."""
        written = [
            {"provider": target} if isinstance(target, str) else {"provider": target[0], "model": target[1]}
            for target in targets
        ]
        self.models[name] = {"targets": written, **facts}
        return self

    def team(self, name: str, **facts) -> "Document":
        """A team."""
        self.teams[name] = facts
        return self

    def operator(self, name: str) -> str:
        """A key that sees the state of all keys and may lift blocks; returns what its holder presents."""
        secret = self.secrets[name] = mint()
        self.settings.setdefault("operators", []).append({"name": name, "sha256": hashed(secret)})
        return secret

    def price(self, provider: str, model: str, **usd_per_million) -> "Document":
        """A price that is not the bundled one."""
        self.prices.append({"provider": provider, "model": model, **usd_per_million})
        return self

    def key(self, name: str, **facts) -> str:
        """A key with that name; returns what its holder presents."""
        secret = mint()
        self.secrets[name] = secret
        self.keys.append({"name": name, "sha256": hashed(secret), **facts})
        return secret

    def entry(self, name: str) -> dict:
        """The entry of a key, to be changed."""
        return next(key for key in self.keys if key["name"] == name)

    def without_key(self, name: str) -> "Document":
        """Takes a key out of the document; its holder keeps the secret."""
        self.keys = [key for key in self.keys if key["name"] != name]
        return self

    def copy(self) -> "Document":
        """An independent copy, for a change of configuration."""
        return copy.deepcopy(self)

    def as_json(self) -> dict:
        """The document."""
        body = {**self.settings, "providers": self.providers, "models": self.models, "keys": self.keys}
        if self.teams:
            body["teams"] = self.teams
        if self.prices:
            body["prices"] = self.prices
        return body

    def text(self) -> str:
        """The document as a file."""
        return json.dumps(self.as_json(), indent=2) + "\n"

    def digest(self) -> str:
        """What `tollgate_config_info` calls this document: the start of its SHA-256."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:16]
