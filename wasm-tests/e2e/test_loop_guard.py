"""The loop guard: an agent that repeats itself is warned, slowed and blocked; whoever does not is left alone."""

import json

import pytest

from harness.gateway import serving
from harness.limits import chat, message, refusal, release, retry_after, rule
from harness.process import eventually

STEPS = {"tool_calls": {"warn": 3, "slow": 5, "block": 6}, "requests": {"warn": 3, "slow": None, "block": 5}}
WEATHER = {"name": "weather", "arguments": json.dumps({"place": "Delft"})}


@pytest.fixture(scope="module")
def guarded(shape, standing, tmp_path_factory):
    """A gateway that guards with low thresholds, and keys with their own."""
    document = standing.document(hold_headers=shape == "hold", loop_guard=STEPS)
    document.key("agent", team="research")
    document.key("claude-agent")
    document.key("unguarded", loop_guard="off")
    document.key("watched", loop_guard={**STEPS, "mode": "shadow"})
    document.key("own-header", loop_guard={**STEPS, "session_header": "x-my-run"})
    document.key("forgiven", loop_guard={**STEPS, "block_for": "2s"})
    document.operator("operator")
    with serving(document, tmp_path_factory.mktemp(f"guarded-{shape}"), standing.simulators) as gateway:
        yield gateway


def conversation(calls: int, task: str = "What is the weather?") -> list[dict]:
    """An agent's after so many equal calls of a tool, in OpenAI's form."""
    messages = [{"role": "user", "content": task}]
    for number in range(calls):
        call = {"id": f"call_{number}", "type": "function", "function": WEATHER}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": "unavailable"})
    return messages


def of_anthropic(calls: int) -> list[dict]:
    """The same in Anthropic's form."""
    messages = [{"role": "user", "content": "What is the weather?"}]
    for number in range(calls):
        use = {"type": "tool_use", "id": f"toolu_{number}", "name": "weather", "input": {"place": "Delft"}}
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": "unavailable"}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    return messages


def session(name: str, header: str = "x-session-id") -> dict:
    """What names an agent's session."""
    return {"headers": {header: name}}


def step(ask, *arguments, **members) -> str:
    """What the guard did about a request."""
    answers = []
    if raised := refusal(lambda: answers.append(ask(*arguments, **members))):
        assert rule(raised).startswith("loop_guard.")
        return "block" if retry_after(raised) > 60 else "slow"
    return answers[0].headers.get("x-tollgate-loop", "none").split(";")[0]


def run_into_a_block(gateway, key: str, name: str, header: str = "x-session-id"):
    """Repeats a call until it is refused for long; the refusal."""
    for calls in range(1, 30):
        raised = refusal(chat, gateway.clients, key, messages=conversation(calls), **session(name, header))
        if raised and retry_after(raised) > 60:
            return raised
    raise AssertionError("it was never blocked")


@pytest.mark.parametrize("ask, key, messages", [(chat, "agent", conversation), (message, "claude-agent", of_anthropic)])
def test_an_equal_call_again_and_again_is_warned_slowed_and_blocked(guarded, ask, key, messages):
    mark = guarded.mark()
    steps = [step(ask, guarded.clients, key, messages=messages(calls), **session("stuck")) for calls in range(1, 9)]
    order = list(dict.fromkeys(steps))
    assert order == ["none", "warn", "slow", "block"], steps
    assert steps.index("warn") in (1, 2, 3)
    counted = mark.settled(8).metrics.by("tollgate_loop_guard_total", "step", "sign", key=key)
    assert counted[("warn", "tool_calls")] == steps.count("warn")
    assert {name for name, sign in counted if sign == "tool_calls"} == {"warn", "slow", "block"}


def test_the_refusal_says_what_it_is(guarded):
    raised = run_into_a_block(guarded, "agent", "explained")
    assert raised.status_code == 429
    assert raised.type == "requests" and raised.code == "runaway_loop"
    assert rule(raised) == "loop_guard.tool_calls"
    assert retry_after(raised) <= 600
    assert "weather" not in raised.message, "what an agent said is not repeated"


def test_a_refused_step_is_counted_as_such_and_costs_nothing(guarded):
    run_into_a_block(guarded, "agent", "counted")
    mark = guarded.mark()
    assert refusal(chat, guarded.clients, "agent", **session("counted"))
    seen = mark.settled(1)
    assert seen.outcomes() == {"refused_loop": 1}
    assert seen.cost() == 0 and seen.provider_was_spared()


def test_a_block_is_of_one_session(guarded):
    run_into_a_block(guarded, "agent", "one")
    assert refusal(chat, guarded.clients, "agent", **session("one"))
    assert refusal(chat, guarded.clients, "agent", **session("other")) is None
    assert refusal(chat, guarded.clients, "claude-agent", **session("one")) is None


def test_the_same_request_again_and_again_is_blocked(guarded):
    one = {"messages": [{"role": "user", "content": "Do it!"}], **session("impatient")}
    steps = [step(chat, guarded.clients, "agent", **one) for _ in range(8)]
    assert list(dict.fromkeys(steps)) == ["none", "warn", "block"], steps
    assert rule(refusal(chat, guarded.clients, "agent", **one)) == "loop_guard.requests"


def test_changing_arguments_are_work_and_no_loop(guarded):
    messages = [{"role": "user", "content": "Look them all up."}]
    for number in range(15):
        function = {"name": "weather", "arguments": json.dumps({"page": number})}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": "fine"})
        assert step(chat, guarded.clients, "agent", messages=messages, **session("working")) == "none"


def test_a_guard_may_be_off_for_a_key(guarded):
    for calls in range(1, 15):
        members = {"messages": conversation(calls), **session("stuck")}
        assert step(chat, guarded.clients, "unguarded", **members) == "none"


def test_a_guard_in_shadow_mode_refuses_nothing(guarded):
    mark = guarded.mark()
    answers = [
        chat(guarded.clients, "watched", messages=conversation(calls), **session("stuck")) for calls in range(1, 10)
    ]
    assert answers[-1].headers["x-tollgate-would-deny"] == "loop_guard.tool_calls"
    seen = mark.settled(9)
    assert seen.outcomes() == {"ok": 9}
    assert seen.metrics.by("tollgate_would_deny_total", "key", "rule").keys() == {("watched", "loop_guard.tool_calls")}


def test_the_header_of_a_session_may_have_another_name(guarded):
    run_into_a_block(guarded, "own-header", "one", "x-my-run")
    assert refusal(chat, guarded.clients, "own-header", **session("one", "x-my-run"))
    assert refusal(chat, guarded.clients, "own-header", **session("other", "x-my-run")) is None


def test_a_block_ends_by_itself(guarded):
    blocked = {"messages": [{"role": "user", "content": "Let me go on."}], **session("stuck")}
    for calls in range(1, 10):
        refusal(chat, guarded.clients, "forgiven", messages=conversation(calls), **session("stuck"))
    assert refusal(chat, guarded.clients, "forgiven", **blocked)

    def over() -> bool:
        return refusal(chat, guarded.clients, "forgiven", **blocked) is None

    assert eventually("the block is over", over, patience=30, pause=0.5)


@pytest.mark.parametrize("whole_key", [False, True], ids=["session", "key"])
def test_an_operator_releases(guarded, whole_key):
    name = f"released-{whole_key}"
    run_into_a_block(guarded, "agent", name)
    answer = release(guarded, "operator", key="agent", **({} if whole_key else {"session": name}))
    assert answer.status_code == 200, answer.text
    assert refusal(chat, guarded.clients, "agent", **session(name)) is None


def test_nobody_else_releases(guarded):
    run_into_a_block(guarded, "agent", "kept")
    for key, status in (("agent", 403), ("tg-" + "x" * 43, 401), (None, 401)):
        assert release(guarded, key, key="agent", session="kept").status_code == status
    assert release(guarded, "operator", key="nobody").status_code == 404
    assert release(guarded, "operator", kye="agent").status_code in (400, 404)
    with guarded.clients.http("operator") as http:
        assert http.get("/tollgate/v1/release", params={"key": "agent"}).status_code == 405
    assert refusal(chat, guarded.clients, "agent", **session("kept"))
