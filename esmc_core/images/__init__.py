"""Reading untrusted pictures and archives into collections on disk."""

from esmc_core.images.collection import (
    Collection,
    CollectionSummary,
    Duplicate,
    Picture,
    Refusal,
)
from esmc_core.images.library import Library
from esmc_core.images.picture_file import open_picture

__all__ = [
    "Collection",
    "CollectionSummary",
    "Duplicate",
    "Library",
    "Picture",
    "Refusal",
    "open_picture",
]
