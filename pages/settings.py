"""The model, the lens and the endpoint that answers for the user."""

import streamlit as st

from esmc_core.errors import ModelError
from esmc_core.models.catalogue import BUNDLED, CATALOGUE, ModelCard
from esmc_core.models.family import FAMILIES
from pages.ui import endpoint, guard, preferences
from pages.ui.resources import workspace

LENSES = {
    "norm": "with the final norm (standard)",
    "raw": "without it (as the paper's code does)",
}


def main() -> None:
    st.title("Settings")
    left, right = st.columns(2, gap="large")
    with left:
        model()
    with right:
        lens()
        endpoint.settings()
        storage()


def model() -> None:
    """Which model new passes use."""
    from esmc_core.models.loading import best_device, free_memory, is_local, memory_need

    device = best_device()
    free = free_memory(device)
    st.subheader("Model")
    st.caption(f"This computer runs models on {device.upper()}; {free / 1e9:.1f} GB are free.")
    current = preferences.model_name()
    problem = st.session_state.pop("model_problem", None)
    if problem:
        guard.show_error(problem)
    for card in CATALOGUE:
        need = memory_need(card.name, device=device)
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            describe(card, need, fits=need <= free, local=is_local(card.name))
            st.button(
                "In use" if card.name == current else "Use",
                key=f"use-{card.name}",
                type="primary" if card.name == current else "secondary",
                disabled=card.name == current or need > free,
                on_click=use,
                args=(card.name,),
            )
    other(current, device)


def use(name: str) -> None:
    """Choose a model of the list, unless it would have to be fetched and cannot be."""
    from esmc_core.hub import check_reachable
    from esmc_core.models.loading import is_local

    try:
        if not is_local(name):
            check_reachable(name, advice="Connect to the network, or choose a model that is here.")
    except ModelError as error:
        st.session_state["model_problem"] = error
    else:
        preferences.put(model=name)


def describe(card: ModelCard, need: int, *, fits: bool, local: bool) -> None:
    """A model's title, what it needs, and what it is good for."""
    memory = f"{need / 1e9:.1f} GB" if need > 1e8 else f"{need / 1e6:.0f} MB"
    facts = [f"{in_words(card.n_parameters)} parameters", memory, card.licence]
    facts += [] if fits else ["**does not fit here**"]
    facts += [] if local else ["is fetched from the Hugging Face hub when first used"]
    st.markdown(f"**{card.title}**  \n{card.note}  \n:gray[{' · '.join(facts)}]")


def in_words(number: int) -> str:
    """A number of millions or more: 7,063,427,072 is "7.1 billion"."""
    return f"{number / 1e9:.1f} billion" if number >= 1e9 else f"{number / 1e6:.0f} million"


def other(current: str, device: str) -> None:
    """Any other model of a supported family."""
    from esmc_core.models.loading import free_memory, memory_need

    known = {card.name for card in CATALOGUE}
    with st.form("other-model", border=False):
        name = st.text_input(
            "Another model",
            value="" if current in known else current,
            placeholder="hub id or folder",
            help=f"Of these families: {', '.join(family.title for family in FAMILIES)}. "
            "Weights are read from safetensors; no code of the model is run.",
        )
        if st.form_submit_button("Use this model") and name.strip():
            need, free = memory_need(name.strip(), device=device), free_memory(device)
            if need > free:
                st.error(f"It needs {need / 1e9:.1f} GB, {free / 1e9:.1f} GB are free.")
            else:
                preferences.put(model=name.strip())
                st.success(f"New passes use {name.strip()} ({need / 1e9:.1f} GB).")
    if current != BUNDLED and current not in known:
        st.caption(f"In use: {current}")


def lens() -> None:
    """How hidden states are read."""
    st.subheader("Lens")
    chosen = st.radio(
        "The logit lens reads hidden states",
        list(LENSES),
        index=list(LENSES).index(preferences.lens()),
        format_func=LENSES.__getitem__,
    )
    preferences.put(lens=chosen)


def storage() -> None:
    """Where everything lies."""
    st.subheader("Storage")
    st.caption(
        f"Collections, passes, texts, answers and clusterings lie in {workspace().config.home}"
    )


main()
