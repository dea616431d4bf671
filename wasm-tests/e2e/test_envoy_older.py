"""What is rendered for an Envoy that cannot choose a cluster for each attempt, run on the one there is."""

import subprocess

import pytest

from harness import artefacts
from harness.document import Document
from harness.gateway import WORKERS, Gateway
from harness.recorder import Recorder
from harness.yes import BROKEN, CHAT, CONVERSE

QUESTION = [{"role": "user", "content": "Is anybody there?"}]


class Rendered(Gateway):
    """Envoy by itself, on what `tollgate render` wrote for an older one."""

    said = ""

    def command_line(self) -> list:
        render = [
            artefacts.command(),
            "render",
            "envoy",
            self.file,
            "--envoy",
            "1.38",
            "--out",
            self.run_directory,
            "--module",
            artefacts.module(),
            "--access-log",
            self.directory / "access.log",
        ]
        done = subprocess.run(render, check=True, capture_output=True, text=True)
        self.said = done.stderr
        bootstrap = self.run_directory / "bootstrap.json"
        return [artefacts.envoy(), "-c", bootstrap, "--concurrency", str(WORKERS), "--log-level", "warning"]


@pytest.fixture
def upstreams():
    """Three upstreams, ended at the end."""
    started = [Recorder(CHAT) for _ in range(3)]
    yield started
    for upstream in started:
        upstream.stop()


@pytest.fixture
def start(tmp_path):
    """Starts a gateway on a document."""
    started = []

    def start(document: Document) -> Rendered:
        gateway = Rendered(document, tmp_path, [])
        started.append(gateway)
        return gateway.start()

    yield start
    for gateway in started:
        gateway.stop()
    assert not any(gateway.troubles for gateway in started)


def ask(gateway, model: str) -> str:
    answer = gateway.clients.openai().chat.completions.create(model=model, messages=QUESTION)
    return answer.choices[0].message.content


def test_each_attempt_goes_out_in_the_words_of_the_provider_it_goes_to(start, upstreams):
    first, second, third = upstreams
    document = Document(health={"failures": 1000})
    document.provider("first", "openai", f"{first.origin}/v1", "sk-provider-first")
    document.provider("second", "openai", f"{second.origin}/other/v1", "sk-provider-second")
    document.provider("third", "bedrock", third.origin, "sk-provider-third", auth="bearer")
    document.provider("nowhere", "openai", "http://does-not-exist.invalid/v1", "sk-provider-nowhere")
    document.model("all", ("first", "one"), ("second", "two"), ("third", "three"))
    document.model("unresolved", ("nowhere", "zero"), ("second", "two"))
    document.model("lonely", ("first", "one"))
    document.key("everything")
    gateway = start(document)
    third.answer = CONVERSE
    first.answer = second.answer = BROKEN
    assert ask(gateway, "all") == "Yes."
    assert [request.path for request in first.requests] == ["/v1/chat/completions"]
    assert [request.path for request in second.requests] == ["/other/v1/chat/completions"]
    assert [request.path for request in third.requests] == ["/model/three/converse"]
    for upstream, name in zip(upstreams, ("first", "second", "third"), strict=True):
        (heard,) = upstream.requests
        assert heard.headers["host"] == upstream.origin.removeprefix("http://")
        assert heard.headers["authorization"] == f"Bearer sk-provider-{name}"
    assert b'"two"' in second.requests[0].body and b'"one"' not in second.requests[0].body
    # One that is not there at all is not waited for.
    second.answer = CHAT
    assert ask(gateway, "unresolved") == "Yes."
    assert len(second.requests) == 2
    # There is no other, and it is not asked twice.
    with pytest.raises(Exception, match="500"):
        gateway.clients.openai(max_retries=0).chat.completions.create(model="lonely", messages=QUESTION)
    assert len(first.requests) == 2
    assert gateway.said == ""


def test_what_envoy_signs_for_goes_to_no_other_provider(start, upstreams):
    bedrock, second, third = upstreams
    document = Document(health={"failures": 1000})
    document.provider("bedrock", "bedrock", bedrock.origin, settings={"region": "eu-central-1"})
    document.provider("second", "openai", f"{second.origin}/v1", "sk-provider-second")
    document.provider("third", "openai", f"{third.origin}/v1", "sk-provider-third")
    document.model("signed", ("bedrock", "claude"), ("second", "two"))
    document.model("unsigned", ("second", "two"), ("bedrock", "claude"), ("third", "three"))
    document.key("everything")
    document.credentials.update(
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret", AWS_EC2_METADATA_DISABLED="true"
    )
    gateway = start(document)
    assert "no failover to or from bedrock" in gateway.said
    bedrock.answer = second.answer = BROKEN
    with pytest.raises(Exception, match="50"):
        gateway.clients.openai(max_retries=0).chat.completions.create(model="signed", messages=QUESTION)
    assert (len(bedrock.requests), len(second.requests)) == (1, 0)
    assert ask(gateway, "unsigned") == "Yes."
    assert [len(upstream.requests) for upstream in upstreams] == [1, 1, 1]
    assert third.requests[0].headers["authorization"] == "Bearer sk-provider-third"
