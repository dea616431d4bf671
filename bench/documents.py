"""The documents of the setups. In: addresses, and what is compared. Out: what an operator would write."""

import hashlib

KEY = "tg-" + "b" * 43
MODEL = "gpt-4o-mini"
PROVIDER = "openai"
CREDENTIAL = {"OPENAI_API_KEY": "sk-bench"}
FEW_KEYS, FEW_TEAMS = 10, 10
MANY_KEYS, MANY_TEAMS = 10_000, 1_000

# So high that nothing is ever refused: what is measured is a request that passes all of them.
LIMITS = {"rpm": 10**12, "tpm": 10**15, "parallel": 10**6}
BUDGETS = [{"usd": 10**8, "per": "month"}, {"tokens": 10**15, "over": "24h"}]
RULES = {"limits": LIMITS, "budget": BUDGETS}
NEVER = {"warn": None, "slow": None, "block": None}
# wrk says the same thing again and again, for which it would rightly be blocked. It is looked at all the same.
LOOP_GUARD = {"requests": NEVER, "tool_calls": {}, "velocity": NEVER}


def sha256(secret: str) -> str:
    """What the document has of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def plain(upstream: str, listen: str, admin: str, hold_headers: bool) -> dict:
    """One provider, one model, one key; nothing is limited."""
    endpoint = f"http://{upstream}/v1"
    return {
        "listen": listen,
        "admin": admin,
        "hold_headers": hold_headers,
        "providers": {
            PROVIDER: {"dialect": "openai", "endpoint": endpoint, "credential": {"env": "OPENAI_API_KEY"}}
        },
        "models": {MODEL: {"targets": [{"provider": PROVIDER}]}},
        "teams": {"bench": {}},
        "keys": [{"name": "bench", "sha256": sha256(KEY), "team": "bench"}],
    }


def limited(document: dict) -> dict:
    """The same with every kind of rule for everything that can have rules, and the loop guard."""
    document.update(RULES, loop_guard=LOOP_GUARD)
    for subject in [*document["providers"].values(), *document["models"].values(), *document["teams"].values()]:
        subject.update(RULES)
    for key in document["keys"]:
        key.update(RULES, per_model={MODEL: RULES})
    return document


def crowded(document: dict, keys: int, teams: int, generation: int = 0) -> dict:
    """The same with so many keys in so many teams, limited all of them; `generation` makes the text another."""
    document["teams"].update({f"team-{number:04}": dict(RULES) for number in range(teams - 1)})
    for number in range(keys - 1):
        document["keys"].insert(
            number,
            {
                "name": f"key-{number:05}",
                "sha256": sha256(f"tg-{generation}-{number}"),
                "team": f"team-{number % (teams - 1):04}",
                **RULES,
            },
        )
    document["keys"][-1].update(RULES)
    document["teams"]["bench"].update(RULES)
    return document
