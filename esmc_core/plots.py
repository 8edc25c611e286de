"""Figures for export; the pages draw their own interactive ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def heatmap_figure(
    values: np.ndarray,
    *,
    tokens: Sequence[str],
    hover: Sequence[Sequence[str]],
    suggested: tuple[int, int],
    title: str,
    unit: str,
) -> Any:
    """The layers × prompt tokens heatmap as a plotly figure.

    Args:
        values: (n_layers + 1, n_positions).
        tokens: (n_positions,) shown texts.
        hover: (n_layers + 1, n_positions) one text a cell.
        suggested: (layer, position), starred.
    """
    import plotly.graph_objects as go

    n_layers, n_positions = values.shape
    figure = go.Figure(
        go.Heatmap(
            z=values.tolist(),
            x=list(range(n_positions)),
            y=list(range(n_layers)),
            text=[list(row) for row in hover],
            hovertemplate="%{text}<extra></extra>",
            colorscale="Viridis",
            colorbar={"title": unit},
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[suggested[1]],
            y=[suggested[0]],
            mode="text",
            text=["★"],
            textfont={"size": 18, "color": "white"},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    figure.update_layout(
        title=title,
        xaxis={"title": "prompt token", "tickvals": list(range(n_positions)), "ticktext": tokens},
        yaxis={"title": "layer", "dtick": 1 if n_layers < 20 else 4},
        template="plotly_white",
    )
    return figure
