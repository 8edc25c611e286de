"""ESMC Studio's core: from pictures and a criterion in words to named clusters."""

__version__ = "0.1.0"
