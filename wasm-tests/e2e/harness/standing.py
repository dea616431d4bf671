"""The providers every test may use, and the document most of them share."""

import secrets
from pathlib import Path

from .document import Document
from .simulator import Simulator

CHAT = ["gpt-4o-mini", "gpt-4.1", "gpt-5", "gpt-5-mini", "o3-mini", "o4-mini", "gpt-audio"]
OTHER = [
    "text-embedding-3-small",
    "gpt-3.5-turbo-instruct",
    "gpt-image-1",
    "gpt-4o-transcribe",
    "omni-moderation-latest",
]
CLAUDE = ["claude-sonnet-4-5", "claude-haiku-4-5"]


class Standing:
    """Simulated providers that accept their own credential only, and two ports that refuse every connection."""

    def __init__(self, started: list[Simulator], directory: Path, dead_ports: tuple[int, int]):
        self.simulators = started
        for name in ("openai", "anthropic", "spare", "revoking"):
            credential = f"sk-provider-{name}-{secrets.token_hex(16)}"
            started.append(Simulator(name, directory, credential))
        self.openai, self.anthropic, self.spare, self.revoking = started
        self.dead_ports = dead_ports

    def providers(self, document: Document) -> Document:
        """Adds the three providers."""
        document.provider("openai", "openai", f"{self.openai.origin}/v1", self.openai.credential)
        document.provider("anthropic", "anthropic", self.anthropic.origin, self.anthropic.credential)
        document.provider("spare", "openai", f"{self.spare.origin}/v1", self.spare.credential, priced_as="openai")
        return document

    def document(self, **settings) -> Document:
        """The three providers, many models and keys of every kind."""
        document = self.providers(Document(default_provider="openai", **settings))
        document.model("gpt-4o", "openai", aliases=["gpt-4o-latest"])
        for name in CHAT + OTHER:
            document.model(name, "openai")
        for name in CLAUDE:
            document.model(name, "anthropic")
        document.model("pair", "nobody", ("spare", "gpt-4.1-mini"))
        document.model("house-model", ("spare", "gpt-4o-mini"))
        document.model("unpriced-model", ("spare", "llama-3.3-70b"))
        document.model("rerank-english", "spare")
        # Nobody listens there, and the credential of the third is not the one its provider accepts.
        document.provider("nobody", "openai", f"http://127.0.0.1:{self.dead_ports[0]}/v1", "sk-provider-nobody")
        document.provider(
            "nobody-else", "anthropic", f"http://127.0.0.1:{self.dead_ports[1]}", "sk-provider-nobody-else"
        )
        document.provider("revoking", "openai", f"{self.revoking.origin}/v1", "sk-provider-revoked-0123456789")
        document.model("unreachable", "nobody").model("unreachable-claude", "nobody-else").model("revoked", "revoking")
        document.price("openai", "gpt-image-1", input=5, cached_input=1.25, output=40)
        document.team("research").team("payments")
        document.key("everything", team="research")
        document.key("narrow", team="payments", models=["gpt-4o-mini", "claude-haiku*"])
        document.key("loner")
        document.key("timed")
        document.key("shut-off", team="payments", disabled=True)
        document.key("run-out", team="payments", expires="2020-01-01T00:00:00Z")
        document.key("expiring", team="payments", expires="2199-12-31T23:59:59+01:00")
        return document
