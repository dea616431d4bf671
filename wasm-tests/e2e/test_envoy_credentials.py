"""What Envoy adds to a request: signatures for AWS, and credentials from files that something renews."""

import json
import os
import secrets

import pytest

from harness import sigv4
from harness.document import Document
from harness.process import eventually
from harness.recorder import Recorder
from harness.yes import BROKEN, CHAT, CONVERSE, REFUSED

QUESTION = [{"role": "user", "content": "Is anybody there? Grüße"}]
AWS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": f"aws-{secrets.token_hex(16)}",
    "AWS_SESSION_TOKEN": f"session-{secrets.token_hex(16)}",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture
def upstreams():
    """Two upstreams, ended at the end."""
    started = [Recorder(CHAT), Recorder(CHAT)]
    yield started
    for upstream in started:
        upstream.stop()


def ask(gateway, model: str):
    return gateway.clients.openai().chat.completions.create(model=model, messages=QUESTION)


def test_a_request_to_bedrock_is_signed_over_the_body_that_the_provider_gets(start_gateway, upstreams):
    bedrock, spare = upstreams
    bedrock.answer = CONVERSE
    document = Document()
    document.provider("bedrock", "bedrock", bedrock.origin, settings={"region": "eu-central-1"})
    document.provider("spare", "openai", f"{spare.origin}/v1", "sk-provider-spare")
    document.model("claude", ("bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0"), ("spare", "gpt-4o"))
    document.key("everything")
    document.credentials.update(AWS)
    gateway = start_gateway(document)
    assert ask(gateway, "claude").choices[0].message.content == "Yes."
    (heard,) = bedrock.requests
    assert json.loads(heard.body)["messages"][0]["content"] == [{"text": QUESTION[0]["content"]}]
    assert sigv4.scope(heard) == ("AKIDEXAMPLE", "eu-central-1", "bedrock")
    assert sigv4.is_signed(heard, AWS["AWS_SECRET_ACCESS_KEY"])
    assert not sigv4.is_signed(heard, "another key")
    assert heard.headers["x-amz-security-token"] == AWS["AWS_SESSION_TOKEN"]
    # The next provider sees nothing of it.
    bedrock.answer = BROKEN
    assert ask(gateway, "claude").choices[0].message.content == "Yes."
    (heard,) = spare.requests
    assert heard.headers["authorization"] == "Bearer sk-provider-spare"
    assert not [name for name in heard.headers if name.startswith("x-amz-")]


def replace(path, content: str) -> None:
    """As whoever renews a token does: beside it, then over it."""
    beside = path.with_name("beside")
    beside.write_text(content)
    os.rename(beside, path)


def test_a_credential_in_a_file_is_taken_when_it_comes_and_when_it_is_renewed(start_gateway, upstreams, tmp_path):
    provider, spare = upstreams
    token = tmp_path / "token"
    document = Document()
    document.provider("provider", "openai", f"{provider.origin}/v1", auth="oauth")
    document.providers["provider"]["credential"] = {"file": str(token)}
    document.provider("spare", "openai", f"{spare.origin}/v1")
    document.model("renewed", ("provider", "gpt-4o"), ("spare", "gpt-4o"))
    document.key("everything")
    gateway = start_gateway(document)

    def shown() -> str | None:
        ask(gateway, "renewed")
        return provider.requests[-1].headers.get("authorization")

    # The client's own key does not go out in its place.
    assert shown() is None
    replace(token, "first-token\n")
    eventually("the token was there", lambda: shown() == "Bearer first-token")
    replace(token, "second-token")
    eventually("the token was renewed", lambda: shown() == "Bearer second-token")
    # Without it a provider refuses, and the next one is asked.
    provider.answer = REFUSED
    assert ask(gateway, "renewed").choices[0].message.content == "Yes."
    assert "authorization" not in spare.requests[-1].headers
    assert "-token" not in gateway.logs() + gateway.files()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_provider_that_says_it_is_not_well_is_passed_over_until_it_is(start_gateway, upstreams, host):
    provider, spare = upstreams
    provider.well = False
    document = Document(health={"failures": 1000})
    endpoint = f"{provider.origin}/v1".replace("127.0.0.1", host)
    document.provider("provider", "openai", endpoint, health_check={"path": "/health", "interval": "1s"})
    document.provider("spare", "openai", f"{spare.origin}/v1")
    document.model("checked", ("provider", "gpt-4o"), ("spare", "gpt-4o"))
    document.key("everything")
    gateway = start_gateway(document)
    assert ask(gateway, "checked").choices[0].message.content == "Yes."
    assert (len(provider.requests), len(spare.requests)) == (0, 1)
    provider.well = True
    eventually("it was asked again", lambda: ask(gateway, "checked") and provider.requests)
