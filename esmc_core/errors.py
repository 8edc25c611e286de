"""Errors that are shown to the user as they are."""

from __future__ import annotations


class EsmcError(Exception):
    """Something the user can act on.

    Args:
        message: one sentence; what is wrong, with both sides of the mismatch.
        hint: one sentence; what to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(EsmcError):
    """The pictures, the words or the numbers that the user gave cannot be used."""


class ModelError(EsmcError):
    """A model cannot be found, is not supported, or does not fit the device."""


class StoreError(EsmcError):
    """Something under the home folder is damaged or belongs to another version."""


class Cancelled(EsmcError):
    """The user stopped the work."""

    def __init__(self, message: str = "Stopped by the user.", hint: str = "") -> None:
        super().__init__(message, hint)
