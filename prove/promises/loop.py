"""The loop guard."""

import asyncio
import json

from ..asking import ask, client

PROMISE = "an agent that calls the same tool for ever is warned, slowed, blocked and released; an honest one never is"
SESSION = "x-session-id"
GUARD = {"tool_calls": {"warn": 4, "slow": 6, "block": 9}}
TOO_MANY = 40
TURNS = 40


def called(number: int, arguments: dict, result: str) -> list[dict]:
    """One step of an agent: it called a tool, and was told something."""
    function = {"name": "find_order", "arguments": json.dumps(arguments)}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": result},
    ]


def beginning(task: str) -> list[dict]:
    """What it was told to do."""
    return [{"role": "system", "content": "You find orders."}, {"role": "user", "content": task}]


async def runaway(http, session: str) -> list[tuple[str, int]]:
    """Repeats one call until it is blocked, and waits whenever it is told to; what became of each step."""
    messages, steps = beginning("Where is order 17?"), []
    for number in range(TOO_MANY):
        reply = await ask(http, messages=messages, headers={SESSION: session})
        if reply.served:
            steps.append((f"{'warned' if 'x-tollgate-loop' in reply.headers else 'served'}", 0))
            messages += called(number, {"order": 17}, "not found")
            continue
        if reply.status != 429 or reply.body["error"].get("code") != "runaway_loop":
            steps.append((f"{reply.status} {reply.body}", 0))
            return steps
        wait = reply.retry_after
        if wait > 60:
            steps.append(("blocked", wait))
            return steps
        steps.append(("slowed", wait))
        await asyncio.sleep(wait)
    return steps


async def polling(http) -> list:
    """The same tool, each time for something else."""
    messages, replies = beginning("Is any of these orders late?"), []
    for number in range(TURNS):
        replies.append(await ask(http, messages=messages, headers={SESSION: "polling"}))
        messages = messages + called(number, {"order": number}, "on time")
    return replies


async def retrying(http) -> list:
    """A provider that fails three times; the same request again each time, then the next one."""
    messages, replies = beginning("Count to forty."), []
    for number in range(TURNS // 4):
        for _ in range(3):
            failing = {"status": 503}
            replies.append(await ask(http, messages=messages, knobs=failing, headers={SESSION: "retrying"}))
        replies.append(await ask(http, messages=messages, headers={SESSION: "retrying"}))
        messages = messages + called(number, {"count": number}, str(number))
    return replies


async def talking(http) -> list:
    """A long conversation without a session of its own, that grows with every turn."""
    messages, replies = beginning("Let us talk."), []
    for number in range(TURNS):
        reply = await ask(http, messages=messages, knobs={"tokens": 60})
        replies.append(reply)
        answer = reply.body["choices"][0]["message"]["content"] if reply.served else ""
        messages = [*messages, {"role": "assistant", "content": answer}, {"role": "user", "content": f"And {number}?"}]
    return replies


def attempt(world, found) -> None:
    """One runaway agent, three honest ones on the same key, and an operator."""
    document = world.document(loop_guard=GUARD)
    document.key("agent", team="agents")
    document.team("agents")
    document.operator("operator")
    gateway = world.gateway(document)

    async def everything():
        async with client(gateway, "agent") as http, client(gateway, "operator", 1) as operator:
            steps, *honest = await asyncio.gather(runaway(http, "lost"), polling(http), retrying(http), talking(http))
            fresh = {"messages": beginning("Something else."), "headers": {SESSION: "lost"}}
            before = await ask(http, **fresh)
            other = await ask(http, messages=beginning("Something else."), headers={SESSION: "another"})
            released = await operator.post("/tollgate/v1/release", params={"key": "agent", "session": "lost"})
            after = await ask(http, **fresh)
            return steps, honest, (before, other, released, after)

    steps, honest, (before, other, released, after) = asyncio.run(everything())
    order = [kind for number, (kind, _) in enumerate(steps) if not number or steps[number - 1][0] != kind]
    waits = [wait for kind, wait in steps if kind == "slowed"]
    found.did(f"{len(steps)} steps of an agent that repeats one call and waits as it is told")
    found.saw(" → ".join(f"{sum(kind == step for step, _ in steps)} {kind}" for kind in dict.fromkeys(order)))
    found.saw(f"waits of {waits} s")
    kinds = list(dict.fromkeys(order))
    found.must(kinds == ["served", "warned", "slowed", "blocked"], f"it was {order}")
    found.must(waits == sorted(waits) and len(waits) > 1 and waits[-1] > waits[0], f"the waits do not grow: {waits}")
    metric = gateway.counts().by("tollgate_loop_guard_total", "step", "sign", key="agent")
    found.must(
        {step for (step, sign) in metric if sign == "tool_calls" and metric[step, sign]} == {"warn", "slow", "block"},
        f"tollgate_loop_guard_total says {metric}",
    )

    replies = [reply for of_one in honest for reply in of_one]
    touched = [reply for reply in replies if reply.status == 429 or "x-tollgate-loop" in reply.headers]
    found.did(f"{len(replies)} of agents that poll, retry and talk")
    found.saw(f"{len(touched)} of them warned or refused")
    found.must(not touched, f"honest ones were refused: {[reply.headers for reply in touched[:1]]}")

    found.did("POST /tollgate/v1/release")
    statuses = (before.status, other.status, released.status_code, after.status)
    found.saw("blocked session %s, another %s, release %s, blocked session %s" % statuses)
    found.must(statuses == (429, 200, 200, 200), "the release, or who it concerns, is wrong")
