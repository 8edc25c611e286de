"""Addresses beside the pages, as the browser sees them."""

from __future__ import annotations

import streamlit as st


def address(path: str) -> str:
    """An address of this server, under the base path it may be served from."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{'/' + base if base else ''}/{path}"


def thumbnail_url(digest: str) -> str:
    """Where the browser finds a picture's thumbnail."""
    return address(f"thumbnails/{digest}.webp")


MAX_TOGETHER = 50
"""Thumbnails in one answer: their digests make an address of a few KB."""


def thumbnails_url() -> str:
    """Where the browser finds the thumbnails of several pictures at a time."""
    return address("thumbnails")


def text_card_url(texts: str) -> str:
    """Where the browser finds what a collection's text is, with "{}" for its number."""
    return address(f"text-cards/{texts}/{{}}")


def card_url(collection: str) -> str:
    """Where the browser finds what a collection's picture is, with "{}" for its number."""
    return address(f"cards/{collection}/{{}}")
