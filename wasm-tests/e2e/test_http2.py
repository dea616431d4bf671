"""A hundred requests at once on one HTTP/2 connection, so on one worker: none gets what is another's."""

import asyncio

from harness.simulator import simulate

SLOW = {"x-simulate": simulate(tokens=2000, rate=200)}


def chat(text: str, **members) -> dict:
    """A request."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **members}


async def one(http, number: int) -> None:
    """A request of one of five kinds; each with its own amount of tokens, so that a mix-up is seen."""
    tokens = 10 + number
    steering = {"x-simulate": simulate(tokens=tokens)}
    match number % 5:
        case 0:
            answer = await http.post("/v1/chat/completions", json=chat("hello"), headers=steering)
            assert answer.http_version == "HTTP/2"
            assert answer.json()["usage"]["completion_tokens"] == tokens
        case 1:
            body = chat("hello", stream=True, stream_options={"include_usage": True})
            answer = await http.post("/v1/chat/completions", json=body, headers=steering)
            assert answer.text.endswith("data: [DONE]\n\n")
            assert f'"completion_tokens":{tokens},' in answer.text
        case 2:
            async with http.stream("POST", "/v1/chat/completions", json=chat("x", stream=True), headers=SLOW) as answer:
                lines = answer.aiter_lines()
                for _ in range(10):
                    await anext(lines)
        case 3:
            answer = await http.post("/v1/chat/completions", json=chat("hello", model=f"nobody-{number}"))
            assert answer.status_code == 404
            assert f"nobody-{number}" in answer.text
        case 4:
            answer = await http.post("/v1/chat/completions", json=chat("x" * 300_000), headers=steering)
            assert answer.json()["usage"]["completion_tokens"] == tokens


def test_requests_on_one_connection_do_not_mix(gateway, clients):
    async def all_at_once() -> None:
        async with clients.http_async(http1=False, http2=True) as http:
            await asyncio.gather(*(one(http, number) for number in range(100)))

    mark = gateway.mark()
    asyncio.run(all_at_once())
    seen = mark.settled(100)
    assert seen.outcomes() == {"ok": 60, "interrupted_by_client": 20, "refused_model_unknown": 20}
    assert seen.cost(source="reported") == seen.ledger.reported > 0
    assert seen.tokens(source="reported") == seen.ledger.tokens
