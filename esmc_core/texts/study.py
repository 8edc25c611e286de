"""One collection seen from one perspective: the steps from texts to clusters, each kept on disk."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from esmc_core.cluster.clustering import (
    Clustering,
    Source,
    clustering_key,
    load_clustering,
    save_clustering,
    save_names,
)
from esmc_core.errors import StoreError
from esmc_core.records import key_of, read_json, write_json
from esmc_core.texts.answers import PERSON, Answer, AnswerStore, merged
from esmc_core.texts.collection import TextCollection
from esmc_core.texts.embedder import BUNDLED, Embedder, load_embedder
from esmc_core.texts.embeddings import EmbeddingCache
from esmc_core.texts.granularity import (
    GranularityCurve,
    Pair,
    granularity_curve,
    pair_questions,
    sample_pairs,
)
from esmc_core.texts.hierarchy import (
    Hierarchy,
    build_hierarchy,
    load_hierarchy,
    save_hierarchy,
)
from esmc_core.texts.layouts import load_layout, save_layout
from esmc_core.texts.preferences import Preferences, preferences
from esmc_core.texts.questions import Example, PairQuestion, TripletQuestion, check_perspective
from esmc_core.texts.rounds import UNTUNED, Round, Rounds
from esmc_core.texts.triplets import (
    N_TRIPLETS,
    Sampling,
    Triplet,
    embedder_choices,
    sample_triplets,
)
from esmc_core.texts.tuning import TuneSettings, tune

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
Stage = Callable[[str], Progress]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class StudySettings:
    """What the user chose at the start; another choice is another study.

    Attributes:
        perspective: such as "intent", in the user's words.
        embedder: hub id, folder, or BUNDLED.
        prompt: before each text; None for what models of that name want.
        n_triplets: to ask about in a round.
    """

    perspective: str
    embedder: str = BUNDLED
    prompt: str | None = None
    n_triplets: int = N_TRIPLETS
    sampling: Sampling = "entropy"
    seed: int = 0


class Study:
    """The steps, each made once and found again by what it was made from.

    A round of tuning is named by its key, the embedder before any by UNTUNED. What is asked for
    without a round is of the one in use: the last that was kept, unless the user chose another.

    Args:
        folder: where the study's own records lie.
        embeddings: the cache that all studies share.
        answers: the store that all studies share.

    Raises:
        InputError: the perspective is empty or too long.
    """

    def __init__(
        self,
        folder: Path,
        collection: TextCollection,
        settings: StudySettings,
        *,
        embeddings: EmbeddingCache,
        answers: AnswerStore,
    ) -> None:
        check_perspective(settings.perspective)
        self.folder = folder
        self.collection = collection
        self.settings = settings
        self.answers = answers
        self.rounds = Rounds(folder / "rounds")
        self._cache = embeddings
        self._embedders: dict[str, Embedder] = {}

    @property
    def key(self) -> str:
        """Of the collection and the settings."""
        return self.folder.name

    @property
    def perspective(self) -> str:
        return check_perspective(self.settings.perspective)

    # The embedder

    def embedder(self, round: str | None = None) -> Embedder:
        """The embedder after a round, loaded once; raise ModelError if it cannot be."""
        round = self.round_in_use if round is None else round
        if round not in self._embedders:
            if UNTUNED not in self._embedders:
                settings = self.settings
                self._embedders[UNTUNED] = load_embedder(
                    settings.embedder, prompt=settings.prompt, perspective=self.perspective
                )
            untuned = self._embedders[UNTUNED]
            self._embedders[round] = self.rounds.embedder(round, untuned)
        return self._embedders[round]

    def embeddings(
        self,
        round: str | None = None,
        *,
        progress: Progress | None = None,
        should_stop: Stop | None = None,
    ) -> np.ndarray:
        """(n_texts, d) float32 of length 1; raise Cancelled if `should_stop` said so."""
        return self._cache.embed(
            self.embedder(round), self.collection.texts, progress=progress, should_stop=should_stop
        )

    @property
    def round_in_use(self) -> str:
        """The user's choice, else the last round that was kept."""
        chosen = self._read("round").get("key")
        keys = {made.key for made in self.rounds.list()}
        if chosen is not None and (chosen == UNTUNED or chosen in keys):
            return str(chosen)
        kept = [made.key for made in self.rounds.list() if made.report.is_kept]
        return kept[-1] if kept else UNTUNED

    def use_round(self, round: str) -> None:
        """Go on with a round, kept or not, or with UNTUNED."""
        if round != UNTUNED:
            self.rounds.get(round)
        self._write("round", {"key": round})

    # Triplets

    def triplets(
        self,
        round: str | None = None,
        *,
        progress: Progress | None = None,
        stage: Stage | None = None,
        should_stop: Stop | None = None,
    ) -> list[Triplet]:
        """The triplets to ask about the embedding after a round, drawn once.

        None of an earlier round on the way to it is among them.

        Args:
            progress: of the embedding, where that has still to be made.
            stage: called at the beginning of a further step with its name, for what to tell its
                progress.
        """
        round = self.round_in_use if round is None else round
        name = f"triplets-{round or 'untuned'}"
        stored = self._read(name).get("triplets")
        if stored is not None:
            return [Triplet(*row) for row in stored]
        known = [t for earlier in self._way_to(round) for t in self.triplets(earlier)]
        found = sample_triplets(
            self.embeddings(round, progress=progress, should_stop=should_stop),
            self.settings.n_triplets,
            sampling=self.settings.sampling,
            seed=self.settings.seed,
            known=known,
            progress=None if stage is None else stage("drawing the questions"),
            should_stop=should_stop,
        )
        self._write(name, {"triplets": [(t.query, t.choice1, t.choice2) for t in found]})
        return found

    def has_triplets(self, round: str | None = None) -> bool:
        """Whether the triplets have been drawn, so that they are at hand at once."""
        round = self.round_in_use if round is None else round
        return (self.folder / f"triplets-{round or 'untuned'}.json").exists()

    def triplet_questions(self, round: str | None = None) -> list[TripletQuestion]:
        """(n_triplets,) the questions, in the order of `triplets`."""
        texts = self.collection.texts
        return [
            TripletQuestion(texts[t.query], texts[t.choice1], texts[t.choice2], self.perspective)
            for t in self.triplets(round)
        ]

    def embedder_choices(self, round: str | None = None) -> np.ndarray:
        """(n_triplets,) 1 or 2, what the embedder after that round would answer; kept on disk."""
        round = self.round_in_use if round is None else round
        name = f"choices-{round or 'untuned'}"
        stored = self._read(name).get("choices")
        if stored is not None:
            return np.array(stored, dtype=np.int64)
        found = embedder_choices(self.embeddings(round), self.triplets(round))
        self._write(name, {"choices": found.tolist()})
        return found

    def triplet_answers(
        self, judge: str, *, round: str | None = None, with_person: bool = True
    ) -> list[Answer]:
        """(n_triplets,) the judge's answers, with the person's in place of the judge's."""
        questions = self.triplet_questions(round)
        given = self.answers.find(questions, judge)
        checked = self.answers.find(questions, PERSON) if with_person else [None] * len(given)
        return merged(given, checked)

    def preferences(
        self, judge: str, *, round: str | None = None, with_person: bool = True
    ) -> Preferences:
        """What the answers so far teach."""
        answers = self.triplet_answers(judge, round=round, with_person=with_person)
        return preferences(self.triplets(round), answers)

    # Tuning

    def tune(
        self,
        judge: str,
        settings: TuneSettings | None = None,
        *,
        base: str | None = None,
        with_person: bool = True,
        progress: Progress | None = None,
        should_stop: Stop | None = None,
    ) -> Round:
        """Tune by the answers to a round's triplets and to those before; it is kept on disk.

        An adapter is learned anew from all answers, in place of the adapters of earlier rounds.
        Whether it is put to use is for the held-out answers to say (`report.is_kept`).

        Args:
            base: the round whose triplets were answered; None for the one in use.

        Raises:
            InputError: there are too few answers.
            Cancelled: `should_stop` said so.
        """
        settings = settings or TuneSettings()
        base = self.round_in_use if base is None else base
        start = self.rounds.adapted(base) if settings.method == "adapter" else base
        given = self.preferences(judge, round=base, with_person=with_person)
        tuned = tune(
            self.embedder(start),
            self.collection.texts,
            self.embeddings(start),
            self.rounds.answers(base) + given,
            settings,
            progress=progress,
            should_stop=should_stop,
        )
        made = self.rounds.add(tuned, base=base, judge=judge, settings=settings, start=start)
        self._embedders[made.key] = tuned.embedder
        if tuned.embeddings is not None:
            self._cache.keep(tuned.embedder, self.collection.texts, tuned.embeddings)
        if made.report.is_kept:
            self.use_round(made.key)
        return made

    # Granularity

    def hierarchy(self, round: str | None = None) -> Hierarchy:
        """Of the embeddings after a round; kept on disk."""
        round = self.round_in_use if round is None else round
        stored = self.find_hierarchy(round)
        if stored is not None:
            return stored
        found = build_hierarchy(self.embeddings(round), seed=self.settings.seed)
        save_hierarchy(self._hierarchy_file(round), found)
        return found

    def find_hierarchy(self, round: str | None = None) -> Hierarchy | None:
        """The hierarchy if it has been built before and can be read."""
        round = self.round_in_use if round is None else round
        return load_hierarchy(self._hierarchy_file(round), self.collection.n_texts)

    def _hierarchy_file(self, round: str) -> Path:
        return self.folder / f"hierarchy-{round or 'untuned'}.npz"

    def pairs(self, hierarchy: Hierarchy, *, rounds: int = 3) -> list[Pair]:
        """The pairs to ask about, the same for the same hierarchy."""
        return sample_pairs(hierarchy, rounds=rounds, seed=self.settings.seed)

    @property
    def examples(self) -> tuple[Example, ...]:
        """The worked examples that the user has approved; none at first."""
        rows = self._read("examples").get("examples", [])
        return tuple(Example(**row) for row in rows)

    def set_examples(self, examples: Sequence[Example]) -> None:
        """Keep the user's worked examples; pairs asked with others are other questions."""
        self._write("examples", {"examples": list(examples)})

    def pair_questions(self, pairs: Sequence[Pair]) -> list[PairQuestion]:
        """(n_pairs,) the questions, with the user's worked examples."""
        return pair_questions(self.collection.texts, pairs, self.perspective, self.examples)

    def granularity(
        self,
        judge: str,
        hierarchy: Hierarchy,
        pairs: Sequence[Pair],
        *,
        with_person: bool = True,
    ) -> GranularityCurve:
        """The F-beta of each number of clusters, by the answers so far."""
        questions = self.pair_questions(pairs)
        given = self.answers.find(questions, judge)
        checked = self.answers.find(questions, PERSON) if with_person else [None] * len(given)
        found = merged(given, checked)
        return granularity_curve(hierarchy, pairs, [answer.choice for answer in found])

    # Clusters

    def cluster(
        self,
        n_clusters: int,
        *,
        seed: int = 0,
        round: str | None = None,
        progress: Progress | None = None,
        stage: Stage | None = None,
        should_stop: Stop | None = None,
    ) -> Clustering:
        """Cluster by the embedding after a round, or reopen that clustering; it is saved.

        After a round its answers guide the clusters; untuned it is plain K-means.

        Args:
            progress, stage: as in `triplets`.

        Raises:
            InputError: there are more clusters than different texts.
            Cancelled: `should_stop` said so.
        """
        from esmc_core.texts.clustering import cluster_texts, text_settings

        texts = self.collection.texts
        settings = text_settings(n_clusters, n_texts=len(texts), seed=seed)
        round = self.round_in_use if round is None else round
        source = Source(self._source_key(round))
        folder = self.clusterings_folder / clustering_key(settings, source)
        if folder.exists():
            try:
                return load_clustering(folder)
            except StoreError as error:
                logger.warning("%s It is made anew.", error.message)
        embeddings = self.embeddings(round, progress=progress, should_stop=should_stop)
        found = cluster_texts(
            texts,
            embeddings,
            settings,
            source,
            answers=None if round == UNTUNED else self.rounds.answers(round),
            stage=stage,
            should_stop=should_stop,
        )
        save_clustering(folder, found)
        return found

    @property
    def clusterings_folder(self) -> Path:
        return self.folder / "clusterings"

    def list_clusterings(self) -> list[Clustering]:
        """Those that can be read, the one made or renamed last first."""
        folders = sorted(
            self.clusterings_folder.glob("[!.]*/"), key=lambda folder: -folder.stat().st_mtime_ns
        )
        found = []
        for folder in folders:
            try:
                found.append(load_clustering(folder))
            except StoreError as error:
                logger.warning("%s", error.message)
        return found

    def delete_clustering(self, key: str) -> None:
        """Forget a clustering."""
        shutil.rmtree(self.clusterings_folder / self.open_clustering(key).key, ignore_errors=True)

    def open_clustering(self, key: str) -> Clustering:
        """Reopen a clustering; raise StoreError if it is missing or damaged."""
        if not key.isalnum():
            raise StoreError(f"“{key}” is no key.", "Choose from the library.")
        return load_clustering(self.clusterings_folder / key)

    def keep_clustering(self, clustering: Clustering) -> None:
        """Keep a clustering that was changed by hand or named anew."""
        save_clustering(self.clusterings_folder / clustering.key, clustering)

    def rename_cluster(self, key: str, cluster: int, name: str) -> Clustering:
        """Give a cluster another name; "" gives back its own."""
        renamed = self.open_clustering(key).renamed(cluster, name)
        save_names(self.clusterings_folder / key, renamed)
        return renamed

    def round_of(self, clustering: Clustering) -> str:
        """The round whose embedding was clustered; UNTUNED where none is known of it."""
        rounds = [made.key for made in self.rounds.list()]
        own = clustering.source.pass_key
        return next((key for key in rounds if self._source_key(key) == own), UNTUNED)

    # Maps

    def find_layout(self, round: str | None = None) -> np.ndarray | None:
        """(n_texts, 2) the map of the embedding after a round, if it has been laid out."""
        round = self.round_in_use if round is None else round
        return load_layout(self._layout_file(round), self.collection.n_texts)

    def lay_out(
        self, project: Callable[..., np.ndarray], *, round: str | None = None
    ) -> np.ndarray:
        """Lay out the map of the embedding after a round, and keep it.

        It starts from the map before that round, so that texts stay about where they were.

        Args:
            project: `esmc_core.projection.project`, or that of a ProjectionWorker.

        Returns:
            (n_texts, 2) float32, UMAP.
        """
        round = self.round_in_use if round is None else round
        earlier = (self.find_layout(before) for before in self._way_to(round))
        start = next((points for points in earlier if points is not None), None)
        points = project(np.asarray(self.embeddings(round)), init=start)
        save_layout(self._layout_file(round), points)
        return points

    def _layout_file(self, round: str) -> Path:
        return self.folder / "layouts" / f"{round or 'untuned'}.npy"

    def table(
        self, clustering: Clustering, *, texts: Sequence[int] | np.ndarray | None = None
    ) -> pd.DataFrame:
        """One row a row of the file, in its order; see `text_table`.

        Args:
            texts: only the rows that hold one of these; None for all.
        """
        from esmc_core.texts.table import text_table

        table = text_table(
            self.collection,
            clustering,
            perspective=self.perspective,
            model=self.settings.embedder,
        )
        return table if texts is None else table[np.isin(self.collection.rows, texts)]

    def delete(self) -> None:
        """Forget the study; answers and embeddings are kept."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _source_key(self, round: str) -> str:
        return key_of(
            texts=self.collection.key,
            embedder=self.settings.embedder,
            prompt=self.settings.prompt,
            round=round,
        )

    def _way_to(self, round: str) -> list[str]:
        """The rounds that a round started from, the nearest first."""
        way = []
        while round != UNTUNED:
            round = self.rounds.get(round).base
            way.append(round)
        return way

    def _read(self, name: str) -> dict:
        path = self.folder / f"{name}.json"
        return dict(read_json(path)) if path.exists() else {}

    def _write(self, name: str, record: dict) -> None:
        write_json(self.folder / f"{name}.json", record)
