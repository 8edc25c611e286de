"""From texts to clusters in steps, each found again after a restart."""

import dataclasses

import numpy as np
import pytest

from esmc_core.config import Config
from esmc_core.errors import Cancelled, InputError, StoreError
from esmc_core.texts.adapter import AdapterSettings
from esmc_core.texts.answers import PERSON
from esmc_core.texts.asking import ask_all
from esmc_core.texts.chat import Chat
from esmc_core.texts.clustering import changed_neighbours, with_names
from esmc_core.texts.collection import collect
from esmc_core.texts.judging import answer_in_person, next_in_person, tally
from esmc_core.texts.llm_names import name_by_llm, parse_name
from esmc_core.texts.questions import Example
from esmc_core.texts.rounds import UNTUNED
from esmc_core.texts.simulated import LabelOracle, SimulatedJudge
from esmc_core.texts.study import StudySettings
from esmc_core.texts.tuning import TuneSettings
from esmc_core.texts.workspace import TextWorkspace

QUICK = TuneSettings(adapter=AdapterSettings(epochs=12, learning_rate=1e-2), n_folds=3)


@pytest.fixture
def place(tmp_path, tiny_model_folder, texts_and_topics):
    """A workspace, a collection with an empty and a repeated row, and settings."""
    texts, _ = texts_and_topics
    workspace = TextWorkspace(Config(tmp_path))
    collection = workspace.library.add(collect("some.csv", "text", [*texts, "", texts[0]]))
    settings = StudySettings("topic", embedder=str(tiny_model_folder), n_triplets=150)
    yield workspace, collection, settings
    workspace.close()


@pytest.fixture
def judge(texts_and_topics):
    with SimulatedJudge(LabelOracle(dict(zip(*texts_and_topics, strict=True)))) as judge:
        yield judge


@pytest.fixture
def chat(judge):
    chat = Chat(judge.endpoint())
    yield chat
    chat.close()


def test_the_whole_way_and_back_after_a_restart(place, judge, chat, texts_and_topics, tmp_path):
    workspace, collection, settings = place
    study = workspace.study(collection, settings)
    questions = study.triplet_questions()
    assert len(questions) == 150 and study.round_in_use == UNTUNED
    ask_all(questions, chat, judge.name, study.answers)
    counts = tally(
        questions,
        study.answers.find(questions, judge.name),
        embedder_choices=study.embedder_choices(),
    )
    assert counts.remaining == 0 and 0 < counts.agreement < 1
    made = study.tune(judge.name, QUICK)
    assert made.report.is_kept and study.round_in_use == made.key
    topics = np.array(texts_and_topics[1])
    found = study.cluster(3)
    before = study.cluster(3, round=UNTUNED)
    assert found.key != before.key and found.n_images == 60

    again = TextWorkspace(Config(tmp_path))
    (same,) = again.list_studies(collection)
    assert same.settings == settings and same.round_in_use == made.key
    assert same.rounds.list() == [made]
    assert same.triplets(UNTUNED) == study.triplets(UNTUNED)
    assert same.tune is not None and same.cluster(3).labels.tolist() == found.labels.tolist()
    np.testing.assert_allclose(same.embeddings(), study.embeddings(), atol=1e-6)
    assert same.embedder().fingerprint == made.fingerprint
    table = same.table(found)
    assert len(table) == 62 and table["cluster"].isna().tolist() == [False] * 60 + [True, False]
    assert table["duplicate_of"][61] == 1 and table["name"][60] == ""
    assert table["cluster"][61] == table["cluster"][0]
    assert len(set(topics)) == 3
    again.close()


def test_a_second_round_starts_from_the_first(place, judge, chat):
    workspace, collection, settings = place
    study = workspace.study(collection, settings)
    ask_all(study.triplet_questions(), chat, judge.name, study.answers)
    first = study.tune(judge.name, QUICK)
    study.use_round(first.key)
    assert not set(study.triplets(UNTUNED)) & set(study.triplets())
    ask_all(study.triplet_questions(), chat, judge.name, study.answers)
    second = study.tune(judge.name, QUICK)
    assert second.base == first.key
    study.use_round(second.key)
    workspace.close()
    reopened = TextWorkspace(workspace.config).study(collection, settings)
    np.testing.assert_allclose(
        reopened.embedder().embed(collection.texts), study.embeddings(), atol=1e-5
    )
    with pytest.raises(InputError, match="later round"):
        reopened.rounds.delete(first.key)
    reopened.rounds.delete(second.key)
    assert [made.key for made in reopened.rounds.list()] == [first.key]


def test_a_full_round_is_found_again(place, judge, chat):
    from esmc_core.texts.fine_tuning import FineTuneSettings

    workspace, collection, settings = place
    study = workspace.study(collection, settings)
    ask_all(study.triplet_questions(), chat, judge.name, study.answers)
    full = FineTuneSettings(epochs=1, learning_rate=1e-2, n_layers=None)
    made = study.tune(judge.name, TuneSettings("full", full=full))
    reopened = TextWorkspace(workspace.config).study(collection, settings)
    tuned = reopened.embedder(made.key)
    np.testing.assert_allclose(
        tuned.embed(collection.texts[:5]), study.embeddings(made.key)[:5], atol=1e-5
    )


def test_a_person_answers_alone_and_checks_a_judge(place, judge, chat):
    workspace, collection, settings = place
    study = workspace.study(collection, settings)
    questions = study.triplet_questions()
    for _ in range(5):
        answer_in_person(study.answers, questions[next_in_person(questions, study.answers)], 1)
    assert len(study.preferences(PERSON)) == 5
    ask_all(questions, chat, judge.name, study.answers)
    both = study.triplet_answers(judge.name)
    assert [answer.choice for answer in both[:5]] == [1] * 5
    alone = study.triplet_answers(judge.name, with_person=False)
    assert alone[5:] == both[5:]


def test_granularity_from_pairs_and_the_users_examples(place, judge, chat):
    workspace, collection, settings = place
    study = workspace.study(collection, settings)
    hierarchy = study.hierarchy()
    pairs = study.pairs(hierarchy)
    assert pairs == study.pairs(hierarchy)
    ask_all(study.pair_questions(pairs), chat, judge.name, study.answers)
    curve = study.granularity(judge.name, hierarchy, pairs)
    assert curve.n_answers == len(pairs) and curve.n_clusters[-1] == 60
    study.set_examples([Example("a", "b", together=True, reason="Both.")])
    reopened = TextWorkspace(workspace.config).study(collection, settings)
    assert reopened.examples == (Example("a", "b", together=True, reason="Both."),)
    with pytest.raises(InputError, match="No pair"):
        reopened.granularity(judge.name, hierarchy, pairs)


def test_clusters_are_renamed_named_by_an_llm_and_kept(place):
    workspace, collection, settings = place
    study = workspace.study(collection, settings)
    found = study.cluster(3)

    class Namer:
        replies = iter(["  “Cards.”\nBecause …", "<think>hm</think>Cards", "Music and more"])

        def ask(self, prompt):
            assert "topic" in prompt and "Words that mark them" in prompt
            return dataclasses.make_dataclass("Reply", ["text"])(next(self.replies))

    names = name_by_llm(found, collection.texts, "topic", Namer())
    assert names == ["Cards", "", "Music and more"]
    study.keep_clustering(with_names(found, names))
    study.rename_cluster(found.key, 1, "mine")
    reopened = study.open_clustering(found.key)
    assert reopened.names == ["Cards", "mine", "Music and more"]
    assert study.rename_cluster(found.key, 1, "").names[1] == found.names[1]
    assert parse_name("A name of far too many words for a cluster of texts") == ""
    with pytest.raises(StoreError):
        study.open_clustering("../..")


def test_stages_are_told_with_their_progress(place):
    workspace, collection, settings = place
    study, told = workspace.study(collection, settings), {}

    def stage(name):
        told[name] = []
        return lambda *step: told[name].append(step)

    study.triplets(stage=stage)
    study.cluster(3, stage=stage)
    study.cluster(3, stage=stage)  # reopened: no stage begins
    assert list(told) == ["drawing the questions", "grouping", "finding what they have in common"]
    for steps in told.values():
        assert steps[:-1] == sorted(steps[:-1]) and steps[0][0] == 0
        assert steps[-1][0] == max(done for done, _ in steps)  # what was foreseen may be more
    with pytest.raises(Cancelled):
        study.cluster(4, stage=stage, should_stop=lambda: "grouping" in told)


def test_neighbours_before_and_after():
    before = np.eye(4)[[0, 0, 1, 2]]
    after = np.eye(4)[[0, 1, 0, 2]]
    old, new = changed_neighbours(before, after, 0, n_neighbours=1)
    assert (old.tolist(), new.tolist()) == ([1], [2])


def test_more_clusters_than_texts_and_an_empty_perspective(place):
    workspace, collection, settings = place
    study = workspace.study(collection, settings)
    with pytest.raises(InputError, match="texts cannot form 100 clusters"):
        study.cluster(100)
    with pytest.raises(InputError, match="no perspective"):
        workspace.study(collection, dataclasses.replace(settings, perspective=" "))
