"""ESMC Studio's server: the pages, and the pictures that they show.

Start it with `streamlit run app.py`.
"""

from pathlib import Path

import streamlit as st

from pages.ui import routes, shell

app = st.App(Path(shell.__file__), routes=routes.ROUTES)

if __name__ == "__main__":
    if st.runtime.exists():
        shell.main()
    else:
        app.run()
