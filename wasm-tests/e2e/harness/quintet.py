"""Five providers, one for each API that Tollgate speaks to, and a gateway whose models are theirs.

In: a directory. Out: simulated providers that refuse what their API does not document, and a document. A provider's models
are named after it: `anthropic` does not think, `anthropic-thinks` does.
"""

import secrets
from pathlib import Path

from .document import Document
from .simulator import Simulator

# Its dialect, where its API begins, what the gateway has to be told of it, an ordinary model and one that thinks.
PROVIDERS: dict[str, tuple[str, str, dict, str, str]] = {
    "chat": ("openai", "/v1", {"priced_as": "openai"}, "gpt-4o", "o4-mini"),
    "responses": ("openai", "/v1", {"priced_as": "openai", "translate_to": "responses"}, "gpt-4.1", "gpt-5"),
    "anthropic": ("anthropic", "", {"priced_as": "anthropic"}, "claude-haiku-4-5", "claude-sonnet-4-5"),
    "gemini": ("gemini", "/v1beta", {"priced_as": "google"}, "gemini-2.5-flash", "gemini-2.5-pro"),
    "bedrock": (
        "bedrock",
        "",
        {"priced_as": "aws", "auth": "bearer"},
        "amazon.nova-lite-v1:0",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
}
# A client's API, and the provider that speaks it, too.
SAME = {("chat", "chat"), ("responses", "responses"), ("responses", "chat"), ("messages", "anthropic")}


def quintet(directory: Path, **settings) -> tuple[Document, dict[str, Simulator]]:
    """The document, and the providers by name. Whoever has them ends them."""
    document = Document(**settings)
    simulators = {}
    for name, (dialect, path, facts, plain, thinking) in PROVIDERS.items():
        credential = f"sk-provider-{name}-{secrets.token_hex(16)}"
        simulator = simulators[name] = Simulator(name, directory, credential, ("--simulate", "strict"))
        document.provider(name, dialect, f"{simulator.origin}{path}", credential, **facts)
        document.model(name, (name, plain)).model(f"{name}-thinks", (name, thinking))
        # The same provider, asked with a credential that it does not accept.
        document.provider(f"{name}-revoked", dialect, f"{simulator.origin}{path}", "sk-provider-revoked", **facts)
        document.model(f"{name}-revoked", (f"{name}-revoked", plain))
    document.key("everything")
    return document, simulators
