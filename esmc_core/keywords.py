"""Keywords of a criterion: typed by the user, or asked from an OpenAI-compatible endpoint."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from esmc_core.errors import EsmcError, InputError

MAX_KEYWORDS = 20
QUESTION = (
    'Which single words commonly complete "{criterion} …"? '
    "Answer with up to {n} words, separated by commas, and nothing else."
)


class EndpointError(EsmcError):
    """The endpoint could not be reached, refused, or answered nonsense."""


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible chat endpoint; the key lives in memory only.

    Attributes:
        base_url: such as "https://api.openai.com/v1" or "http://localhost:11434/v1".
        model: the model's name there.
        api_key: "" for a local server that asks for none.
    """

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)

    @classmethod
    def from_env(cls) -> Endpoint | None:
        """From OPENAI_BASE_URL, OPENAI_MODEL and OPENAI_API_KEY; None where none is set."""
        url, model = os.environ.get("OPENAI_BASE_URL", ""), os.environ.get("OPENAI_MODEL", "")
        key = os.environ.get("OPENAI_API_KEY", "")
        return cls(url, model, key) if (url or key) and model else None


def parse_keywords(text: str) -> list[str]:
    """Split what a user or a model wrote into words, without repeats, in their order.

    Raises:
        InputError: there is no word in it, or more than MAX_KEYWORDS.
    """
    parts = (part.strip(" \t\"'“”.-*·•0123456789)(") for part in re.split(r"[,;\n]", text))
    words = list(dict.fromkeys(part for part in parts if part))
    if not words:
        raise InputError("There are no keywords.", 'Write some, such as "red, black, white".')
    if len(words) > MAX_KEYWORDS:
        raise InputError(f"{len(words)} keywords are too many.", f"Keep to {MAX_KEYWORDS}.")
    return words


def ask_keywords(criterion: str, *, endpoint: Endpoint, timeout_s: float = 30.0) -> list[str]:
    """Ask the endpoint for likely answers; only the criterion leaves the machine.

    Raises:
        EndpointError: what went wrong, without the key.
    """
    import openai

    question = QUESTION.format(criterion=criterion, n=12)
    try:
        with openai.OpenAI(
            base_url=endpoint.base_url or None,
            api_key=endpoint.api_key or "none",
            timeout=timeout_s,
            max_retries=2,
        ) as client:
            reply = client.chat.completions.create(
                model=endpoint.model, messages=[{"role": "user", "content": question}]
            )
    except openai.APIStatusError as error:
        raise EndpointError(
            f"{endpoint.base_url or 'The endpoint'} refused with status {error.status_code}.",
            "Check the model's name and the key.",
        ) from None
    except openai.APIError as error:
        raise EndpointError(
            f"{endpoint.base_url or 'The endpoint'} cannot be reached ({type(error).__name__}).",
            "Check the address, or type keywords yourself.",
        ) from None
    try:
        text = reply.choices[0].message.content or ""
        return parse_keywords(text)[:MAX_KEYWORDS]
    except (InputError, IndexError, AttributeError, TypeError):
        raise EndpointError(
            "The endpoint's answer holds no list of words.", "Type keywords yourself."
        ) from None
