"""A provider's own refusals and failures reach the SDK as what they are, and nothing of the gateway's inside does."""

import anthropic
import openai
import pytest

from harness.discretion import tells_nothing
from harness.simulator import simulate

QUESTION = [{"role": "user", "content": "Are you there?"}]
CHAT = {"model": "gpt-4o-mini", "messages": QUESTION}
MESSAGE = {"model": "claude-haiku-4-5", "max_tokens": 20, "messages": QUESTION}


@pytest.mark.parametrize("status, error, raised", [
    (400, openai.BadRequestError, anthropic.BadRequestError),
    (404, openai.NotFoundError, anthropic.NotFoundError),
    (422, openai.UnprocessableEntityError, anthropic.UnprocessableEntityError),
    (429, openai.RateLimitError, anthropic.RateLimitError),
    (500, openai.InternalServerError, anthropic.InternalServerError),
    (503, openai.InternalServerError, anthropic.InternalServerError),
])  # fmt: skip
def test_a_providers_error_raises_its_exception(gateway, clients, status, error, raised):
    mark = gateway.mark()
    steering = simulate(status=status)
    with pytest.raises(error) as caught:
        clients.openai(simulate=steering).chat.completions.create(**CHAT)
    assert caught.value.status_code == status
    tells_nothing(gateway, caught.value.response.text)
    with pytest.raises(raised) as refused:
        clients.anthropic(simulate=steering).messages.create(**MESSAGE)
    assert refused.value.body["type"] == "error"
    tells_nothing(gateway, refused.value.response.text)
    seen = mark.settled(2)
    expected = "provider_rate_limited" if status == 429 else "client_error" if status < 500 else "provider_error"
    assert seen.outcomes() == {expected: 2}
    assert seen.cost() == seen.ledger.reported == 0
    assert sum(seen.tokens().values()) == 0


def test_a_rate_limit_says_when_to_come_back(gateway, clients):
    steering = simulate(status=429, retry_after=7)
    with pytest.raises(openai.RateLimitError) as caught:
        clients.openai(simulate=steering).chat.completions.create(**CHAT)
    assert caught.value.response.headers["retry-after"] == "7"
    with pytest.raises(anthropic.RateLimitError) as limited:
        clients.anthropic(simulate=steering).messages.create(**MESSAGE)
    assert limited.value.response.headers["retry-after"] == "7"


def test_an_sdk_that_retries_is_counted_each_time(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.InternalServerError):
        clients.openai(simulate=simulate(status=500), max_retries=2).chat.completions.create(**CHAT)
    seen = mark.settled(3)
    assert seen.ledger.requests == seen.metrics.total("tollgate_attempts_total") == 3


def test_a_providers_word_about_the_gateways_credential_is_not_the_clients(gateway, clients):
    """The provider refuses the gateway's credential: the client's own key is fine, and must not be told otherwise."""
    mark = gateway.mark()
    with pytest.raises(openai.InternalServerError) as caught:
        clients.openai(provider="revoking").chat.completions.create(model="revoked", messages=QUESTION)
    assert caught.value.status_code == 502
    tells_nothing(gateway, caught.value.response.text)
    seen = mark.settled(1)
    assert seen.outcomes() == {"provider_credential": 1}
    assert seen.cost() == 0


def test_a_provider_that_is_not_there_is_a_clean_error(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.InternalServerError) as caught:
        clients.openai(provider="nobody").chat.completions.create(model="unreachable", messages=QUESTION)
    with pytest.raises(anthropic.APIStatusError) as unreachable:
        clients.anthropic(provider="nobody-else").messages.create(
            model="unreachable-claude", max_tokens=5, messages=QUESTION
        )
    seen = mark.settled(2)
    assert seen.outcomes() == {"provider_unreachable": 2}
    assert seen.cost() == 0
    assert caught.value.status_code in (502, 503)
    assert caught.value.code == "upstream_unreachable"
    tells_nothing(gateway, caught.value.response.text)
    assert unreachable.value.status_code in (502, 503)
    assert unreachable.value.body["error"]["type"] == "api_error"
    assert "upstream_reset" not in unreachable.value.response.text
    tells_nothing(gateway, unreachable.value.response.text)


def test_a_provider_that_hangs_up_without_a_word_is_a_clean_error(gateway, clients):
    mark = gateway.mark()
    with pytest.raises(openai.InternalServerError) as caught:
        clients.openai(simulate=simulate("drop")).chat.completions.create(**CHAT)
    assert caught.value.code == "upstream_unreachable"
    with pytest.raises(anthropic.APIStatusError) as refused:
        clients.anthropic(simulate=simulate("drop")).messages.create(**MESSAGE)
    assert refused.value.body["error"]["type"] == "api_error"
    tells_nothing(gateway, caught.value.response.text + refused.value.response.text)
    seen = mark.settled(2)
    assert seen.outcomes() == {"provider_unreachable": 2}
    assert seen.cost() == 0
