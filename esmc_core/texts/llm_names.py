"""Clusters named by an LLM, from their terms and some of their texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from esmc_core.cluster.clustering import Clustering
from esmc_core.errors import Cancelled
from esmc_core.texts.asking import Asked
from esmc_core.texts.chat import NoReply
from esmc_core.texts.questions import plain_answer, shown_text

_N_TEXTS = 8
_MAX_WORDS = 6
_QUESTION = """What {perspective} do these texts have in common, that other texts do not?

{texts}

Words that mark them: {terms}

Answer with a name of one to five words, and nothing else."""


def name_by_llm(
    clustering: Clustering,
    texts: Sequence[str],
    perspective: str,
    judge: Asked,
    *,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[str]:
    """(n_clusters,) a name for each cluster; "" where the LLM gave none, or one that was taken.

    Of each cluster its terms and the eight texts that are surest of it are sent.

    Raises:
        EndpointError: the endpoint's settings are wrong.
        Cancelled: `should_stop` said so.
    """
    names: list[str] = []
    taken: set[str] = set()
    for cluster in range(clustering.n_clusters):
        if should_stop is not None and should_stop():
            raise Cancelled()
        try:
            reply = judge.ask(naming_prompt(clustering, texts, perspective, cluster))
            name = parse_name(reply.text)
        except NoReply:
            name = ""
        if name.casefold() in taken:
            name = ""
        taken.add(name.casefold())
        names.append(name)
        if progress is not None:
            progress(cluster + 1, clustering.n_clusters)
    return names


def naming_prompt(
    clustering: Clustering, texts: Sequence[str], perspective: str, cluster: int
) -> str:
    """What the LLM reads about one cluster."""
    surest = clustering.members(cluster)[:_N_TEXTS]
    return _QUESTION.format(
        perspective=perspective,
        texts="\n".join(f"- {shown_text(texts[i])}" for i in surest),
        terms=", ".join(token.text for token in clustering.dominant_tokens[cluster]) or "none",
    )


def parse_name(answer: str) -> str:
    """The name in an answer; "" where it is more of a speech."""
    lines = [line for line in plain_answer(answer).splitlines() if line.strip()]
    name = " ".join(lines[0].split()).strip(" .\"'“”*") if lines else ""
    return name if len(name.split()) <= _MAX_WORDS and len(name) <= 60 else ""
