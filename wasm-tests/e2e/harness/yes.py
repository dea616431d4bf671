"""Answers that say yes, in the words of two APIs, and one that says no."""

import json

from .recorder import Answer

_CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "any",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
_CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Yes."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4},
    "metrics": {"latencyMs": 1},
}

CHAT = Answer(json.dumps(_CHAT).encode())
CONVERSE = Answer(json.dumps(_CONVERSE).encode())
BROKEN = Answer(b'{"message": "no"}', status=500)
REFUSED = Answer(b'{"message": "who are you?"}', status=401)
