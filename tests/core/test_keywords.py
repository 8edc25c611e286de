"""Keywords: typed, or asked from a real server on this machine that answers all sorts of things."""

import json
import socket
import threading
import traceback
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from esmc_core.errors import InputError
from esmc_core.keywords import (
    MAX_KEYWORDS,
    Endpoint,
    EndpointError,
    ask_keywords,
    parse_keywords,
)

KEY = "sk-secret-0123456789"
CRITERION = "the color of the car is"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("red, black,white", ["red", "black", "white"]),
        ("red; black\nwhite\r\n", ["red", "black", "white"]),
        (" dark  red ,, red, dark  red", ["dark red", "red"]),
        ("1. red\n2) black\n - white\n* “silver”.", ["red", "black", "white", "silver"]),
        ("\"red\", 'black', (white)", ["red", "black", "white"]),
        ("赤、青，白", ["赤", "青", "白"]),
    ],
)
def test_words_in_their_order_without_repeats(text, words):
    assert parse_keywords(text) == words


def test_numbers_are_answers_too():
    """They were taken for the numbers of a list, and fell away."""
    assert parse_keywords("1, 2, 3") == ["1", "2", "3"]
    assert parse_keywords("90s, 3D, route 66") == ["90s", "3D", "route 66"]
    assert parse_keywords("1. 4\n2. 8") == ["4", "8"]


@pytest.mark.parametrize("text", ["", "   ", ",;\n", " - , “” . "])
def test_no_word(text):
    with pytest.raises(InputError, match="no keywords"):
        parse_keywords(text)


def test_too_many_words():
    words = [f"w{'x' * i}" for i in range(MAX_KEYWORDS + 1)]
    assert len(parse_keywords(", ".join(words[:-1]))) == MAX_KEYWORDS
    with pytest.raises(InputError, match=f"{MAX_KEYWORDS + 1} keywords are too many"):
        parse_keywords(", ".join(words))


class Server(ThreadingHTTPServer):
    """Answers every request with one reply, and keeps what it was asked."""

    status = 200
    content_type = "application/json"
    body = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Message, dict]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def answers(self, text: str | None) -> None:
        """Reply as OpenAI does."""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
        self.body = json.dumps(reply | {"choices": [choice]}).encode()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self):
        request = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers, json.loads(request)))
        self.send_response(self.server.status)
        self.send_header("Content-Type", self.server.content_type)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def refused(endpoint: Endpoint, **options) -> EndpointError:
    """The error, which tells the key nowhere: not in its words, its trace or its past."""
    with pytest.raises(EndpointError) as caught:
        ask_keywords(CRITERION, endpoint=endpoint, **options)
    error = caught.value
    assert error.message and error.hint
    told = "".join(traceback.format_exception(error))
    assert endpoint.api_key == "" or endpoint.api_key not in f"{told}{error!r}"
    return error


def test_words_of_an_endpoint(server):
    server.answers("Red, black, white, Silver.")
    words = ask_keywords(CRITERION, endpoint=Endpoint(server.url, "some-model", KEY))
    assert words == ["Red", "black", "white", "Silver"]
    ((path, headers, request),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert request["model"] == "some-model"
    (message,) = request["messages"]
    assert isinstance(message["content"], str) and CRITERION in message["content"]


def test_local_server_that_asks_for_no_key(server):
    server.answers("red")
    assert ask_keywords(CRITERION, endpoint=Endpoint(server.url, "m")) == ["red"]


def test_more_words_than_were_asked_for_are_cut(server):
    """The whole answer was thrown away."""
    server.answers(", ".join(f"w{'x' * i}" for i in range(50)))
    words = ask_keywords(CRITERION, endpoint=Endpoint(server.url, "m", KEY))
    assert words == [f"w{'x' * i}" for i in range(MAX_KEYWORDS)]


def test_server_that_fails(server):
    server.status, server.body = 500, b'{"error": {"message": "out of order"}}'
    error = refused(Endpoint(server.url, "m", KEY))
    assert "500" in error.message and server.url in error.message
    assert len(server.asked) == 3, "it is asked twice more"


def test_wrong_key_that_is_echoed(server):
    server.status = 401
    server.body = json.dumps({"error": {"message": f"Incorrect API key: {KEY}"}}).encode()
    error = refused(Endpoint(server.url, "m", KEY))
    assert "401" in error.message and "key" in error.hint


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{not json"),
        ("application/json", b""),
        ("application/json", b"null"),
        ("application/json", b"[1, 2]"),
        ("application/json", b'"red, black"'),
        ("application/json", b'{"choices": []}'),
        ("application/json", b'{"choices": null}'),
        ("application/json", b'{"choices": [{"message": null}]}'),
        ("application/json", b'{"choices": [{"message": {"content": [1]}}]}'),
        ("application/json", b'{"error": "no such model"}'),
        ("text/html", b"<html>Sign in to the hotel's network</html>"),
        ("application/json", b"\xff\xfe\x00"),
    ],
)
def test_garbage(server, content_type, body):
    server.content_type, server.body = content_type, body
    assert "no list of words" in refused(Endpoint(server.url, "m", KEY)).message


@pytest.mark.parametrize("text", [None, "", " … ", "- - -"])
def test_answer_without_a_word(server, text):
    server.answers(text)
    assert "no list of words" in refused(Endpoint(server.url, "m", KEY)).message


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    error = refused(Endpoint(url, "m", KEY))
    assert url in error.message and "cannot be reached" in error.message


@pytest.mark.parametrize(
    "url", ["not a url", "localhost:11434/v1", "http://", "ftp://127.0.0.1/v1", "http://[::1"]
)
def test_address_that_is_none(url):
    assert url in refused(Endpoint(url, "m", KEY)).message


@pytest.mark.parametrize(
    "key", ["schlüssel-0123456789", "two\nlines-0123456789", "“quoted-012345”"]
)
def test_key_that_no_header_can_hold(server, key):
    server.answers("red")
    assert "key" in refused(Endpoint(server.url, "m", key)).hint


def test_key_is_not_shown():
    assert KEY not in repr(Endpoint("http://127.0.0.1/v1", "m", KEY))


def test_endpoint_of_the_environment(monkeypatch):
    assert Endpoint.from_env() is None
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert Endpoint.from_env() is None, "there is no model to ask"
    monkeypatch.setenv("OPENAI_MODEL", "m")
    assert Endpoint.from_env() == Endpoint("", "m", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1/v1")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert Endpoint.from_env() == Endpoint("http://127.0.0.1/v1", "m", "")
