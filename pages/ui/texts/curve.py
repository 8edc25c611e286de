"""The F-beta of each number of clusters, as a curve that can be clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui.texts import queues
from pages.ui.texts.clustering import want_count
from pages.ui.texts.judges import Judge
from pages.ui.wording import counted

if TYPE_CHECKING:
    from esmc_core.texts.granularity import GranularityCurve
    from esmc_core.texts.hierarchy import Hierarchy
    from esmc_core.texts.study import Study


def answered_curve(
    study: Study, judge: Judge, hierarchy: Hierarchy, round: str
) -> GranularityCurve | None:
    """The curve by the answers so far; None without any."""
    from esmc_core.texts.answers import PERSON, merged

    queue = queues.Queue(study.collection.key, study.key, "pairs", round)
    questions = queues.questions_of(queue)
    given = study.answers.find(questions, judge.name)
    checked = study.answers.find(questions, PERSON)
    choices = tuple(answer.choice for answer in merged(given, checked))
    if all(choice is None for choice in choices):
        return None
    return _curve(study.key, round, choices, study, hierarchy)


@st.cache_data(max_entries=16, show_spinner=False)
def _curve(
    study_key: str,
    round: str,
    choices: tuple[int | None, ...],
    _study: Study,
    _hierarchy: Hierarchy,
) -> GranularityCurve:
    from esmc_core.texts.granularity import granularity_curve

    return granularity_curve(_hierarchy, _study.pairs(_hierarchy), choices)


def draw_curve(curve: GranularityCurve, *, key: str) -> int | None:
    """Draw the curve; the number of clusters that was clicked."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{counted(curve.best, 'cluster')}** fit best by "
            f"{counted(curve.n_answers, 'answer')}. :gray[Or click the curve to take another "
            "number.]",
            width="stretch",
        )
        st.button(f"Take {curve.best}", on_click=want_count, args=(curve.best,))
    event: Any = st.plotly_chart(
        _figure(curve),
        key=key,
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False},
    )
    points = event["selection"]["points"] if event else []
    return int(points[0]["x"]) if points else None


def _figure(curve: GranularityCurve) -> Any:
    import plotly.graph_objects as go

    is_dark = st.context.theme.type == "dark"
    accent = st.get_option(f"theme.{'dark' if is_dark else 'light'}.primaryColor")
    best = int(curve.n_clusters.tolist().index(curve.best))
    figure = go.Figure(
        go.Scatter(
            x=curve.n_clusters.tolist(),
            y=curve.f_beta.tolist(),
            customdata=list(zip(curve.precision.tolist(), curve.recall.tolist(), strict=True)),
            mode="lines+markers",
            marker={"size": 7, "color": accent},
            line={"color": accent},
            hovertemplate="%{x} clusters<br>F %{y:.3f}<br>precision %{customdata[0]:.2f}, "
            "recall %{customdata[1]:.2f}<extra></extra>",
        )
    )
    figure.add_annotation(
        x=curve.best,
        y=float(curve.f_beta[best]),
        text=f"★ {curve.best}",
        arrowcolor=accent,
        ay=-28,
    )
    figure.update_layout(
        height=280,
        margin={"l": 10, "r": 10, "t": 24, "b": 10},
        xaxis={"title": "clusters"},
        yaxis={"title": "agreement (F)", "rangemode": "tozero"},
        showlegend=False,
        clickmode="event+select",
    )
    return figure
