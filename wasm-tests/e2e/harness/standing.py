"""The providers every test may use, and the document most of them share."""

import secrets
from pathlib import Path

from .document import Document
from .simulator import Simulator

CHAT = ["gpt-4o-mini", "gpt-4.1", "gpt-5", "gpt-5-mini", "o3-mini", "o4-mini", "gpt-audio"]
OTHER = ["text-embedding-3-small", "gpt-3.5-turbo-instruct", "gpt-image-1", "gpt-4o-transcribe", "omni-moderation-latest"]
CLAUDE = ["claude-sonnet-4-5", "claude-haiku-4-5"]


class Standing:
    """One simulated provider each for OpenAI, Anthropic and a spare, each accepting its own credential only."""

    def __init__(self, started: list[Simulator], directory: Path):
        self.simulators = started
        for name in ("openai", "anthropic", "spare"):
            credential = f"sk-provider-{name}-{secrets.token_hex(16)}"
            started.append(Simulator(name, directory, credential))
        self.openai, self.anthropic, self.spare = started

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
        document.model("house-model", ("spare", "gpt-4o-mini"))
        document.model("unpriced-model", ("spare", "llama-3.3-70b"))
        document.model("rerank-english", "spare")
        document.team("research").team("payments")
        document.key("everything", team="research")
        document.key("narrow", team="payments", models=["gpt-4o-mini", "claude-haiku*"])
        document.key("loner")
        document.key("timed")
        document.key("disabled", team="payments", disabled=True)
        document.key("expired", team="payments", expires="2020-01-01T00:00:00Z")
        document.key("expiring", team="payments", expires="2199-12-31T23:59:59+01:00")
        return document
