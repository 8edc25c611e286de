"""The third page: clusters, their names, their table."""

import csv
import io

import pytest

from esmc_core.cluster.clustering import ClusterSettings
from pages.ui.resources import workspace
from tests.app.conftest import button, is_sound, settled, texts
from tests.conftest import CELL, N_PHOTOS


@pytest.fixture
def app(clustered, visit):
    return settled(visit("clusters", **clustered))


def kept(clustered, key: str = "clusters"):
    store = workspace().open_pass(clustered["collection"], clustered["lens"])
    return workspace().open_clustering(store, clustered[key])


def cards(app) -> str:
    return "\n".join(element.body for element in app.get("html"))


def test_clusters_are_made_on_arrival(filled, visit):
    app = settled(visit("clusters", **filled, cell="2.3"))
    assert is_sound(app)
    assert "clusters**" in texts(app) and f"All {N_PHOTOS} pictures" in texts(app)
    assert len(button_labels(app, "Show")) == int(app.number_input[0].value)


def button_labels(app, label: str) -> list[str]:
    return [one.label for one in app.button if one.label == label]


def test_more_clusters_than_answers_is_one_card_and_the_page_lives_on(filled, visit):
    """At the embeddings every picture says the same."""
    app = settled(visit("clusters", **filled, cell="0.3"))
    (error,) = app.error
    assert "cannot form 2 clusters" in error.value and "Lower the number to 1" in error.value
    app.number_input[0].set_value(1).run()
    app = settled(button(app, "Cluster").click().run())
    assert is_sound(app) and "1 cluster" in texts(app)


@pytest.mark.parametrize(
    ("bits", "told"), [(1e9, "sees next to nothing"), (1e-6, "hardly tells the pictures apart")]
)
def test_clusters_that_say_little_are_told_of(filled, visit, monkeypatch, bits, told):
    for module in ("esmc_core.target", "pages.ui.explorer"):
        monkeypatch.setattr(f"{module}.FLAT_BITS", bits)
    cell = "2.3" if bits > 1 else "0.3"
    app = settled(visit("clusters", **filled, cell=cell))
    app.number_input[0].set_value(1).run()
    app = settled(button(app, "Cluster").click().run())
    assert told in app.warning[0].value and len(app.warning) == 1


def test_another_number_of_clusters(app):
    app.number_input[0].set_value(5).run()
    app = settled(button(app, "Cluster").click().run())
    assert is_sound(app)
    assert app.number_input[0].value == 5


def test_rename_and_back(app, clustered):
    own = kept(clustered).names
    box = next(box for box in app.text_input if box.value == own[1])
    app = box.set_value("fire engine").run()
    app = [one for one in app.button if one.label == "Save"][1].click().run()
    assert is_sound(app)
    assert kept(clustered).names == [own[0], "fire engine", own[2]]
    assert "fire engine" in [box.value for box in app.text_input]
    app = button(app, f"Back to “{own[1]}”").click().run()
    assert is_sound(app)
    assert kept(clustered).names == own


@pytest.mark.parametrize("name", ["<b>bold</b><script>alert(1)</script>", "a | *b* $c$ 🚗"])
def test_names_are_shown_as_they_are(app, clustered, name):
    box = app.text_input[0]
    app = box.set_value(name).run()
    app = next(one for one in app.button if one.label == "Save").click().run()
    app = settled(app)
    assert is_sound(app)
    assert kept(clustered).names[0] == name
    assert "<script>" not in texts(app)


def test_only_the_pictures_of_a_cluster(app, clustered):
    found = kept(clustered)
    app = [one for one in app.button if one.label == "Show"][1].click().run()
    assert is_sound(app)
    assert f"{found.names[1]} · {found.sizes[1]} pictures" in texts(app)
    app = button(app, "Show all").click().run()
    assert f"All {N_PHOTOS} pictures" in texts(app)
    app = next(one for one in app.button if one.label == "Show").click().run()
    app = button(app, "Show all pictures").click().run()
    assert f"All {N_PHOTOS} pictures" in texts(app)


def test_the_table_that_is_downloaded(app, clustered, collection):
    from esmc_core.export import csv_bytes

    labels = [one.label for one in app.download_button]
    assert any("CSV" in label for label in labels) and any("Parquet" in one for one in labels)
    store = workspace().open_pass(clustered["collection"], clustered["lens"])
    content = csv_bytes(workspace().table(collection, store, kept(clustered)))
    assert len(list(csv.DictReader(io.StringIO(content.decode())))) == N_PHOTOS + 2


def test_the_rows_of_a_selection_alone(app, clustered, collection):
    assert "CSV of these" not in [one.label for one in app.download_button]
    app = next(one for one in app.button if one.label == "Show").click().run()
    assert is_sound(app)
    assert "CSV of these" in [one.label for one in app.download_button]
    found = kept(clustered)
    store = workspace().open_pass(clustered["collection"], clustered["lens"])
    everything = workspace().table(collection, store, found)
    table = workspace().table(collection, store, found, images=found.members(0))
    assert set(table["cluster"]) == {1}
    assert table["file"].tolist() == everything["file"][everything["cluster"] == 1].tolist()


@pytest.mark.parametrize("settings", [{"alpha": 0.01}, {"seed": 2**31 - 1}, {"n_clusters": 1}])
def test_a_clustering_of_the_command_line_is_opened(clustered, store, visit, settings):
    chosen = ClusterSettings(**({"n_clusters": 3, "epochs": 5} | settings))
    made = workspace().cluster(store, chosen, **CELL)
    app = settled(visit("clusters", **(clustered | {"clusters": made.key})))
    assert is_sound(app)


def test_hidden_states(app, clustered):
    app.selectbox[0].set_value("hidden").run()
    app = settled(button(app, "Cluster").click().run())
    assert is_sound(app)
    assert "hidden state" in texts(app)


def test_a_pass_that_is_not_finished(filled, store, visit):
    store.done[store.order[16:]] = 0
    store.done.flush()
    app = visit("clusters", **filled)
    assert f"16 of {N_PHOTOS} pictures have been looked at" in texts(app)
    button(app, "Finish the pass").click().run()
    assert app.title[0].value == "What should the pictures be sorted by?"
