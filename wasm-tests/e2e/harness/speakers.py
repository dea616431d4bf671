"""One conversation, in the words of three official SDKs. In: turns, tools, wishes. Out: what was said, in no SDK's words.

A speaker makes turns as its API has them (`user`, `results`) and asks with them; what came back says itself how it goes back
into the next request (`Said.back`), which is how agents do it: the assistant's message as the SDK gave it.

`how`: `whole` (one piece), `stream` (the SDK's own accumulation, which is stricter than reading events), `events` (plain
events, put together here by the rules of the API's documentation).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .clients import Clients

HOW = ["whole", "stream", "events"]

# A transparent pixel.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="  # cspell:disable-line
)
PLACE = {
    "type": "object",
    "properties": {"place": {"type": "string", "description": "A town"}},
    "required": ["place"],
    "additionalProperties": False,
}
TOOLS = {"weather": "The weather at a place", "clock": "The time at a place"}


class Broken(Exception):
    """A stream that ended in an error by which the SDK does not raise."""


@dataclass
class Called:
    """A call of a tool."""

    id: str
    name: str
    arguments: dict


@dataclass
class Said:
    """What was said."""

    text: str
    thought: str
    calls: list[Called]
    # stop, calls, length, filtered, refused
    ending: str
    # All tokens of the prompt, those of them that were read from a cache, and all of the answer.
    prompt: int
    cached: int
    answer: int
    # The turn, as it goes back.
    back: list[dict]
    # Pieces of text and of arguments that came one by one.
    pieces: list[str] = field(default_factory=list)
    # As the SDK has it.
    native: Any = None

    def meaning(self) -> dict:
        """What the provider understood, where it was asked to say that."""
        return json.loads(self.text)


class Chat:
    """OpenAI's chat completions."""

    name = "chat"
    dialect = "openai"

    def __init__(self, clients: Clients):
        self.clients = clients

    def client(self, simulate: str | None = None, **options):
        """The SDK."""
        return self.clients.openai(simulate=simulate, **options)

    def user(self, text: str, image: str | None = None) -> list[dict]:
        """A turn of the user's."""
        if image is None:
            return [{"role": "user", "content": text}]
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}
        return [{"role": "user", "content": [{"type": "text", "text": text}, picture]}]

    def results(self, results: list[tuple[Called, str]]) -> list[dict]:
        """What came of calls."""
        return [{"role": "tool", "tool_call_id": call.id, "content": text} for call, text in results]

    def body(self, model: str, turns: list[dict], **wishes) -> dict:
        """The request."""
        body: dict = {"model": model, "messages": turns}
        if system := wishes.pop("system", None):
            body["messages"] = [{"role": "system", "content": system}, *turns]
        if wishes.pop("tools", False):
            body["tools"] = [
                {"type": "function", "function": {"name": name, "description": text, "parameters": PLACE, "strict": True}}
                for name, text in TOOLS.items()
            ]
        if wishes.pop("think", False):
            body["reasoning_effort"] = "high"
        if most := wishes.pop("most", None):
            body["max_completion_tokens"] = most
        return {**body, **wishes}

    def ask(self, model: str, turns: list[dict], how: str = "whole", simulate: str | None = None, **wishes) -> Said:
        """Asks."""
        with self.client(simulate) as client:
            body = self.body(model, turns, **wishes)
            if how == "whole":
                return self._said(client.chat.completions.create(**body))
            body["stream_options"] = {"include_usage": True}
            if how == "stream":
                pieces = []
                with client.chat.completions.stream(**body) as stream:
                    for event in stream:
                        if event.type == "content.delta":
                            pieces.append(event.delta)
                        elif event.type == "tool_calls.function.arguments.delta":
                            pieces.append(event.arguments_delta)
                    return self._said(stream.get_final_completion(), pieces)
            with client.chat.completions.create(**body, stream=True) as stream:
                return self._put_together(list(stream))

    def parse(self, model: str, turns: list[dict], shape: type, simulate: str) -> Any:
        """Asks for an answer of a shape; what the SDK made of it."""
        with self.client(simulate) as client:
            parsed = client.chat.completions.parse(**self.body(model, turns), response_format=shape)
            return parsed.choices[0].message.parsed

    def _said(self, completion, pieces=()) -> Said:
        choice = completion.choices[0]
        message = choice.message
        return Said(
            text=message.content or "",
            thought=(message.model_extra or {}).get("reasoning_content") or "",
            calls=[Called(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or []],
            ending=self._ending(choice.finish_reason),
            **self._usage(completion.usage),
            back=[self._back(message)],
            pieces=list(pieces),
            native=completion,
        )

    @staticmethod
    def _back(message) -> dict:
        plain = _plain(message, "parsed", "parsed_arguments")
        for call in plain.get("tool_calls", []):
            # What the SDK keeps from the stream's chunks; OpenAI's API does not know it here.
            call.pop("index", None)
        return plain

    @staticmethod
    def _ending(reason: str) -> str:
        return {"tool_calls": "calls", "content_filter": "filtered"}.get(reason, reason)

    @staticmethod
    def _usage(usage) -> dict:
        details = usage.prompt_tokens_details
        return {
            "prompt": usage.prompt_tokens,
            "cached": (details.cached_tokens or 0) if details else 0,
            "answer": usage.completion_tokens,
        }

    def _put_together(self, chunks) -> Said:
        """By the rules of the API reference: contents are joined, calls by their index; the last chunk has the usage."""
        text, thought, calls, ending, pieces = "", "", {}, None, []
        details: dict[int, dict] = {}
        assert chunks[-1].usage is not None and not chunks[-1].choices
        assert len({chunk.id for chunk in chunks}) == 1 and chunks[0].choices[0].delta.role == "assistant"
        for chunk in chunks[:-1]:
            assert chunk.usage is None and chunk.object == "chat.completion.chunk"
            for choice in chunk.choices:
                assert choice.index == 0
                delta = choice.delta
                assert ending is None or not (delta.content or delta.tool_calls)
                ending = choice.finish_reason or ending
                text += delta.content or ""
                extra = delta.model_extra or {}
                thought += extra.get("reasoning_content") or ""
                for detail in extra.get("reasoning_details") or []:
                    _join(details.setdefault(detail["index"], {}), detail, ("text", "summary", "data"))
                pieces += [delta.content] if delta.content else []
                for piece in delta.tool_calls or []:
                    call = calls.setdefault(piece.index, {"type": "function", "function": {"arguments": ""}})
                    if piece.id:
                        assert "id" not in call, "a call's id is told once"
                        call["id"], call["function"]["name"] = piece.id, piece.function.name
                        _join(call, {k: v for k, v in (piece.model_extra or {}).items() if v}, ())
                    call["function"]["arguments"] += piece.function.arguments or ""
                    pieces += [piece.function.arguments] if piece.function.arguments else []
        message: dict = {"role": "assistant", "content": text or None}
        ordered = [call for _, call in sorted(calls.items())]
        if ordered:
            message["tool_calls"] = ordered
        if thought:
            message["reasoning_content"] = thought
        if details:
            message["reasoning_details"] = [detail for _, detail in sorted(details.items())]
        return Said(
            text=text,
            thought=thought,
            calls=[Called(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in ordered],
            ending=self._ending(ending),
            **self._usage(chunks[-1].usage),
            back=[message],
            pieces=pieces,
            native=chunks,
        )


class Responses:
    """OpenAI's responses."""

    name = "responses"
    dialect = "openai"

    def __init__(self, clients: Clients):
        self.clients = clients

    def client(self, simulate: str | None = None, **options):
        """The SDK."""
        return self.clients.openai(simulate=simulate, **options)

    def user(self, text: str, image: str | None = None) -> list[dict]:
        """A turn of the user's."""
        content: list[dict] = [{"type": "input_text", "text": text}]
        if image is not None:
            picture = {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{image}"}
            content.append(picture)
        return [{"type": "message", "role": "user", "content": content}]

    def results(self, results: list[tuple[Called, str]]) -> list[dict]:
        """What came of calls."""
        return [{"type": "function_call_output", "call_id": call.id, "output": text} for call, text in results]

    def body(self, model: str, turns: list[dict], **wishes) -> dict:
        """The request."""
        body: dict = {"model": model, "input": turns, "store": False}
        if system := wishes.pop("system", None):
            body["instructions"] = system
        if wishes.pop("tools", False):
            body["tools"] = [
                {"type": "function", "name": name, "description": text, "parameters": PLACE, "strict": True}
                for name, text in TOOLS.items()
            ]
        if wishes.pop("think", False):
            body["reasoning"] = {"effort": "high", "summary": "auto"}
            body["include"] = ["reasoning.encrypted_content"]
        if most := wishes.pop("most", None):
            body["max_output_tokens"] = most
        return {**body, **wishes}

    def ask(self, model: str, turns: list[dict], how: str = "whole", simulate: str | None = None, **wishes) -> Said:
        """Asks."""
        with self.client(simulate) as client:
            body = self.body(model, turns, **wishes)
            if how == "whole":
                return self._said(client.responses.create(**body))
            if how == "stream":
                pieces = []
                with client.responses.stream(**body) as stream:
                    for event in stream:
                        if event.type in ("response.output_text.delta", "response.function_call_arguments.delta"):
                            pieces.append(event.delta)
                    return self._said(stream.get_final_response(), pieces)
            with client.responses.create(**body, stream=True) as stream:
                return self._put_together(list(stream))

    def parse(self, model: str, turns: list[dict], shape: type, simulate: str) -> Any:
        """Asks for an answer of a shape; what the SDK made of it."""
        with self.client(simulate) as client:
            return client.responses.parse(**self.body(model, turns), text_format=shape).output_parsed

    def _said(self, response, pieces=()) -> Said:
        thoughts = [item for item in response.output if item.type == "reasoning"]
        calls = [item for item in response.output if item.type == "function_call"]
        parts = [part for item in response.output if item.type == "message" for part in item.content]
        assert response.status in ("completed", "incomplete"), response.status
        ending = "calls" if calls else "stop"
        if any(part.type == "refusal" for part in parts):
            ending = "refused"
        if response.status == "incomplete":
            reason = response.incomplete_details.reason
            ending = {"max_output_tokens": "length", "content_filter": "filtered"}[reason]
        usage = response.usage
        texts = [part for item in thoughts for part in [*item.summary, *(item.content or [])]]
        return Said(
            text=response.output_text,
            thought="".join(part.text for part in texts),
            calls=[Called(item.call_id, item.name, json.loads(item.arguments)) for item in calls],
            ending=ending,
            prompt=usage.input_tokens,
            cached=usage.input_tokens_details.cached_tokens,
            answer=usage.output_tokens,
            back=[_plain(item, "parsed", "parsed_arguments") for item in response.output],
            pieces=list(pieces),
            native=response,
        )

    def _put_together(self, events) -> Said:
        """Every event is checked against the response that the last one carries."""
        if events[-1].type in ("error", "response.failed"):
            raise Broken(events[-1].type)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
        assert events[-1].type in ("response.completed", "response.incomplete")
        final = events[-1].response
        pieces, done, begun = [], {}, set()
        texts: dict[str, str] = {}
        for event in events:
            if event.type == "response.output_item.added":
                assert event.output_index not in begun
                begun.add(event.output_index)
            elif event.type in ("response.output_text.delta", "response.function_call_arguments.delta"):
                assert event.output_index in begun and event.output_index not in done
                texts[event.item_id] = texts.get(event.item_id, "") + event.delta
                pieces.append(event.delta)
            elif event.type == "response.output_text.done":
                assert texts[event.item_id] == event.text
            elif event.type == "response.function_call_arguments.done":
                assert texts.get(event.item_id, "") == event.arguments
            elif event.type == "response.output_item.done":
                done[event.output_index] = event.item
        assert [done[index] for index in sorted(done)] == final.output
        return self._said(final, pieces)


class Messages:
    """Anthropic's messages."""

    name = "messages"
    dialect = "anthropic"

    def __init__(self, clients: Clients):
        self.clients = clients

    def client(self, simulate: str | None = None, **options):
        """The SDK."""
        return self.clients.anthropic(simulate=simulate, **options)

    def user(self, text: str, image: str | None = None) -> list[dict]:
        """A turn of the user's."""
        if image is None:
            return [{"role": "user", "content": text}]
        source = {"type": "base64", "media_type": "image/png", "data": image}
        return [{"role": "user", "content": [{"type": "text", "text": text}, {"type": "image", "source": source}]}]

    def results(self, results: list[tuple[Called, str]]) -> list[dict]:
        """What came of calls: all in one turn."""
        blocks = [{"type": "tool_result", "tool_use_id": call.id, "content": text} for call, text in results]
        return [{"role": "user", "content": blocks}]

    def body(self, model: str, turns: list[dict], **wishes) -> dict:
        """The request."""
        body: dict = {"model": model, "messages": turns, "max_tokens": wishes.pop("most", None) or 4000}
        if system := wishes.pop("system", None):
            body["system"] = system
        if wishes.pop("tools", False):
            body["tools"] = [
                {"name": name, "description": text, "input_schema": PLACE} for name, text in TOOLS.items()
            ]
        if wishes.pop("think", False):
            body["max_tokens"] = 32_000
            body["thinking"] = {"type": "enabled", "budget_tokens": 24_000}
        if "temperature" in wishes:
            # The SDK has no name for it any more, the API has.
            body["extra_body"] = {"temperature": wishes.pop("temperature")}
        return {**body, **wishes}

    def ask(self, model: str, turns: list[dict], how: str = "whole", simulate: str | None = None, **wishes) -> Said:
        """Asks."""
        with self.client(simulate) as client:
            body = self.body(model, turns, **wishes)
            if how == "whole":
                return self._said(client.messages.create(**body))
            if how == "stream":
                pieces = []
                with client.messages.stream(**body) as stream:
                    for event in stream:
                        if event.type == "text":
                            pieces.append(event.text)
                        elif event.type == "input_json":
                            pieces.append(event.partial_json)
                    return self._said(stream.get_final_message(), pieces)
            with client.messages.create(**body, stream=True) as stream:
                return self._put_together(list(stream))

    def parse(self, model: str, turns: list[dict], shape: type, simulate: str) -> Any:
        """Asks for an answer of a shape; what the SDK made of it."""
        with self.client(simulate) as client:
            return client.messages.parse(**self.body(model, turns), output_format=shape).parsed_output

    def _said(self, message, pieces=()) -> Said:
        assert message.type == "message" and message.role == "assistant"
        blocks = [_plain(block, "parsed_output") for block in message.content]
        return self._from(blocks, message.stop_reason, message.usage, pieces, message)

    def _from(self, blocks: list[dict], reason: str, usage, pieces, native) -> Said:
        endings = {"end_turn": "stop", "tool_use": "calls", "max_tokens": "length", "refusal": "filtered"}
        of = lambda kind: [block for block in blocks if block["type"] == kind]  # noqa: E731
        cached = usage.cache_read_input_tokens or 0
        return Said(
            text="".join(block["text"] for block in of("text")),
            thought="".join(block["thinking"] for block in of("thinking")),
            calls=[Called(block["id"], block["name"], block["input"]) for block in of("tool_use")],
            ending=endings.get(reason, reason),
            prompt=(usage.input_tokens or 0) + cached + (usage.cache_creation_input_tokens or 0),
            cached=cached,
            answer=usage.output_tokens,
            back=[{"role": "assistant", "content": blocks}],
            pieces=list(pieces),
            native=native,
        )

    def _put_together(self, events) -> Said:
        """By the rules of the API's documentation: one block after the other, each with its start, deltas and stop."""
        assert events[0].type == "message_start" and events[-1].type == "message_stop"
        assert events[0].message.content == [] and events[0].message.stop_reason is None
        blocks, raw, pieces, open_block = [], {}, [], None
        delta_event = None
        for event in events[1:-1]:
            if event.type == "content_block_start":
                assert open_block is None and event.index == len(blocks)
                open_block = event.index
                blocks.append(_plain(event.content_block))
                raw[event.index] = ""
            elif event.type == "content_block_delta":
                assert event.index == open_block
                block, delta = blocks[event.index], event.delta
                if delta.type == "text_delta":
                    block["text"] += delta.text
                    pieces.append(delta.text)
                elif delta.type == "thinking_delta":
                    block["thinking"] += delta.thinking
                elif delta.type == "signature_delta":
                    block["signature"] = block.get("signature", "") + delta.signature
                elif delta.type == "input_json_delta":
                    raw[event.index] += delta.partial_json
                    pieces += [delta.partial_json] if delta.partial_json else []
            elif event.type == "content_block_stop":
                assert event.index == open_block
                if blocks[event.index]["type"] == "tool_use" and raw[event.index]:
                    blocks[event.index]["input"] = json.loads(raw[event.index])
                open_block = None
            elif event.type == "message_delta":
                assert open_block is None
                delta_event = event
        assert delta_event is not None
        usage = delta_event.usage
        if usage.input_tokens is None:
            usage.input_tokens = events[0].message.usage.input_tokens
            usage.cache_read_input_tokens = events[0].message.usage.cache_read_input_tokens
            usage.cache_creation_input_tokens = events[0].message.usage.cache_creation_input_tokens
        return self._from(blocks, delta_event.delta.stop_reason, usage, pieces, events)


SPEAKERS: dict[str, Callable[[Clients], Chat | Responses | Messages]] = {
    "chat": Chat,
    "responses": Responses,
    "messages": Messages,
}


def _plain(model, *without: str) -> dict:
    """A message, an item or a block as it goes back: what it does not have left out, as well as what an SDK adds."""
    plain = model.to_dict(mode="json", exclude_none=True, exclude_unset=True)
    return _without(plain, without)


def _without(value, names):
    if isinstance(value, dict):
        return {name: _without(member, names) for name, member in value.items() if name not in names}
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    return value


def _join(whole: dict, piece: dict, texts: tuple[str, ...]) -> None:
    """Adds a piece: its texts are joined, everything else is as it was told last."""
    for name, value in piece.items():
        whole[name] = whole.get(name, "") + value if name in texts and value else value
