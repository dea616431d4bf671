"""Shadow mode."""

import asyncio
import contextlib

from harness.simulator import simulate

from ..asking import CHAT, QUESTION, ask, client

PROMISE = "in shadow mode nothing is refused, and counted is exactly what would have been, by rule"
LONGEST = 100
# One rule for each key, so that no rule hides another: what it has, what it asks for, and how often.
KEYS: dict[str, tuple[dict, str, int]] = {
    "requests": ({"limits": {"rpm": 10}}, "gpt-4o-mini", 16),
    "tokens": ({"limits": {"tpm": 1500}}, "gpt-4o-mini", 20),
    "dollars": ({"budget": {"usd": 0.01, "per": "day"}}, "gpt-4o", 16),
    "rolling": ({"budget": {"usd": 0.005, "over": "24h"}}, "gpt-4o", 10),
    "many-tokens": ({"budget": {"tokens": 1500, "per": "week"}}, "gpt-4o-mini", 20),
    "of-a-team": ({"team": "small"}, "gpt-4o-mini", 9),
    "of-a-model": ({"per_model": {"gpt-4o*": {"limits": {"rpm": 4}}}}, "gpt-4o-mini", 7),
    "any": ({}, "gpt-4.1", 8),
    "elsewhere": ({}, "house-model", 9),
    "at-once": ({"limits": {"parallel": 2}}, "gpt-4o-mini", 0),
    "repeating": ({"loop_guard": {"requests": {"warn": None, "slow": None, "block": 4}}}, "gpt-4o-mini", 7),
}


def document(world, mode: str):
    """The same rules, in this mode."""
    made = world.document(mode=mode)
    made.team("small", limits={"rpm": 5})
    made.models["gpt-4.1"]["limits"] = {"rpm": 6}
    made.providers["spare"]["limits"] = {"rpm": 7}
    made.model("house-model", ("spare", "gpt-4o-mini"))
    for name, (facts, _, _) in KEYS.items():
        facts = {"loop_guard": "off", **facts}
        if isinstance(facts["loop_guard"], dict):
            facts["loop_guard"] = {**facts["loop_guard"], "mode": mode}
        made.key(name, **facts)
    return made


async def held(gateway, key: str, streams: int, more: int) -> list[int]:
    """Streams that stay open, and requests beside them, one after the other."""
    steering = {"x-simulate": simulate(tokens=400, rate=50)}
    body = {"model": "gpt-4o-mini", "messages": QUESTION, "stream": True}
    async with contextlib.AsyncExitStack() as opened, client(gateway, key, streams + 1) as http:
        seen = []
        for _ in range(streams):
            stream = http.stream("POST", CHAT, json=body, headers=steering)
            seen.append((await opened.enter_async_context(stream)).status_code)
        return seen + [(await ask(http)).status for _ in range(more)]


async def run(gateway) -> dict[str, list[int]]:
    """Every key's requests, one after the other; the statuses."""
    seen: dict[str, list[int]] = {}
    for name, (_, model, times) in KEYS.items():
        async with client(gateway, name, 1) as http:
            asked = {"max_tokens": LONGEST, "knobs": {"tokens": LONGEST}, "headers": {"x-session-id": "one"}}
            seen[name] = [(await ask(http, model, **asked)).status for _ in range(times)]
    seen["at-once"] = await held(gateway, "at-once", 2, 4)
    return seen


def attempt(world, found) -> None:
    """The same requests in the same order at two gateways."""
    statuses, counted = {}, {}
    for mode, metric in (("enforce", "tollgate_refusals_total"), ("shadow", "tollgate_would_deny_total")):
        gateway = world.gateway(document(world, mode), mode)
        statuses[mode] = asyncio.run(run(gateway))
        gateway.idle()
        counted[mode] = gateway.counts().by(metric, "key", "rule")
        if mode == "shadow":
            refusals = gateway.counts().total("tollgate_refusals_total")
    refused = {key: seen.count(429) for key, seen in statuses["enforce"].items()}
    denied = [status for seen in statuses["shadow"].values() for status in seen if status != 200]
    found.did(f"{sum(map(len, statuses['enforce'].values()))} requests with {len(KEYS)} rules, enforced and in shadow")
    found.saw(f"enforced {sum(refused.values())} refused, in shadow {len(denied)}")
    found.saw(f"{sum(counted['shadow'].values())} counted by {len(counted['shadow'])} rules")
    found.must(not denied and not refusals, f"{len(denied)} were refused in shadow mode, {refusals} counted as such")
    found.must(all(refused.values()), f"rules that refused nothing: {[key for key in refused if not refused[key]]}")
    by_key: dict[str, int] = {}
    for (key, _), count in counted["enforce"].items():
        by_key[key] = by_key.get(key, 0) + count
    found.must(by_key == refused, f"refused {refused}, counted {by_key}")
    rules = counted["enforce"].keys() | counted["shadow"].keys()
    differing = {
        "/".join(rule): tuple(counted[mode].get(rule, 0) for mode in counted)
        for rule in rules
        if counted["enforce"].get(rule) != counted["shadow"].get(rule)
    }
    found.must(not differing, f"enforced and in shadow differ: {differing}")
