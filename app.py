"""ESMC Studio's server: the pages, and the pictures that they show.

Start it with `streamlit run app.py`.
"""

import logging
import os
from pathlib import Path

# Threads that wait must sleep, or they take the processor from those that work. OpenMP reads this
# once, when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Caches that are declared before the server runs are in memory, which is what is wanted; Streamlit
# warns of each.
_caching = logging.getLogger("streamlit.runtime.caching.cache_data_api")
_caching.addFilter(lambda record: "No runtime found" not in record.getMessage())

import streamlit as st

from esmc_core.allocator import keep_freed_memory
from pages.ui import cluster_results, explorer, intake, routes, shell, sockets

# Imported with the server, so that the first page is painted at once.
WARM = (cluster_results, explorer, intake)

keep_freed_memory()

app = st.App(Path(shell.__file__), routes=routes.ROUTES, lifespan=sockets.sending_at_once)

if __name__ == "__main__":
    if st.runtime.exists():
        shell.main()
    else:
        app.run()
