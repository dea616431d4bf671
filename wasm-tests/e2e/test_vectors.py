"""Embeddings by the official OpenAI SDK, from whoever makes them: each as it is known from OpenAI, and charged exactly."""

import json
import secrets
from types import SimpleNamespace

import openai
import pytest

from harness.document import Document
from harness.gateway import Gateway
from harness.recorder import Answer, Recorder
from harness.simulator import Simulator, simulate

TEXTS = ["What does the bridge cost?", "The toll is two crowns."]
# A model: its provider's dialect, where that API begins, whose price it has, and how long its vectors are.
MODELS = {
    "text-embedding-3-small": ("openai", "/v1", "openai", 1536),
    "gemini-embedding-001": ("gemini", "/v1beta", "google", 3072),
    "amazon.titan-embed-text-v2:0": ("bedrock", "", "aws", 1024),
    "cohere.embed-english-v3": ("bedrock", "", "aws", 1024),
    "cohere.embed-v4:0": ("bedrock", "", "aws", 1024),
}
SEVERAL = [model for model in MODELS if "titan" not in model]
# What Cohere's own API answers, which no simulator speaks.
COHERE = {
    "id": "5807ee2e",
    "embeddings": {"float": [[0.6, 0.8], [1.0, 0.0]]},
    "texts": TEXTS,
    "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 12}},
    "response_type": "embeddings_by_type",
}


@pytest.fixture(scope="module")
def makers(tmp_path_factory):
    """A gateway before everybody who makes vectors."""
    directory = tmp_path_factory.mktemp("vectors")
    document, simulators = Document(health={"failures": 1000}), {}
    for model, (dialect, path, price, _) in MODELS.items():
        name = f"of-{price}"
        if name not in simulators:
            credential = f"sk-provider-{secrets.token_hex(16)}"
            simulators[name] = Simulator(name, directory, credential)
            auth = {"auth": "bearer"} if dialect == "bedrock" else {}
            origin = simulators[name].origin
            document.provider(name, dialect, f"{origin}{path}", credential, priced_as=price, **auth)
        document.model(model, name)
    # The bundled list has none for these.
    document.price("of-aws", "cohere.embed-english-v3", input=0.1, output=0)
    document.price("of-aws", "cohere.embed-v4:0", input=0.12, output=0)
    cohere = Recorder(Answer(json.dumps(COHERE).encode()))
    document.provider(
        "of-cohere", "openai", f"{cohere.origin}/compatibility/v1", "sk-provider-cohere",
        kind="cohere", priced_as="cohere",
    )  # fmt: skip
    document.model("embed-v4.0", "of-cohere")
    document.provider("of-anthropic", "anthropic", simulators["of-openai"].origin, "sk-provider-none")
    document.model("claude-haiku-4-5", "of-anthropic")
    document.key("everything")
    gateway = Gateway(document, directory, list(simulators.values()))
    try:
        yield SimpleNamespace(gateway=gateway.start(), cohere=cohere)
    finally:
        gateway.stop()
        cohere.stop()
        for simulator in simulators.values():
            simulator.stop()
    assert not gateway.troubles


def charged_exactly(seen, provider: str) -> None:
    """To the nanodollar what the provider's ledger says."""
    assert seen.outcomes() == {"ok": 1}
    assert seen.metrics.by("tollgate_requests_total", "provider", "endpoint") == {(provider, "embeddings"): 1}
    assert seen.cost(source="reported") == seen.cost() == seen.ledger.settled > 0
    assert seen.tokens() == seen.ledger.tokens
    assert seen.ledger.leaked_virtual_keys == 0


@pytest.mark.parametrize("form", ["base64", "float", None])
@pytest.mark.parametrize("model", MODELS)
def test_a_text_becomes_a_vector(makers, model, form):
    """In either form: the SDK asks for base64 by itself, and takes it apart."""
    mark = makers.gateway.mark()
    wishes = {"encoding_format": form} if form else {}
    answer = makers.gateway.clients.openai().embeddings.create(model=model, input=TEXTS[0], **wishes)
    assert answer.object == "list"
    (one,) = answer.data
    assert (one.object, one.index) == ("embedding", 0)
    vector = one.embedding
    if form == "base64":
        assert isinstance(vector, str)
    else:
        assert len(vector) == MODELS[model][3]
        assert abs(sum(number * number for number in vector) - 1) < 1e-3
    seen = mark.settled(1)
    charged_exactly(seen, f"of-{MODELS[model][2]}")
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == seen.ledger.tokens["input"]


@pytest.mark.parametrize("model", SEVERAL)
def test_several_texts_become_as_many(makers, model):
    mark = makers.gateway.mark()
    answer = makers.gateway.clients.openai().embeddings.create(model=model, input=[*TEXTS, "Thank you."])
    assert [one.index for one in answer.data] == [0, 1, 2]
    charged_exactly(mark.settled(1), f"of-{MODELS[model][2]}")


@pytest.mark.parametrize("model", ["text-embedding-3-small", "gemini-embedding-001", "amazon.titan-embed-text-v2:0",
                                   "cohere.embed-v4:0"])  # fmt: skip
def test_they_are_as_long_as_was_asked(makers, model):
    mark = makers.gateway.mark()
    answer = makers.gateway.clients.openai().embeddings.create(model=model, input=TEXTS[0], dimensions=256)
    assert len(answer.data[0].embedding) == 256
    charged_exactly(mark.settled(1), f"of-{MODELS[model][2]}")


@pytest.mark.parametrize("model, wishes", [
    ("amazon.titan-embed-text-v2:0", {"input": TEXTS}),
    ("cohere.embed-english-v3", {"input": TEXTS, "dimensions": 256}),
    ("gemini-embedding-001", {"input": [[1, 2, 3]]}),
])  # fmt: skip
def test_what_a_maker_cannot_do_is_refused_by_name(makers, model, wishes):
    """No vectors that were not asked for, and none of half of the texts."""
    mark = makers.gateway.mark()
    with pytest.raises(openai.BadRequestError) as caught:
        makers.gateway.clients.openai().embeddings.create(model=model, **wishes)
    assert list(wishes)[-1] in caught.value.message
    seen = mark.settled(1)
    assert seen.outcomes() == {"refused_untranslatable": 1}
    assert seen.provider_was_spared()


def test_who_makes_none_is_not_asked(makers):
    mark = makers.gateway.mark()
    with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
        makers.gateway.clients.openai().embeddings.create(model="claude-haiku-4-5", input=TEXTS)
    assert mark.settled(1).provider_was_spared()


def test_cohere_is_asked_in_its_own_words(makers):
    before = makers.gateway.metrics()
    answer = makers.gateway.clients.openai().embeddings.create(model="embed-v4.0", input=TEXTS, dimensions=256)
    assert [[round(number, 6) for number in one.embedding] for one in answer.data] == COHERE["embeddings"]["float"]
    assert answer.usage.prompt_tokens == 12
    (request,) = makers.cohere.requests
    assert request.path == "/v2/embed"
    assert request.headers["authorization"] == "Bearer sk-provider-cohere"
    asked = json.loads(request.body)
    assert (asked["model"], asked["texts"], asked["output_dimension"]) == ("embed-v4.0", TEXTS, 256)
    assert asked["embedding_types"] == ["float"] and asked["input_type"] == "search_document"
    now = makers.gateway.idle() - before
    assert now.by("tollgate_tokens_total", "type", provider="of-cohere") == {"input": 12}


FAILURES = [
    ("status=400", openai.BadRequestError, "client_error"),
    ("status=429,retry_after=7", openai.RateLimitError, "provider_rate_limited"),
    ("status=500", openai.InternalServerError, "provider_error"),
    ("status=503", openai.InternalServerError, "provider_error"),
    ("error_body", openai.APIError, "provider_error"),
]


@pytest.mark.parametrize("steering, raised, outcome", FAILURES, ids=[failure[0] for failure in FAILURES])
@pytest.mark.parametrize("model", [model for model in MODELS if model != "text-embedding-3-small"])
def test_a_refusal_raises_its_exception(makers, model, steering, raised, outcome):
    mark = makers.gateway.mark()
    with pytest.raises(raised) as caught:
        makers.gateway.clients.openai(simulate=steering).embeddings.create(model=model, input=TEXTS[0])
    assert caught.value.body["message"]
    if "retry_after" in steering:
        assert caught.value.response.headers["retry-after"] == "7"
    seen = mark.settled(1)
    assert seen.outcomes() == {outcome: 1}
    assert seen.cost() == 0


def test_a_number_of_tokens_that_nobody_told_is_estimated(makers):
    mark = makers.gateway.mark()
    client = makers.gateway.clients.openai(simulate=simulate("no_usage"))
    answer = client.embeddings.create(model="cohere.embed-english-v3", input=TEXTS)
    assert len(answer.data) == 2
    seen = mark.settled(1)
    assert seen.outcomes() == {"ok": 1}
    assert seen.cost(source="estimated") == seen.cost() > 0
