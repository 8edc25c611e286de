"""What the tests of texts share: a tiny embedder, three topics, a judge that knows them."""

import pytest

from tests.tiny_texts import save_tiny_embedder, tiny_texts


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory):
    return save_tiny_embedder(tmp_path_factory.mktemp("embedders"))


@pytest.fixture(scope="session")
def tiny_embedder(tiny_model_folder):
    from esmc_core.texts.embedder import load_embedder

    return load_embedder(str(tiny_model_folder))


@pytest.fixture(scope="session")
def texts_and_topics():
    return tiny_texts()
