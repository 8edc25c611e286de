"""Training of the bundled model: data, procedural scenes, questions, loop and export.

Nothing outside this package needs it; it is run as `python -m esmc_core.train`.
"""
