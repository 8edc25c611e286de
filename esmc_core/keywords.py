"""Keywords of a criterion: typed by the user, or asked from an OpenAI-compatible endpoint."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from esmc_core.errors import EsmcError, InputError

MAX_KEYWORDS = 20
QUESTION = (
    'Which single words commonly complete "{criterion} …"? '
    "Answer with up to {n} words, separated by commas, and nothing else."
)
_BETWEEN = re.compile(r"[,;，；、\r\n]")
_LIST_MARK = re.compile(r"^\s*(?:[-–*•·]+|\d+[.)](?!\d))")
_AROUND = " \t\"'“”‘’«»`*.…!?()[]·•–-"


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
    words = _words(text)
    if not words:
        raise InputError("There are no keywords.", 'Write some, such as "red, black, white".')
    if len(words) > MAX_KEYWORDS:
        raise InputError(f"{len(words)} keywords are too many.", f"Keep to {MAX_KEYWORDS}.")
    return words


def ask_keywords(criterion: str, *, endpoint: Endpoint, timeout_s: float = 30.0) -> list[str]:
    """Ask the endpoint for likely answers; of the user's data only the criterion is sent.

    Raises:
        EndpointError: what went wrong, without the key.
    """
    import openai

    check_endpoint(endpoint)
    question = QUESTION.format(criterion=criterion, n=12)
    place = endpoint.base_url or "The endpoint"
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
        words = _words(reply.choices[0].message.content or "")
    except openai.APIStatusError as error:
        raise EndpointError(
            f"{place} refused with status {error.status_code}.",
            "Check the model's name and the key.",
        ) from None
    except openai.APIError as error:
        raise EndpointError(
            f"{place} cannot be reached ({type(error).__name__}).",
            "Check the address, or type keywords yourself.",
        ) from None
    except (ValueError, IndexError, AttributeError, TypeError):  # of what is no JSON of theirs
        words = []
    if not words:
        raise EndpointError(
            "The endpoint's answer holds no list of words.", "Type keywords yourself."
        )
    return words[:MAX_KEYWORDS]


def _words(text: str) -> list[str]:
    parts = (_LIST_MARK.sub("", part).strip(_AROUND) for part in _BETWEEN.split(text))
    return list(dict.fromkeys(" ".join(part.split()) for part in parts if part))


def check_endpoint(endpoint: Endpoint) -> None:
    """Raise EndpointError for what the HTTP library stumbles over in words of its own."""
    if endpoint.base_url:
        try:
            parts = urlsplit(endpoint.base_url)
            is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address or not endpoint.base_url.isprintable() or " " in endpoint.base_url:
            raise EndpointError(
                f"{endpoint.base_url} is no address.",
                "Write it as http://localhost:11434/v1.",
            )
    if not (endpoint.api_key.isascii() and endpoint.api_key.isprintable()):
        raise EndpointError(
            "The key has characters that no key has.", "Copy the key again, without line breaks."
        )
