"""Settings: what is chosen is remembered, what cannot be is told."""

import json
import socket
import threading

import pytest

from pages.ui import preferences
from tests.app.conftest import button, is_sound, texts
from tests.core.test_keywords import Server

KEY = "sk-secret-0123456789"


def box(app, label: str):
    (found,) = [one for one in app.text_input if one.label == label]
    return found


def test_the_model_is_remembered(visit, server, tiny_llava):
    app = visit("settings")
    assert f"In use: {tiny_llava}" in texts(app)
    app = app.button(key="use-bundled").click().run()
    assert is_sound(app)
    assert app.button(key="use-bundled").label == "In use"
    assert preferences.model_name() == "bundled"
    again = visit("settings")
    assert again.button(key="use-bundled").label == "In use"


def test_a_model_that_does_not_fit_cannot_be_chosen(visit, monkeypatch):
    monkeypatch.setattr("esmc_core.models.loading.free_memory", lambda device: 10**9)
    app = visit("settings")
    assert app.button(key="use-llava-hf/llava-1.5-7b-hf").disabled
    assert "does not fit" in texts(app)


def test_a_model_that_cannot_be_fetched_is_not_chosen(visit, monkeypatch, tiny_llava):
    def unknown(*_):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("esmc_core.models.loading.free_memory", lambda device: 10**12)
    monkeypatch.setattr("esmc_core.hub.getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    app = visit("settings").button(key="use-llava-hf/llava-1.5-7b-hf").click().run()
    assert "cannot be reached" in app.error[0].value
    assert preferences.model_name() == str(tiny_llava)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    app = app.button(key="use-llava-hf/llava-1.5-7b-hf").click().run()
    assert is_sound(app)
    assert preferences.model_name() == "llava-hf/llava-1.5-7b-hf"


def test_another_model_of_a_folder(visit, tiny_llava):
    app = visit("settings")
    app.button(key="use-bundled").click().run()
    box(app, "Another model").set_value(str(tiny_llava))
    app = button(app, "Use this model").click().run()
    assert is_sound(app) and "New passes use" in texts(app)
    assert preferences.model_name() == str(tiny_llava)


@pytest.mark.parametrize("name", ["nothing", "nobody/nothing", "/nowhere", "🚗"])
def test_a_model_that_is_none(visit, name, tiny_llava):
    app = visit("settings")
    box(app, "Another model").set_value(name)
    app = button(app, "Use this model").click().run()
    assert len(app.error) == 1 and [one.value for one in app.exception] == []
    assert name in app.error[0].value.replace("\\", "")
    assert preferences.model_name() == str(tiny_llava)


def test_the_lens_is_remembered(visit):
    app = visit("settings")
    assert app.radio[0].value == "norm"
    app.radio[0].set_value("raw").run()
    assert is_sound(app)
    assert preferences.get("lens", "") == "raw"
    assert visit("settings").radio[0].value == "raw"


def test_the_endpoint_is_remembered_and_its_key_is_not(visit, server):
    app = visit("settings")
    box(app, "Address").set_value("http://localhost:9/v1")
    box(app, "Model").set_value("some-model")
    box(app, "Key").set_value(KEY)
    app = button(app, "Use this endpoint").click().run()
    assert is_sound(app) and "Ask the LLM" in texts(app)
    assert app.session_state["endpoint"].api_key == KEY
    record = json.loads((server / "preferences.json").read_text())
    assert record["endpoint_url"] == "http://localhost:9/v1"
    for path in server.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    again = visit("settings")
    assert box(again, "Address").value == "http://localhost:9/v1"
    assert box(again, "Key").value == ""


def test_another_endpoint_takes_the_place_of_the_first(visit):
    app = visit("settings")
    for number in (1, 2, 3):
        box(app, "Address").set_value(f"http://localhost:{number}/v1")
        box(app, "Model").set_value(f"model {number}")
        app = button(app, "Use this endpoint").click().run()
        used = app.session_state["endpoint"]
        assert (used.base_url, used.model) == (f"http://localhost:{number}/v1", f"model {number}")
        assert f"model {number} at http://localhost:{number}/v1" in texts(app)


@pytest.mark.parametrize(("url", "name"), [("", "m"), ("localhost", "m"), ("http://x/v1", "")])
def test_an_endpoint_that_is_not_complete(visit, url, name):
    app = visit("settings")
    box(app, "Address").set_value(url)
    box(app, "Model").set_value(name)
    app = button(app, "Use this endpoint").click().run()
    assert "not complete" in app.error[0].value
    assert "endpoint" not in app.session_state


def test_an_endpoint_of_the_environment(visit, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:9/v1")
    monkeypatch.setenv("OPENAI_MODEL", "a-model")
    app = visit("settings")
    assert is_sound(app) and "a-model is set by the environment" in texts(app)


def test_the_endpoint_is_tried_with_a_question_of_nothing(visit, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OPENAI_MODEL", "a-model")
    with Server() as endpoint:
        threading.Thread(target=endpoint.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
        endpoint.answers("Yes, *of course*.")
        app = button(visit("settings"), "Send a test question").click().run()
        assert is_sound(app)
        assert "a-model at 127.0.0.1" in app.success[0].value
        assert "answered “Yes, \\*of course\\*.” after" in app.success[0].value
        endpoint.status = 401
        app = button(app, "Send a test question").click().run()
        assert "status 401" in app.error[0].value and "key" in app.error[0].value
        endpoint.status = 503
        app = button(app, "Send a test question").click().run()
        assert "refused with status 503" in app.error[0].value
        endpoint.shutdown()
    app = button(app, "Send a test question").click().run()
    assert "the connection broke" in app.error[0].value
    assert "Storage" in texts(app), "the page goes on"
