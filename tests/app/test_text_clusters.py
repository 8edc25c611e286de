"""The third page for texts: clusters, how many, their names, their table."""

import csv
import io

import pytest

from esmc_core.records import write_json
from esmc_core.texts.judging import answer_in_person
from esmc_core.texts.questions import Example
from esmc_core.texts.simulated import LabelOracle, SimulatedJudge
from pages.ui.texts.queues import Queue, answer, numbers_of, questions_of, state, undo
from tests.app.conftest import button, is_sound, settled, texts
from tests.tiny_texts import tiny_texts


@pytest.fixture
def app(study, texts_place, visit):
    return settled(visit("text_clusters", **texts_place))


@pytest.fixture
def pairs(study) -> Queue:
    study.hierarchy()
    return Queue(study.collection.key, study.key, "pairs", "", 30)


def kept(study, app):
    return study.open_clustering(dict(app.query_params)["groups"])


def test_clusters_are_made_on_arrival_and_found_again(app, study, visit):
    assert is_sound(app) and "5 clusters" in texts(app) and "All 60 texts" in texts(app)
    again = settled(visit("text_clusters"))
    assert kept(study, again).key == kept(study, app).key
    assert "colour" not in texts(app)


def test_another_number_by_hand(app, study):
    app.number_input[0].set_value(3).run()
    app = settled(button(app, "Cluster").click().run())
    assert is_sound(app) and kept(study, app).n_clusters == 3


def test_no_more_clusters_than_texts_can_be_asked_for(app, study):
    assert app.number_input[0].max == study.collection.n_texts


def test_the_last_clustering_is_found_again_without_an_address(app, study, visit):
    app.number_input[0].set_value(3).run()
    app = settled(button(app, "Cluster").click().run())
    assert [one.n_clusters for one in study.list_clusterings()] == [3, 5]
    write_json(study.folder.parents[3] / "place.json", {})
    found = settled(visit("text_clusters", texts=study.collection.key, study=study.key))
    assert is_sound(found) and kept(study, found).n_clusters == 3


def test_the_library_lists_reopens_and_deletes_clusterings(app, study, visit):
    library = visit("library")
    assert is_sound(library)
    (row,) = [one for one in library.button if one.label.startswith("5 clusters")]
    opened = row.click().run()
    assert opened.title[0].value.startswith("Clusters by") and kept(study, opened).n_clusters == 5
    study.delete_clustering(kept(study, opened).key)
    library = visit("library")
    assert is_sound(library)
    assert not [one for one in library.button if one.label.startswith("5 clusters")]


def test_rename_and_back(app, study):
    own = kept(study, app).names
    box = next(box for box in app.text_input if box.value == own[1])
    app = box.set_value("<b>mine</b> *x*").run()
    app = [one for one in app.button if one.label == "Save"][1].click().run()
    assert is_sound(app) and kept(study, app).names[1] == "<b>mine</b> *x*"
    app = next(one for one in app.button if one.label.startswith("Back to")).click().run()
    assert is_sound(app) and kept(study, app).names == own


def test_the_texts_of_a_cluster_and_a_search_in_them(app, study):
    found = kept(study, app)
    app = [one for one in app.button if one.label == "Show"][1].click().run()
    assert is_sound(app)
    table = app.dataframe[0].value
    assert len(table) == found.sizes[1] and set(table["Cluster"]) == {found.names[1]}
    word = table["Text"][0].split()[-1]
    app = app.text_input(key=search_key(app)).set_value(word).run()
    assert all(word in text for text in app.dataframe[0].value["Text"])


def search_key(app) -> str:
    return next(one.key for one in app.text_input if str(one.key).startswith("search-"))


def test_the_table_that_is_downloaded(app, study):
    from esmc_core.export import csv_bytes

    labels = [one.label for one in app.download_button]
    assert labels == ["Download CSV", "Parquet"]
    rows = list(csv.DictReader(io.StringIO(csv_bytes(study.table(kept(study, app))).decode())))
    assert len(rows) == 62 and rows[60]["cluster"] == "" and rows[61]["duplicate_of"] == "1"
    found = kept(study, app)
    first = found.members(int(found.labels[0]))
    some = list(csv.DictReader(io.StringIO(csv_bytes(study.table(found, texts=first)).decode())))
    assert some == [row for row in rows if row["cluster"] == rows[0]["cluster"]]
    assert {some[0]["row"], some[-1]["row"]} == {"1", "62"}, "copies come with their text"


def test_a_selection_has_a_table_of_its_own(app):
    assert "CSV of these" not in [one.label for one in app.download_button]
    app = next(one for one in app.button if one.label == "Show").click().run()
    assert is_sound(app) and "CSV of these" in [one.label for one in app.download_button]


def test_labels_serve_the_figures_alone(app):
    shown = {metric.label: float(metric.value) for metric in app.metric}
    assert 0 <= shown["NMI"] <= 1 and set(shown) == {"Accuracy", "NMI", "ARI", "Rand index"}


def test_pairs_are_answered_passed_over_and_taken_back(study, pairs):
    first, second, third = state(pairs)["cards"][:3]
    answer(pairs, first["number"], first["key"], 1)
    answer(pairs, second["number"], second["key"], 2)
    answer(pairs, third["number"], third["key"], 0)
    now = state(pairs)
    assert (now["answered"], now["decided"], now["total"]) == (3, 2, 30)
    assert undo(pairs)["key"] == third["key"]
    questions = questions_of(pairs)
    asked = [questions[n] for n in numbers_of(pairs)[:3]]
    assert [a and a.choice for a in study.answers.find(asked, "person")] == [1, 0, None]


def opened(study, texts_place, visit):
    page = visit("text_clusters", **texts_place)
    page.session_state[f"granularity-{study.key}"] = True
    return settled(page)


def test_the_pairs_are_prepared_when_asked_for(study, texts_place, visit):
    app = opened(study, texts_place, visit)
    app = settled(button(app, "Prepare the questions").click().run())
    assert is_sound(app) and study.find_hierarchy() is not None
    assert "The curve appears with the first answers" in texts(app)


def test_the_curve_follows_the_answers(study, pairs, texts_place, visit):
    topics = dict(zip(*tiny_texts(), strict=True))
    questions = questions_of(pairs)
    for number in numbers_of(pairs):
        question = questions[number]
        answer_in_person(
            study.answers, question, int(topics[question.first] == topics[question.second])
        )
    app = opened(study, texts_place, visit)
    assert is_sound(app) and "fit best by 30 answers" in texts(app)
    event = {"selection": {"points": [{"x": 7}], "point_indices": [5], "box": [], "lasso": []}}
    app.session_state[f"curve-{study.key}"] = event
    app = app.run()
    assert is_sound(app) and app.number_input[0].value == 7


def test_an_llm_answers_pairs_and_names_clusters(study, pairs, texts_place, visit):
    oracle = LabelOracle(dict(zip(*tiny_texts(), strict=True)))
    with SimulatedJudge(oracle) as judge:
        app = opened(study, texts_place, visit)
        app.session_state["endpoint"] = judge.endpoint("sk-secret")
        app = app.segmented_control(key="pair-judge").set_value("llm").run()
        app = settled(button(app, "Let the LLM answer").click().run())
        assert is_sound(app) and "fit best by" in texts(app)
        app = settled(button(app, "Name by the LLM").click().run())
        assert is_sound(app)
        before = kept(study, app).names
        app = button(app, "Name by the terms").click().run()
        assert is_sound(app) and kept(study, app).names == before  # it had no names to give


def test_worked_examples_are_suggested_and_kept(study, pairs, texts_place, visit):
    app = opened(study, texts_place, visit)
    app = button(app, "Suggest four").click().run()
    app = button(app, "Keep these examples").click().run()
    assert is_sound(app) and len(study.examples) == 4
    assert isinstance(study.examples[0], Example)
    assert "Worked examples: 4" in [one.label for one in app.expander]


def test_without_a_perspective_the_page_leads_to_it(study, visit):
    app = visit("text_clusters", texts=study.collection.key)
    assert "Say first what the texts" in texts(app)
    button(app, "Write a perspective").click().run()
    assert is_sound(app) and app.title[0].value == "What makes two texts belong together?"


def test_the_library_lists_texts_and_deletes_them(study, texts_place, visit):
    app = visit("library", **texts_place)
    assert is_sound(app) and "some.csv" in texts(app).replace("\\", "")
    assert [one for one in app.button if one.label.startswith("topic")]
    app.button(key=f"sure-{study.key}").click().run()
    assert not study.folder.exists()
    app.button(key=f"sure-{study.collection.key}").click().run()
    assert is_sound(app.run()) and "no collections yet" in texts(app)
