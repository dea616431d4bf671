"""Who may use what: every refusal raises the exception the SDK documents, and tells nothing it should not."""

import anthropic
import openai
import pytest

from harness.discretion import tells_nothing
from harness.document import mint

QUESTION = [{"role": "user", "content": "Who goes there?"}]
CHAT = {"model": "gpt-4o-mini", "messages": QUESTION}
MESSAGE = {"model": "claude-haiku-4-5", "max_tokens": 20, "messages": QUESTION}


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key"], ids=["bearer", "x-api-key", "api-key"])
@pytest.mark.parametrize("path, body, provider", [
    ("/v1/chat/completions", CHAT, "openai"),
    ("/v1/messages", MESSAGE, "anthropic"),
])  # fmt: skip
def test_a_key_may_come_in_any_of_three_headers(gateway, clients, header, path, body, provider):
    mark = gateway.mark()
    secret = clients.secret("everything")
    with clients.http(None, provider) as http:
        value = f"Bearer {secret}" if header == "authorization" else secret
        answer = http.post(path, json=body, headers={header: value})
    assert answer.status_code == 200, answer.text
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_requests_total", "key", "outcome") == {("everything", "ok"): 1}
    assert seen.ledger.leaked_virtual_keys == 0
    assert seen.ledger.attempts == {provider: 1}


def test_a_key_presented_twice_reaches_no_provider(gateway, clients):
    """An SDK may be given both; whatever header a key came in, it stops at the gateway."""
    mark = gateway.mark()
    secret = clients.secret("everything")
    with clients.http("everything") as http:
        answer = http.post("/v1/chat/completions", json=CHAT, headers={"x-api-key": secret, "api-key": secret})
    assert answer.status_code == 200
    seen = mark.settled(1)
    assert seen.ledger.leaked_virtual_keys == 0
    assert seen.ledger.attempts == {"openai": 1}


def test_a_wrong_key_raises_authentication_error_in_the_openai_sdk(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.AuthenticationError) as caught:
        clients.openai(mint()).chat.completions.create(**CHAT)
    assert caught.value.status_code == 401
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id
    tells_nothing(gateway, caught.value.response.text)
    seen = mark.settled(1)
    assert seen.metrics.by("tollgate_requests_total", "key", "team", "model", "provider", "outcome") == {
        ("unknown", "none", "none", "none", "refused_key_unknown"): 1
    }
    assert seen.ledger.requests == 0


def test_a_wrong_key_raises_authentication_error_in_the_anthropic_sdk(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(anthropic.AuthenticationError) as caught:
        clients.anthropic(mint()).messages.create(**MESSAGE)
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["type"] == "authentication_error"
    assert caught.value.request_id
    tells_nothing(gateway, caught.value.response.text)
    assert mark.settled(1).ledger.requests == 0


@pytest.mark.parametrize("credential", ["", "Bearer", "Basic dXNlcjpwYXNz", "tg-", "Bearer tg-short"])
def test_what_is_no_key_at_all_is_refused(gateway, clients, credential):
    mark = gateway.mark()
    with clients.http(None) as http:
        answer = http.post("/v1/chat/completions", json=CHAT, headers={"Authorization": credential})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert mark.settled(1).ledger.requests == 0


def test_no_key_says_how_to_send_one(gateway, clients):
    mark = gateway.mark()
    with clients.http(None) as http:
        answer = http.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 401
    assert "Authorization: Bearer" in answer.json()["error"]["message"]
    assert mark.settled(1).outcomes() == {"refused_key_missing": 1}


@pytest.mark.parametrize("key, code", [("shut-off", "key_disabled"), ("run-out", "key_expired")])
def test_a_disabled_or_expired_key_is_refused(gateway, clients, key, code):
    mark = gateway.mark()
    with pytest.raises(openai.AuthenticationError) as caught:
        clients.openai(key).chat.completions.create(**CHAT)
    assert caught.value.code == code
    tells_nothing(gateway, caught.value.response.text)
    with pytest.raises(anthropic.AuthenticationError):
        clients.anthropic(key).messages.create(**MESSAGE)
    seen = mark.settled(2)
    assert seen.outcomes() == {f"refused_{code}": 2}
    assert seen.ledger.requests == 0


def test_a_key_that_has_not_expired_yet_is_served(gateway, clients):
    assert clients.openai("expiring").chat.completions.create(**CHAT).choices


def test_a_model_the_key_may_not_use_raises_permission_denied(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.PermissionDeniedError) as caught:
        clients.openai("narrow").chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert "gpt-4o" in caught.value.message
    tells_nothing(gateway, caught.value.response.text)
    with pytest.raises(anthropic.PermissionDeniedError) as refused:
        clients.anthropic("narrow").messages.create(model="claude-sonnet-4-5", max_tokens=5, messages=QUESTION)
    assert refused.value.body["error"]["type"] == "permission_error"
    tells_nothing(gateway, refused.value.response.text)
    seen = mark.settled(2)
    assert seen.outcomes() == {"refused_model_forbidden": 2}
    assert seen.provider_was_spared()


def test_an_allowed_prefix_is_enough(gateway, clients):
    assert clients.anthropic("narrow").messages.create(**MESSAGE).content
    assert clients.openai("narrow").chat.completions.create(**CHAT).choices


def test_an_alias_opens_nothing_that_its_model_does_not(gateway, clients):
    with pytest.raises(openai.PermissionDeniedError):
        clients.openai("narrow").chat.completions.create(model="gpt-4o-latest", messages=QUESTION)


def test_an_unknown_model_raises_not_found(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.NotFoundError) as caught:
        clients.openai().chat.completions.create(model="gpt-99-ultra", messages=QUESTION)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    tells_nothing(gateway, caught.value.response.text)
    with pytest.raises(anthropic.NotFoundError) as unknown:
        clients.anthropic().messages.create(model="claude-99", max_tokens=5, messages=QUESTION)
    assert unknown.value.body["error"]["type"] == "not_found_error"
    seen = mark.settled(2)
    assert seen.outcomes() == {"refused_model_unknown": 2}
    assert seen.metrics.by("tollgate_requests_total", "model") == {"none": 2}
    assert seen.provider_was_spared()


def test_the_models_list_shows_what_the_key_may_use(gateway, clients):
    """All of it, whichever API it is asked in; where hosts choose the provider, what those of that API have."""
    mark = gateway.mark()
    document = gateway.document
    by_openai = {model.id for model in clients.openai("narrow").models.list()}
    by_anthropic = {model.id for model in clients.anthropic("narrow").models.list()}
    if gateway.holds_headers:
        assert by_openai == by_anthropic == {"gpt-4o-mini", "claude-haiku-4-5"}
    else:
        assert (by_openai, by_anthropic) == ({"gpt-4o-mini"}, {"claude-haiku-4-5"})
    speak_openai = {name for name, provider in document.providers.items() if provider["dialect"] == "openai"}
    everything = {model.id for model in clients.openai("everything").models.list()}
    assert everything == {
        name
        for name, model in document.models.items()
        if gateway.holds_headers or model["targets"][0]["provider"] in speak_openai
    }
    seen = mark.settled(3)
    assert seen.metrics.by("tollgate_requests_total", "endpoint", "outcome") == {("models", "ok"): 3}
    assert seen.ledger.requests == 0


def test_one_model_is_shown_only_to_who_may_use_it(gateway, clients):
    assert clients.openai("narrow").models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    assert clients.anthropic("narrow").models.retrieve("claude-haiku-4-5").id == "claude-haiku-4-5"
    with pytest.raises(openai.NotFoundError) as unknown:
        clients.openai("narrow").models.retrieve("gpt-99-ultra")
    with pytest.raises(openai.NotFoundError) as hidden:
        clients.openai("narrow").models.retrieve("gpt-4o")
    tells_nothing(gateway, unknown.value.response.text + hidden.value.response.text)


def test_the_models_list_needs_a_key(gateway, clients):
    with pytest.raises(openai.AuthenticationError):
        clients.openai(mint()).models.list()
