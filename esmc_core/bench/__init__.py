"""The papers' tables: the method measured on labelled collections, beside simple baselines."""
