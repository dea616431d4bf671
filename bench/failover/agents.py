"""Agents that work in steps. In: a client of the OpenAI SDK. Out: their calls, and how many of their tasks came to an end.

A task is five calls, each with the whole conversation up to it: two that call a tool, two streams, one whole answer. Where a
call fails the task has failed, and the agent begins another.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field

import openai
from prove.calling import Call, call

TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Looks an order up by its number.",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
    },
}
# How each step is asked for: whether it streams, and whether it ends in the call of a tool.
STEPS = [(False, True), (True, False), (False, True), (False, False), (True, False)]
# Seconds an agent thinks, or its tool works, between two calls.
PAUSE = (0.4, 0.8)
MOST = 300


@dataclass
class Work:
    """What agents have done."""

    calls: list[Call] = field(default_factory=list)
    done: int = 0
    failed: int = 0

    @property
    def tasks(self) -> int:
        """Those that came to an end, good or bad."""
        return self.done + self.failed

    @property
    def failures(self) -> list[Call]:
        """The calls that failed."""
        return [made for made in self.calls if made.failure]


async def work(clients: list[openai.AsyncOpenAI], model: str, seconds: float) -> Work:
    """One agent for each client, for so long; a task that is not over by then is given up between two calls."""
    all_of_it, ends = Work(), time.monotonic() + seconds
    await asyncio.gather(*(_agent(client, model, number, all_of_it, ends) for number, client in enumerate(clients)))
    return all_of_it


async def _agent(client, model: str, number: int, all_of_it: Work, ends: float) -> None:
    chance, task = random.Random(number), 0
    await asyncio.sleep(chance.random() * PAUSE[1])
    while time.monotonic() < ends:
        task += 1
        ended = await _task(client, model, f"Agent {number} has task {task}: which orders are late?", chance, all_of_it, ends)
        if ended is not None:
            all_of_it.done += ended
            all_of_it.failed += not ended


async def _task(client, model: str, question: str, chance, all_of_it: Work, ends: float) -> bool | None:
    """Whether it was done; nothing where time was up before."""
    talk = [{"role": "user", "content": question}]
    for streams, calls_tool in STEPS:
        if time.monotonic() > ends:
            return None
        knobs = {"ttft_ms": chance.randrange(40, 120), "tokens": chance.randrange(10, 60), "rate": 400}
        if calls_tool:
            knobs |= {"tools": [TOOL], "tool": "find_order"}
        made = await call(client, model, talk, streams=streams, max_tokens=MOST, **knobs)
        all_of_it.calls.append(made)
        await asyncio.sleep(chance.uniform(*PAUSE))
        if made.failure:
            return False
        talk.append(made.message)
        called = made.message.get("tool_calls") or []
        talk += [{"role": "tool", "tool_call_id": one["id"], "content": f"late by {chance.random():.6f}"} for one in called]
        if not called:
            talk.append({"role": "user", "content": f"And what about number {chance.randrange(10**6)}?"})
    return True
