"""An unmodified SDK gets the answer it would get from the provider, and what it cost is on the page."""

import pytest

from harness.simulator import simulate

QUESTION = [{"role": "user", "content": "How does a toll bridge know who has paid?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


def charged_exactly(seen, provider: str = "openai") -> None:
    """The gateway's metrics say what the provider's ledger says, and all of it was reported."""
    assert seen.cost() == seen.ledger.settled > 0
    assert seen.cost(source="estimated") == 0
    assert seen.metrics.by("tollgate_cost_nanodollars_total", "provider") == {provider: seen.cost()}


def test_a_chat_completion_is_answered_and_charged(gateway, clients):
    mark = gateway.mark()
    answer = clients.openai().chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert answer.choices[0].message.content
    seen = mark.settled(1)
    charged_exactly(seen)
    assert sum(seen.tokens(source="reported").values()) == answer.usage.total_tokens
    assert seen.tokens(type="input") == {
        "input": answer.usage.prompt_tokens - answer.usage.prompt_tokens_details.cached_tokens
    }
    assert seen.metrics.by("tollgate_requests_total", "key", "team", "model", "provider", "outcome") == {
        ("everything", "research", "gpt-4o", "openai", "ok"): 1
    }


def test_a_streamed_chat_completion_is_answered_and_charged(gateway, clients):
    mark = gateway.mark()
    with clients.openai().chat.completions.create(model="gpt-4o-mini", messages=QUESTION, stream=True) as stream:
        chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text
    assert chunks[-1].choices[0].finish_reason == "stop"
    charged_exactly(mark.settled(1))


def test_streamed_and_whole_answers_say_the_same(gateway, clients):
    client = clients.openai()
    whole = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
    with client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, stream=True) as stream:
        parts = [choice.delta.content or "" for chunk in stream for choice in chunk.choices]
    assert "".join(parts) == whole.choices[0].message.content


def test_a_tool_call_arrives_whole(gateway, clients):
    mark = gateway.mark()
    answer = clients.openai(simulate=simulate(tool="weather")).chat.completions.create(
        model="gpt-4o", messages=QUESTION, tools=[WEATHER]
    )
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert call.function.arguments.startswith("{")
    assert answer.choices[0].finish_reason == "tool_calls"
    charged_exactly(mark.settled(1))


def test_a_streamed_tool_call_arrives_in_pieces_that_fit(gateway, clients):
    mark = gateway.mark()
    client = clients.openai(simulate=simulate(tool="weather"))
    with client.chat.completions.stream(model="gpt-4o", messages=QUESTION, tools=[WEATHER]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert call.function.arguments.startswith("{") and call.function.arguments.endswith("}")
    charged_exactly(mark.settled(1))


def test_several_choices_are_charged_together(gateway, clients):
    mark = gateway.mark()
    answer = clients.openai().chat.completions.create(model="gpt-4o", messages=QUESTION, n=3)
    assert len(answer.choices) == 3
    seen = mark.settled(1)
    charged_exactly(seen)
    assert sum(seen.tokens().values()) == answer.usage.total_tokens


def test_reasoning_and_cached_tokens_are_told_apart(gateway, clients):
    mark = gateway.mark()
    steering = simulate(cached=5, reasoning=40)
    answer = clients.openai(simulate=steering).chat.completions.create(model="o3-mini", messages=QUESTION)
    seen = mark.settled(1)
    charged_exactly(seen)
    assert seen.tokens() == {
        "cached_input": answer.usage.prompt_tokens_details.cached_tokens,
        "input": answer.usage.prompt_tokens - answer.usage.prompt_tokens_details.cached_tokens,
        "reasoning": answer.usage.completion_tokens_details.reasoning_tokens,
        "output": answer.usage.completion_tokens - answer.usage.completion_tokens_details.reasoning_tokens,
    }
    assert seen.tokens()["cached_input"] > 0 and seen.tokens()["reasoning"] > 0


def test_a_response_is_answered_and_charged(gateway, clients):
    mark = gateway.mark()
    answer = clients.openai().responses.create(model="gpt-4o", input="Say something about bridges.")
    assert answer.output_text
    seen = mark.settled(1)
    charged_exactly(seen)
    assert sum(seen.tokens().values()) == answer.usage.total_tokens


def test_a_streamed_response_is_answered_and_charged(gateway, clients):
    mark = gateway.mark()
    with clients.openai().responses.create(model="gpt-4o", input="Say something about bridges.", stream=True) as stream:
        events = list(stream)
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert any(event.type == "response.output_text.delta" for event in events)
    seen = mark.settled(1)
    charged_exactly(seen)
    assert sum(seen.tokens().values()) == events[-1].response.usage.total_tokens


def test_a_legacy_completion_is_answered_and_charged(gateway, clients):
    mark = gateway.mark()
    answer = clients.openai().completions.create(model="gpt-3.5-turbo-instruct", prompt="Once upon a bridge")
    assert answer.choices[0].text
    charged_exactly(mark.settled(1))


def test_a_streamed_legacy_completion_is_answered_and_charged(gateway, clients):
    mark = gateway.mark()
    with clients.openai().completions.create(
        model="gpt-3.5-turbo-instruct", prompt="Once upon a bridge", stream=True
    ) as stream:
        text = "".join(choice.text for chunk in stream for choice in chunk.choices)
    assert text
    charged_exactly(mark.settled(1))


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_are_answered_and_charged(gateway, clients, encoding):
    mark = gateway.mark()
    answer = clients.openai().embeddings.create(
        model="text-embedding-3-small", input=["a bridge", "a toll"], encoding_format=encoding
    )
    assert len(answer.data) == 2
    seen = mark.settled(1)
    charged_exactly(seen)
    assert seen.tokens() == {"input": answer.usage.prompt_tokens}


def test_a_message_is_answered_and_charged(gateway, clients):
    mark = gateway.mark()
    answer = clients.anthropic().messages.create(model="claude-sonnet-4-5", max_tokens=200, messages=QUESTION)
    assert answer.content[0].text
    seen = mark.settled(1)
    charged_exactly(seen, "anthropic")
    assert seen.tokens() == {"input": answer.usage.input_tokens, "output": answer.usage.output_tokens}


def test_a_streamed_message_is_answered_and_charged(gateway, clients):
    mark = gateway.mark()
    with clients.anthropic().messages.stream(model="claude-haiku-4-5", max_tokens=200, messages=QUESTION) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == final.content[0].text
    seen = mark.settled(1)
    charged_exactly(seen, "anthropic")
    assert seen.tokens() == {"input": final.usage.input_tokens, "output": final.usage.output_tokens}


def test_a_streamed_tool_use_arrives_whole(gateway, clients):
    mark = gateway.mark()
    tool = {"name": "weather", "description": "The weather", "input_schema": WEATHER["function"]["parameters"]}
    client = clients.anthropic(simulate=simulate(tool="weather"))
    with client.messages.stream(model="claude-haiku-4-5", max_tokens=200, messages=QUESTION, tools=[tool]) as stream:
        final = stream.get_final_message()
    used = [block for block in final.content if block.type == "tool_use"]
    assert used[0].name == "weather" and isinstance(used[0].input, dict)
    assert final.stop_reason == "tool_use"
    charged_exactly(mark.settled(1), "anthropic")


@pytest.mark.parametrize("stream", [False, True])
def test_cache_writes_of_both_lives_have_their_own_price(gateway, clients, stream):
    mark = gateway.mark()
    client = clients.anthropic(simulate=simulate(cached=30, cache_write_5m=20, cache_write_1h=10))
    if stream:
        with client.messages.stream(model="claude-sonnet-4-5", max_tokens=100, messages=QUESTION) as events:
            usage = events.get_final_message().usage
    else:
        usage = client.messages.create(model="claude-sonnet-4-5", max_tokens=100, messages=QUESTION).usage
    seen = mark.settled(1)
    charged_exactly(seen, "anthropic")
    assert seen.tokens() == {
        "input": usage.input_tokens,
        "cached_input": usage.cache_read_input_tokens,
        "cache_write_5m": usage.cache_creation.ephemeral_5m_input_tokens,
        "cache_write_1h": usage.cache_creation.ephemeral_1h_input_tokens,
        "output": usage.output_tokens,
    }


def test_counting_tokens_costs_nothing(gateway, clients):
    mark = gateway.mark()
    counted = clients.anthropic().messages.count_tokens(model="claude-sonnet-4-5", messages=QUESTION)
    assert counted.input_tokens > 0
    seen = mark.settled(1)
    assert seen.cost() == seen.ledger.settled == 0
    assert seen.tokens() == {}
    assert seen.outcomes() == {"ok": 1}


def test_an_alias_is_the_model_it_stands_for(gateway, clients):
    mark = gateway.mark()
    clients.openai().chat.completions.create(model="gpt-4o-latest", messages=QUESTION)
    seen = mark.settled(1)
    charged_exactly(seen)
    assert seen.metrics.by("tollgate_requests_total", "model") == {"gpt-4o": 1}


def test_a_target_may_have_its_own_name_for_a_model(gateway, clients):
    mark = gateway.mark()
    answer = clients.openai(provider="spare").chat.completions.create(model="house-model", messages=QUESTION)
    assert answer.choices[0].message.content
    seen = mark.settled(1)
    charged_exactly(seen, "spare")
    assert seen.metrics.by("tollgate_requests_total", "model") == {"house-model": 1}
    assert set(seen.ledger.models()) == {"gpt-4o-mini"}


def test_a_model_without_a_price_is_counted_as_unpriced(gateway, clients):
    mark = gateway.mark()
    clients.openai(provider="spare").chat.completions.create(model="unpriced-model", messages=QUESTION)
    seen = mark.settled(1)
    assert seen.cost() == 0
    assert seen.metrics.by("tollgate_unpriced_requests_total", "key", "model", "provider") == {
        ("everything", "unpriced-model", "spare"): 1
    }
    assert sum(seen.tokens().values()) > 0


def test_every_answer_carries_a_request_id(gateway, clients):
    answer = clients.openai().chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=QUESTION)
    assert answer.headers["x-request-id"]
    message = clients.anthropic().messages.with_raw_response.create(
        model="claude-haiku-4-5", max_tokens=20, messages=QUESTION
    )
    assert message.headers["request-id"]


def test_fields_the_gateway_does_not_know_reach_the_provider(gateway, clients):
    """The body passes through as it was written; only what has to change is edited."""
    mark = gateway.mark()
    extra = {"a_field_of_next_year": {"deep": [1, 2.50, "ünï"]}, "zero": -0.0, "big": 123456789012345678901234567890}
    clients.openai().chat.completions.create(model="gpt-4o-mini", messages=QUESTION, extra_body=extra)
    charged_exactly(mark.settled(1))
