"""Every class of token and every price that depends on something, against the provider's own books."""

import pytest

from harness.simulator import simulate

QUESTION = [{"role": "user", "content": "What does the bridge cost at night?"}]


def charged_exactly(seen) -> None:
    """All was reported; the cost and the tokens are the ledger's."""
    assert seen.cost() == seen.cost(source="reported") == seen.ledger.settled > 0
    assert seen.tokens(source="reported") == seen.ledger.tokens
    assert seen.metrics.total("tollgate_unpriced_requests_total") == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "model, tier",
    [("gpt-4o", "priority"), ("gpt-5", "priority"), ("gpt-5", "flex"), ("o4-mini", "flex"), ("gpt-5", "default")],
)
def test_the_service_tier_of_the_reply_decides_the_price(gateway, clients, model, tier, stream):
    mark = gateway.mark()
    client = clients.openai(simulate=simulate(service_tier=tier, prompt=1001, cached=333, reasoning=17))
    answer = client.chat.completions.create(model=model, messages=QUESTION, stream=stream)
    assert list(answer) if stream else answer.service_tier == tier
    charged_exactly(mark.settled(1))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("prompt", [199_999, 200_000, 200_001, 250_000])
def test_a_long_prompt_has_its_own_price(gateway, clients, prompt, stream):
    mark = gateway.mark()
    # What is read from and written to the cache counts towards the size.
    client = clients.anthropic(
        simulate=simulate(prompt=prompt - 1500, cached=1000, cache_write_5m=300, cache_write_1h=200)
    )
    answer = client.messages.create(model="claude-sonnet-4-5", max_tokens=50, messages=QUESTION, stream=stream)
    assert list(answer) if stream else answer.content
    charged_exactly(mark.settled(1))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_audio_has_its_own_price(gateway, clients, stream):
    mark = gateway.mark()
    client = clients.openai(simulate=simulate(prompt=900, audio_in=700, audio_out=450))
    answer = client.chat.completions.create(model="gpt-audio", messages=QUESTION, stream=stream)
    assert list(answer) if stream else answer.usage.total_tokens
    seen = mark.settled(1)
    charged_exactly(seen)
    assert seen.tokens()["input_audio"] == 700 and seen.tokens()["output_audio"] == 450


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_response_tells_its_cached_and_reasoning_tokens(gateway, clients, stream):
    mark = gateway.mark()
    client = clients.openai(simulate=simulate(prompt=3000, cached=2048, reasoning=64))
    answer = client.responses.create(model="gpt-5", input="What does the bridge cost at night?", stream=stream)
    assert list(answer) if stream else answer.output_text
    seen = mark.settled(1)
    charged_exactly(seen)
    assert seen.tokens()["cached_input"] == 2048 and seen.tokens()["reasoning"] == 64


def test_the_model_a_reply_names_changes_nothing(gateway, clients):
    """Providers answer with dated names; what was asked for is what is priced."""
    mark = gateway.mark()
    client = clients.openai(simulate=simulate(reply_model="gpt-4o-2099-01-01"))
    assert client.chat.completions.create(model="gpt-4o", messages=QUESTION).model == "gpt-4o-2099-01-01"
    seen = mark.settled(1)
    charged_exactly(seen)
    assert seen.metrics.by("tollgate_requests_total", "model") == {"gpt-4o": 1}


@pytest.mark.parametrize("tokens", [1, 2, 3, 7, 999, 100_000])
def test_no_size_is_rounded_wrongly(gateway, clients, tokens):
    mark = gateway.mark()
    client = clients.openai(
        simulate=simulate(prompt=tokens, cached=tokens // 2, tokens=min(tokens, 1000), service_tier="flex")
    )
    client.chat.completions.create(model="o4-mini", messages=QUESTION)
    charged_exactly(mark.settled(1))
