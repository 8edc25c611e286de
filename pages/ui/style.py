"""The few rules of style that the theme cannot express."""

from __future__ import annotations

import streamlit as st

_CSS = """
<style>
.block-container { padding-top: 4.5rem; padding-bottom: 4rem; max-width: 1480px; }
h1 {
  font-weight: 650; letter-spacing: -0.02em; font-size: 1.9rem !important; padding-bottom: .2rem;
}
h2 { font-weight: 620; font-size: 1.25rem !important; }
h3 { font-weight: 600; font-size: 1.05rem !important; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
/* A box with an icon has a frame around both; the page itself is nothing to press. */
[data-testid="stTextInput"]:has([data-testid="stIconMaterial"]) input:focus-visible,
[data-testid="stMain"]:focus-visible { outline: none !important; }
[data-testid="stHeader"] a:focus-visible { outline: 2px solid var(--accent) !important; }
[data-testid="InputInstructions"], .st-key-history { display: none; }
[data-testid="stCaptionContainer"] { opacity: .8; }
ul.esmc-bars { list-style: none; margin: 0; padding: 0; font-size: .875rem; }
ul.esmc-bars > li { display: grid; grid-template-columns: 5rem 1fr 2.25rem; gap: .5rem;
  align-items: center; padding: 2px 0; margin: 0; }
.esmc-bars .word { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.esmc-bars .track { height: 8px; border-radius: 4px; overflow: hidden;
  background: color-mix(in srgb, currentColor 10%, transparent); }
.esmc-bars .fill { display: block; height: 100%; border-radius: 4px; min-width: 2px;
  background: var(--bar, var(--accent));
  box-shadow: inset 0 0 0 1px color-mix(in srgb, currentColor 25%, transparent); }
.esmc-bars .share { text-align: right; font-variant-numeric: tabular-nums; opacity: .75; }
.esmc-card-head { display: flex; align-items: center; gap: .5rem; margin-bottom: .35rem; }
.esmc-card-head .swatch { width: 14px; height: 14px; border-radius: 4px; flex: none;
  box-shadow: 0 0 0 1px color-mix(in srgb, currentColor 35%, transparent); }
.esmc-card-head .count { margin-left: auto; font-size: .85rem; opacity: .75; }
.esmc-card-body { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.esmc-card-pictures { display: grid; grid-template-columns: repeat(5, 1fr); gap: 4px; }
.esmc-card-pictures img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 4px;
  background: color-mix(in srgb, currentColor 8%, transparent); }
.esmc-card-body.words { grid-template-columns: 2fr 3fr; }
.words ul.esmc-bars > li { grid-template-columns: 6.5rem 1fr 2.25rem; }
ul.esmc-card-texts { margin: 0; padding: 0; list-style: none; font-size: .85rem; line-height: 1.4; }
ul.esmc-card-texts > li { margin: 0 0 .35rem; padding-left: .6rem; font-size: inherit;
  border-left: 2px solid color-mix(in srgb, currentColor 18%, transparent); }
.st-key-progress-slot { min-height: 76px; }
.st-key-intake [data-testid="stFileUploaderDropzone"] { min-height: 12rem;
  display: flex; flex-direction: column; align-items: center; justify-content: center; gap: .5rem;
  border: 2px dashed color-mix(in srgb, currentColor 25%, transparent); }
.st-key-intake [data-testid="stFileUploaderDropzone"] > * { margin: 0; flex: none; }
.esmc-card { container-type: inline-size; }
@container (max-width: 400px) { .esmc-card-body, .esmc-card-body.words {
  grid-template-columns: 1fr; gap: .6rem; } }
</style>
"""


def apply() -> None:
    """Add the style sheet to the page."""
    is_dark = st.context.theme.type == "dark"
    accents = [st.get_option(f"theme.{theme}.primaryColor") for theme in ("light", "dark")]
    inks = ["#ffffff", "#0d1f1e"]  # on the accents, at a contrast of 6 and more
    st.html(
        # The theme may change without a run of the page; dialogs lie outside the app's element.
        f"<style>:root {{ --accent: {accents[is_dark]}; --ink: {inks[is_dark]}; }}"
        f".stApp {{ --accent: light-dark({', '.join(accents)}); "
        f"--ink: light-dark({', '.join(inks)}); }}"
        f'[data-testid^="stBaseButton-primary"]:not(:disabled), '
        f'[data-testid^="stBaseButton-primary"]:not(:disabled) * {{ color: var(--ink); }}</style>'
        f"{_CSS}"
    )
