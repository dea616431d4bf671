"""What an error may not tell. In: a gateway and a text. Out: nothing, or a failure that names what was told."""


def tells_nothing(gateway, text: str) -> None:
    """No other key, no secret, no provider and no model the caller did not name is in an error."""
    document = gateway.document
    for name in ("everything", "narrow", "loner", "shut-off", "run-out", "research", "payments"):
        assert name not in text, name
    for secret in [*document.secrets.values(), *document.credentials.values(), *document.credentials]:
        assert secret not in text
    for provider in document.providers.values():
        assert provider["endpoint"].split("://")[1].split("/")[0] not in text
    for word in ("wasm", "envoy", "upstream_cluster", "house-model", "tollgate.handoff"):
        assert word not in text.lower()
