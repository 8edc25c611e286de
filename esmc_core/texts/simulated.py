"""A simulated judge: an HTTP server on this machine that answers from labels, for measurements.

It speaks the OpenAI chat protocol, is right with a set accuracy, and misbehaves on order. Whatever
is measured with it has to be called *simulated*.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from esmc_core.keywords import Endpoint
from esmc_core.texts.questions import count_tokens, shown_text

Fault = Literal[
    "400", "401", "404", "429", "500", "timeout", "empty", "chatty", "nonsense", "cut", "no json"
]
_FIELDS = ("Query: ", "Choice 1: ", "Choice 2: ")
_PAIR_FIELDS = ("Text 1: ", "Text 2: ")


class LabelOracle:
    """Answers a prompt from labels, right in a set share of the questions.

    A triplet is decided by the labels where just one choice has the query's; otherwise the right
    answer is "Neither". A wrong answer is the other choice, or any choice where neither is right.
    The same question always gets the same answer.

    Args:
        labels: of each text; a text that is not among them is like no other.
        accuracy: share of right answers, 0 to 1.
    """

    def __init__(self, labels: Mapping[str, str], *, accuracy: float = 1.0, seed: int = 0) -> None:
        self.accuracy = accuracy
        self.seed = seed
        self._labels = {shown_text(text): label for text, label in labels.items()}

    def answer(self, prompt: str) -> str:
        """ "Choice 1", "Choice 2", "Neither", "Yes" or "No"; "" to what is no question."""
        lines = prompt.splitlines()
        if (texts := _last_block(lines, _FIELDS)) is not None:
            return self._choose(*texts)
        if (texts := _last_block(lines, _PAIR_FIELDS)) is not None:
            return self._compare(*texts)
        return ""

    def _choose(self, query: str, choice1: str, choice2: str) -> str:
        same1, same2 = self._is_same(query, choice1), self._is_same(query, choice2)
        # In the order that the texts have, so that the other order gets the same answer.
        right, other = sorted((choice1, choice2))
        is_right, coin = self._draw(query, right, other)
        if same1 == same2:
            chosen = "" if is_right else (right if coin < 0.5 else other)
        else:
            chosen = choice1 if same1 == is_right else choice2
        return {choice1: "Choice 1", choice2: "Choice 2"}.get(chosen, "Neither")

    def _compare(self, first: str, second: str) -> str:
        is_right, _ = self._draw(*sorted((first, second)))
        return "Yes" if self._is_same(first, second) == is_right else "No"

    def _is_same(self, first: str, second: str) -> bool:
        return self._labels.get(first, first) == self._labels.get(second, second)

    def _draw(self, *texts: str) -> tuple[bool, float]:
        """Whether the answer is right, and a coin in [0, 1)."""
        digest = hashlib.sha256(json.dumps([self.seed, *texts]).encode()).digest()
        first, second = (int.from_bytes(part, "big") / 2**64 for part in (digest[:8], digest[8:16]))
        return first < self.accuracy, second


class SimulatedJudge:
    """The server; a context manager.

    Attributes:
        requests: how often each prompt came in.
        replies: how often each prompt was answered, with sense or without.
        authorizations: the Authorization headers that came.
    """

    def __init__(self, oracle: LabelOracle) -> None:
        self.oracle = oracle
        self.requests: Counter[str] = Counter()
        self.replies: Counter[str] = Counter()
        self.authorizations: set[str] = set()
        self.delay_s = 0.0
        self.timeout_s = 5.0
        self._faults: deque[tuple[Fault, float | None]] = deque()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.judge = self
        self._closing = threading.Event()

    def __enter__(self) -> SimulatedJudge:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def endpoint(self, api_key: str = "") -> Endpoint:
        """How to reach it; the model's name tells that it is simulated."""
        url = f"http://127.0.0.1:{self._server.server_port}/v1"
        return Endpoint(url, self.name, api_key)

    @property
    def name(self) -> str:
        """Of the judge on disk: not of the port, so that its answers are found again."""
        return f"simulated:{self.oracle.accuracy:g} seed {self.oracle.seed}"

    def misbehave(
        self, fault: Fault, *, times: int = 1, retry_after_s: float | None = None
    ) -> None:
        """Answer the next requests with a fault; several orders queue up."""
        with self._lock:
            self._faults.extend([(fault, retry_after_s)] * times)

    def receive(self, prompt: str, authorization: str) -> tuple[Fault | None, float | None]:
        """Count a request; the fault that it is to meet, and its Retry-After in seconds."""
        with self._lock:
            self.requests[prompt] += 1
            self.authorizations.add(authorization)
            return self._faults.popleft() if self._faults else (None, None)

    def count_reply(self, prompt: str) -> None:
        with self._lock:
            self.replies[prompt] += 1

    def sleep(self, seconds: float) -> None:
        self._closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    judge: SimulatedJudge

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is none of the server's business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: it would write to stderr."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        prompt = str(json.loads(body)["messages"][-1]["content"])
        judge = self.server.judge
        fault, retry_after_s = judge.receive(prompt, self.headers.get("Authorization", ""))
        if judge.delay_s:
            time.sleep(judge.delay_s)
        if fault == "timeout":
            judge.sleep(judge.timeout_s)
            self.close_connection = True
            return
        if fault is not None and fault.isdecimal():
            headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
            error = json.dumps({"error": {"message": "simulated", "code": "simulated"}}).encode()
            self._send(int(fault), error, headers)
            return
        reply = self._reply(prompt, fault)
        judge.count_reply(prompt)
        if fault == "cut":
            self._cut(reply)
        else:
            self._send(200, reply, {})

    def _reply(self, prompt: str, fault: Fault | None) -> bytes:
        if fault == "no json":
            return b"<html>simulated</html>"
        answer = self.server.judge.oracle.answer(prompt)
        if fault == "empty":
            answer = ""
        elif fault == "nonsense":
            answer = "As a language model, I like both the sun and the sea."
        elif fault == "chatty":
            answer = f"Well, let me think about that first.\n\nI would say the answer is {answer}."
        return json.dumps(_completion(prompt, answer)).encode()

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.close_connection = True


def _completion(prompt: str, answer: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer}
    usage = {"prompt_tokens": count_tokens(prompt), "completion_tokens": count_tokens(answer)}
    usage["total_tokens"] = sum(usage.values())
    return {
        "id": "simulated",
        "object": "chat.completion",
        "created": 0,
        "model": "simulated",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": usage,
    }


def _last_block(lines: Sequence[str], fields: Sequence[str]) -> list[str] | None:
    """What stands behind each of the fields, where they last begin consecutive lines."""
    for start in range(len(lines) - len(fields), -1, -1):
        block = lines[start : start + len(fields)]
        if all(line.startswith(name) for line, name in zip(block, fields, strict=True)):
            return [line.removeprefix(name) for line, name in zip(block, fields, strict=True)]
    return None
