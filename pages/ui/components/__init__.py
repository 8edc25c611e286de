"""Interactive parts of the pages that Streamlit has not got, drawn by small ES modules."""
