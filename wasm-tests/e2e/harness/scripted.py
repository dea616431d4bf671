"""A provider that does what a test tells it to, and remembers what it was asked. In: answers. Out: the requests.

Where the simulated provider answers as the real ones do, this one says things that cannot be arranged there: a header, a
change of mind between two requests, one answer for this credential and another for that.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    """What was asked."""

    path: str
    headers: dict[str, str]
    body: dict


@dataclass
class Answer:
    """What is answered."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: dict = field(default_factory=dict)


def completion(text: str = "A toll was paid.", model: str = "gpt-4o-mini", **headers: str) -> Answer:
    """An ordinary chat completion."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    return Answer(headers={name.replace("_", "-"): value for name, value in headers.items()}, body={**body, "usage": usage})


def refusal(status: int, **headers: str) -> Answer:
    """An error of OpenAI's shape."""
    error = {"message": "No.", "type": "scripted", "param": None, "code": None}
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, {"error": error})


class Scripted:
    """Answers as `answer` says, which may be replaced at any time."""

    def __init__(self, answer: Callable[[Request], Answer]):
        self.answer = answer
        self.requests: list[Request] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self._chunks() if headers.get("transfer-encoding") == "chunked" else self.rfile.read(length)
                request = Request(self.path, headers, json.loads(body))
                script.requests.append(request)
                answer = script.answer(request)
                written = json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in {"content-type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            def _chunks(self) -> bytes:
                read = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    read += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return read

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="scripted provider", daemon=True)
        self._thread.start()
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def asked(self) -> list[Request]:
        """What was asked since this was last called."""
        seen, self.requests = self.requests, []
        return seen

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
