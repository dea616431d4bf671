"""Clients as agents use them. In: a gateway's address, a key, where the request is meant to go. Out: unmodified SDKs.

Where the gateway cannot hold headers, the provider is told by the host a request is addressed to, as it is when a mesh
carries an agent's own egress: the same clients then send the provider's authority as `Host`.
"""

from __future__ import annotations

import anthropic
import httpx2
import openai

# Only a guard against hanging for ever; every test that could hang would fail by it.
HANG_GUARD = 45.0


class Clients:
    """Makes clients of one gateway."""

    def __init__(self, base: str, hosts: dict[str, str] | None, secrets: dict[str, str]):
        self.base = base
        self._hosts = hosts
        self._secrets = secrets

    def secret(self, key: str) -> str:
        """The secret of a key by its name in the document; anything else is presented as it is."""
        return self._secrets.get(key, key)

    def host(self, provider: str) -> dict[str, str]:
        """The header that names the provider, where the host has to."""
        return {"Host": self._hosts[provider]} if self._hosts else {}

    def openai(
        self, key: str = "everything", provider: str = "openai", simulate: str | None = None, **options
    ) -> openai.OpenAI:
        """The official OpenAI SDK."""
        return openai.OpenAI(**self._openai_options(key, provider, simulate, options))

    def openai_async(
        self, key: str = "everything", provider: str = "openai", simulate: str | None = None, **options
    ) -> openai.AsyncOpenAI:
        """The official OpenAI SDK, asynchronous."""
        return openai.AsyncOpenAI(**self._openai_options(key, provider, simulate, options))

    def anthropic(
        self, key: str = "everything", provider: str = "anthropic", simulate: str | None = None, **options
    ) -> anthropic.Anthropic:
        """The official Anthropic SDK."""
        return anthropic.Anthropic(**self._anthropic_options(key, provider, simulate, options))

    def anthropic_async(
        self, key: str = "everything", provider: str = "anthropic", simulate: str | None = None, **options
    ) -> anthropic.AsyncAnthropic:
        """The official Anthropic SDK, asynchronous."""
        return anthropic.AsyncAnthropic(**self._anthropic_options(key, provider, simulate, options))

    def http(
        self, key: str | None = "everything", provider: str = "openai", simulate: str | None = None, **options
    ) -> httpx2.Client:
        """Plain HTTP, for what no SDK would send."""
        return httpx2.Client(**self._http_options(key, provider, simulate, options))

    def http_async(
        self, key: str | None = "everything", provider: str = "openai", simulate: str | None = None, **options
    ) -> httpx2.AsyncClient:
        """Plain HTTP, asynchronous."""
        return httpx2.AsyncClient(**self._http_options(key, provider, simulate, options))

    def _headers(self, provider: str, simulate: str | None, more: dict | None) -> dict[str, str]:
        steering = {"x-simulate": simulate} if simulate else {}
        return {**self.host(provider), **steering, **(more or {})}

    def _openai_options(self, key, provider, simulate, options) -> dict:
        headers = self._headers(provider, simulate, options.pop("default_headers", None))
        defaults = {"max_retries": 0, "timeout": HANG_GUARD, "base_url": f"{self.base}/v1"}
        return {**defaults, **options, "api_key": self.secret(key), "default_headers": headers}

    def _anthropic_options(self, key, provider, simulate, options) -> dict:
        headers = self._headers(provider, simulate, options.pop("default_headers", None))
        defaults = {"max_retries": 0, "timeout": HANG_GUARD, "base_url": self.base}
        return {**defaults, **options, "api_key": self.secret(key), "default_headers": headers}

    def _http_options(self, key, provider, simulate, options) -> dict:
        headers = self._headers(provider, simulate, options.pop("headers", None))
        if key is not None:
            headers = {"Authorization": f"Bearer {self.secret(key)}", **headers}
        return {
            "base_url": self.base,
            "timeout": HANG_GUARD,
            "headers": headers,
            "verify": False,
            "trust_env": False,
            **options,
        }
