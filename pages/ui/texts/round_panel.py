"""What a round of tuning did: the verdict, the maps before and after, and the way on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pages.ui.navigation import switch
from pages.ui.texts.comparison import compared
from pages.ui.texts.text_map import draw_map, layout_of
from pages.ui.texts.tuned_file import download_embedder
from pages.ui.wording import counted, duration

if TYPE_CHECKING:
    from esmc_core.texts.comparison import Comparison
    from esmc_core.texts.rounds import Round
    from esmc_core.texts.study import Study
    from esmc_core.texts.tuning import TuningReport

HEIGHT_PX = 400
N_SHOWN = 3


def rounds_panel(study: Study) -> None:
    """The latest round, or the one that the user turned to."""
    made = study.rounds.list()
    if not made:
        return
    number = len(made)
    if len(made) > 1:
        titles = {n: f"Round {n}" for n in range(1, len(made) + 1)}
        chosen = st.segmented_control(
            "Round",
            list(titles),
            default=len(made),
            required=True,
            format_func=titles.__getitem__,
            key=f"round-{made[-1].key}",
            label_visibility="collapsed",
        )
        number = int(chosen or len(made))
    round_panel(study, made[number - 1], number)


def round_panel(study: Study, made: Round, number: int) -> None:
    """One round: verdict, buttons, maps, changes."""
    st.subheader(f"Round {number}: {verdict(study, made)}")
    _figures(made)
    _actions(study, made, number)
    found = compared(study, made)
    if found is None:
        st.skeleton(height=HEIGHT_PX)
        return
    _maps(study, made, found)
    _metrics(found)
    _neighbours(study, found)


def verdict(study: Study, made: Round) -> str:
    """Kept or not, and whether it is in use."""
    said = "kept" if made.report.is_kept else "not kept"
    return f"{said}, in use" if study.round_in_use == made.key else f"{said}, not in use"


_HELP = (
    "Of the answers that were held out, how many come true: after the adapter in the clusters (the "
    "query with the choice that was preferred; half where both or neither are with it); after full "
    "tuning, in the embedder's distances."
)


_CHANCE = (
    "How likely answers without any sense are to gain as much on what was held out. A round is "
    "kept up to {:.1%} with so many answers; with fewer, the limit is lower."
)


def _figures(made: Round) -> None:
    from esmc_core.texts.tuning import TuneSettings
    from esmc_core.texts.verdict import allowed_chance

    report = made.report
    gain = 100 * (report.after - report.before)
    columns = st.columns([1, 1, 1, 2])
    columns[0].metric("Held out, before", f"{report.before:.1%}", help=_HELP)
    columns[1].metric("Held out, after", f"{report.after:.1%}", f"{gain:+.1f} points")
    if report.chance is not None:
        allowed = allowed_chance(report.n_held_out, TuneSettings.doubt)
        columns[2].metric(
            "As likely by chance", _share(report.chance), help=_CHANCE.format(allowed)
        )
    with columns[3]:
        st.markdown(
            f"{why(report)}  \n:gray[{counted(report.n_answers, 'answer')}, {_held_out(report)}, "
            f"± {100 * report.error:.1f} points · {made.method} · {duration(report.seconds)}]"
        )


def why(report: TuningReport) -> str:
    """Why the round was kept, or what is missing."""
    if report.is_kept:
        return "Held-out answers, which it did not learn from, are met clearly more often."
    if report.after <= report.before:
        return "Held-out answers are met no more often than before."
    if report.more_needed:
        more = counted(_rounded(report.more_needed), "more decided answer")
        return f"It gained, but on too few answers to tell that from chance: about {more} would."
    return "It gained on held-out answers, but no more than chance may give."


def _rounded(number: int) -> int:
    """To two digits, as it is a guess."""
    return int(float(f"{number:.1e}"))


def _share(chance: float) -> str:
    return "< 0.1%" if chance < 0.001 else f"{chance:.1%}" if chance < 0.1 else f"{chance:.0%}"


def _held_out(report: TuningReport) -> str:
    if report.n_held_out == report.n_answers:
        return "each held out once"
    return f"{report.n_held_out:,} of them held out"


def _actions(study: Study, made: Round, number: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Go on to the clusters", type="primary", icon=":material/arrow_forward:"):
            switch("text_clusters")
        if study.round_in_use == made.key:
            st.button("Do not use it", on_click=study.use_round, args=(made.base,))
        else:
            st.button("Use this round", on_click=study.use_round, args=(made.key,))
        download_embedder(study, made, number)


def _maps(study: Study, made: Round, found: Comparison) -> None:
    from esmc_core.texts.comparison import matched_colours

    colours = (matched_colours(found.before, found.after), found.after.colours)
    sides = zip(
        st.columns(2),
        ("Before", "After"),
        (made.base, made.key),
        (found.before, found.after),
        colours,
        strict=True,
    )
    for column, title, round, clustering, paint in sides:
        with column:
            st.markdown(f"**{title}** · {counted(clustering.n_clusters, 'cluster')}")
            points = layout_of(study, round, height=HEIGHT_PX)
            if points is not None:
                draw_map(
                    study,
                    clustering,
                    points,
                    key=f"map-{title}-{made.key}",
                    height=HEIGHT_PX,
                    colours=paint,
                    legend=False,
                    label=f"Map of the texts, {title.lower()}",
                )


def _metrics(found: Comparison) -> None:
    if found.agreement is None:
        return
    before, after = found.agreement
    st.markdown("**Against your labels**, which nothing else has seen")
    cells = {
        "Accuracy": (before.accuracy, after.accuracy),
        "NMI": (before.nmi, after.nmi),
        "ARI": (before.ari, after.ari),
    }
    for column, (name, (old, new)) in zip(st.columns(3), cells.items(), strict=True):
        column.metric(f"{name} after", f"{new:.3f}", f"{new - old:+.3f} from {old:.3f}")


def _neighbours(study: Study, found: Comparison) -> None:
    texts = study.collection.texts
    with st.expander(
        f"Neighbours that changed: {1 - found.mean_kept:.0%}", icon=":material/compare_arrows:"
    ):
        if not found.changed:
            st.caption("Every text has the neighbours that it had.")
            return
        st.caption("Of ten nearest neighbours each, those that left and those that came.")
        rows = [
            {
                "Text": texts[one.text],
                "Stayed": f"{one.kept:.0%}",
                "Left": " · ".join(texts[i] for i in one.before[:N_SHOWN]),
                "Came": " · ".join(texts[i] for i in one.after[:N_SHOWN]),
            }
            for one in found.changed
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True)
