"""Providers of every API that Tollgate speaks to, and a document whose models are theirs.

In: a directory. Out: simulated providers that refuse what their API does not document, and a document. A provider's models
are named after it: `anthropic` does not think, `anthropic-thinks` does.
"""

import secrets
from pathlib import Path

from .document import Document
from .simulator import Simulator

# Its kind, its dialect, where its API begins, what else the gateway has to be told of it; an ordinary model and one that thinks.
PROVIDERS: dict[str, tuple[str | None, str, str, dict, str, str]] = {
    "chat": ("openai", "openai", "/v1", {}, "gpt-4o", "o4-mini"),
    "responses": ("openai", "openai", "/v1", {"translate_to": "responses"}, "gpt-4.1", "gpt-5"),
    # A server like many: it has chat completions and nothing else.
    "compatible": (
        None,
        "openai",
        "/v1",
        {"priced_as": "openai", "facts": {"responses": False, "max_tokens": "max_completion_tokens"}},
        "gpt-4o-mini",
        "o3-mini",
    ),
    "anthropic": ("anthropic", "anthropic", "", {}, "claude-haiku-4-5", "claude-sonnet-4-5"),
    "gemini": ("gemini", "gemini", "/v1beta", {}, "gemini-2.5-flash", "gemini-3-pro-preview"),
    "bedrock": (
        "bedrock-api-key",
        "bedrock",
        "",
        {},
        "amazon.nova-lite-v1:0",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
}
# A client's API, and a provider that speaks it, too: bytes pass as they are.
SAME = {
    ("chat", "chat"),
    ("chat", "compatible"),
    ("responses", "chat"),
    ("responses", "responses"),
    ("messages", "anthropic"),
}


def every_api(directory: Path, **settings) -> tuple[Document, dict[str, Simulator]]:
    """The document, and the providers by name. Whoever has them ends them."""
    document = Document(**settings)
    simulators = {}
    for name, (kind, dialect, path, facts, plain, thinking) in PROVIDERS.items():
        facts = {"kind": kind, **facts} if kind else facts
        credential = f"sk-provider-{name}-{secrets.token_hex(16)}"
        simulator = simulators[name] = Simulator(name, directory, credential, ("--simulate", "strict"))
        document.provider(name, dialect, f"{simulator.origin}{path}", credential, **facts)
        document.model(name, (name, plain)).model(f"{name}-thinks", (name, thinking))
        # The same provider, asked with a credential that it does not accept.
        document.provider(f"{name}-revoked", dialect, f"{simulator.origin}{path}", "sk-provider-revoked", **facts)
        document.model(f"{name}-revoked", (f"{name}-revoked", plain))
    document.key("everything")
    return document, simulators
