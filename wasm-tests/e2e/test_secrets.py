"""What must not be told is told nowhere: to no client and no provider, in no log, no metric and no admin page."""

import secrets

import pytest

from harness.document import mint
from harness.simulator import simulate

PROMPT = f"prompt-marker-{secrets.token_hex(12)}"
ODD_MODEL = f"odd-model-{secrets.token_hex(8)}"


@pytest.fixture(scope="module")
def said(gateway):
    """Everything the gateway said while clients did all they could think of: answers, logs, metrics, configuration."""
    before = gateway.ledger()
    wrong = mint()
    answers = []
    messages = [{"role": "user", "content": PROMPT}]
    requests = [
        ("openai", "/v1/chat/completions", {"model": "gpt-4o", "messages": messages}),
        ("openai", "/v1/chat/completions", {"model": "gpt-4o", "messages": messages, "stream": True}),
        ("openai", "/v1/chat/completions", {"model": ODD_MODEL, "messages": messages}),
        ("openai", "/v1/responses", {"model": "gpt-4o", "input": PROMPT}),
        ("openai", "/v1/embeddings", {"model": "text-embedding-3-small", "input": PROMPT}),
        ("openai", "/v1/moderations", {"model": "omni-moderation-latest", "input": PROMPT}),
        ("openai", "/v1/made/up", {"model": "gpt-4o", "input": PROMPT}),
        ("anthropic", "/v1/messages", {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": messages}),
        (
            "anthropic",
            "/v1/messages",
            {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": messages, "stream": True},
        ),
    ]
    steerings = [
        None,
        simulate(status=400),
        simulate(status=401),
        simulate(status=429),
        simulate(status=500),
        simulate("drop"),
    ]
    for key in ("everything", "narrow", "shut-off", "run-out", wrong):
        for provider, path, body in requests:
            for steering in steerings if key == "everything" else [None]:
                with gateway.clients.http(key, provider, steering) as http:
                    answer = http.post(path, json=body)
                    answers.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")
    with gateway.clients.http("everything", "openai") as http:
        http.post(
            f"/v1/chat/completions?note={PROMPT}", content=PROMPT.encode(), headers={"content-type": "application/json"}
        )
        answers.append(http.get("/v1/models").text)
    gateway.idle()
    pages = {
        path: gateway.ask_admin(path)
        for path in (
            "/stats/prometheus",
            "/stats",
            "/clusters",
            "/config_dump?include_eds",
            "/listeners",
            "/server_info",
        )
    }
    assert all(pages.values())
    ledger = gateway.ledger() - before
    told = {"answers": "\n".join(answers), "logs": gateway.logs(), "run directory": gateway.files(), **pages}
    return gateway.document, wrong, told, ledger


def test_a_providers_credential_is_in_no_answer(said):
    document, _, told, _ = said
    for credential in document.credentials.values():
        assert credential not in told["answers"]


@pytest.mark.parametrize("place", ["logs", "/stats/prometheus", "/stats", "/clusters", "/listeners", "/server_info"])
def test_a_providers_credential_is_in_no_log_and_no_metric(said, place):
    document, _, told, _ = said
    for credential in document.credentials.values():
        assert credential not in told[place]


def test_a_providers_credential_is_in_no_file(said):
    document, _, told, _ = said
    for credential in document.credentials.values():
        assert credential not in told["run directory"]


def test_a_providers_credential_is_not_in_envoys_configuration(said):
    document, _, told, _ = said
    for credential in document.credentials.values():
        assert credential not in told["/config_dump?include_eds"]


def test_a_virtual_key_is_nowhere(said):
    document, wrong, told, _ = said
    for secret in [*document.secrets.values(), wrong]:
        for place, text in told.items():
            assert secret not in text, place


def test_a_virtual_key_never_reaches_a_provider(said):
    _, _, _, ledger = said
    assert ledger.leaked_virtual_keys == 0
    assert set(ledger.attempts) <= {"openai", "anthropic", "spare"}, (
        "each request came with its provider's own credential"
    )


def test_what_was_asked_is_in_no_log_and_no_metric(said):
    _, _, told, _ = said
    for place, text in told.items():
        if place != "answers":
            assert PROMPT not in text, place


def test_no_name_of_a_clients_choice_is_in_a_metric(said):
    _, _, told, _ = said
    assert ODD_MODEL not in told["/stats/prometheus"]
    assert ODD_MODEL not in told["/stats"]


def test_answers_show_nothing_of_the_inside(said):
    _, _, told, _ = said
    for word in ("x-envoy", "tollgate.handoff", "tollgate.cluster", "wasm", "x-tollgate-retry", "'server': 'envoy'"):
        assert word not in told["answers"].lower(), word
