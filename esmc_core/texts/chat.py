"""One question to an OpenAI-compatible endpoint: the answer, or what to do about its lack."""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from esmc_core.keywords import Endpoint, EndpointError, check_endpoint

if TYPE_CHECKING:
    import openai

TIMEOUT_S = 60.0
_MAX_RETRY_AFTER_S = 300.0
_WRONG_SETTINGS = {401: "the key", 403: "the key", 404: "the address and the model's name"}


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        text: "" where the endpoint answered without words.
        prompt_tokens, completion_tokens: as the endpoint counts them; None where it does not.
    """

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class NoReply(Exception):
    """The endpoint did not answer this request.

    Attributes:
        reason: in words, without the key.
        retry: whether the same request may work later.
        retry_after_s: how long the endpoint asks to be left alone; None where it does not say.
        may_be_paid: whether the endpoint may have answered, and charged, all the same.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry: bool = True,
        retry_after_s: float | None = None,
        may_be_paid: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry
        self.retry_after_s = retry_after_s
        self.may_be_paid = may_be_paid


class Chat:
    """A connection to an endpoint, shared by any number of threads; close it after use.

    Raises:
        EndpointError: the address or the key cannot be one.
    """

    def __init__(self, endpoint: Endpoint, *, timeout_s: float = TIMEOUT_S) -> None:
        import openai

        check_endpoint(endpoint)
        self._endpoint = endpoint
        self._client = openai.OpenAI(
            base_url=endpoint.base_url or None,
            api_key=endpoint.api_key or "none",
            timeout=timeout_s,
            max_retries=0,  # whoever asks retries: it has to count, to wait and to stop
        )

    def close(self) -> None:
        self._client.close()

    def ask(self, prompt: str) -> Reply:
        """Send one prompt.

        Raises:
            NoReply: of this request.
            EndpointError: the settings are wrong: no request will be answered.
        """
        import openai

        try:
            reply = self._client.chat.completions.create(
                model=self._endpoint.model, messages=[{"role": "user", "content": prompt}]
            )
            return _reply_of(reply)
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except openai.APITimeoutError:
            raise NoReply("it took too long", may_be_paid=True) from None
        except openai.APIConnectionError as error:
            never_sent = "ConnectError" in type(error.__cause__).__name__
            raise NoReply("the connection broke", may_be_paid=not never_sent) from None
        except openai.APIError as error:
            raise NoReply(f"it failed ({type(error).__name__})", may_be_paid=True) from None
        except (ValueError, IndexError, AttributeError, TypeError):  # no JSON of that protocol
            raise NoReply("its reply is no answer of a chat") from None

    def _refusal(self, error: openai.APIStatusError) -> NoReply | EndpointError:
        status = error.status_code
        place = self._endpoint.base_url or "The endpoint"
        if status in _WRONG_SETTINGS:
            return EndpointError(
                f"{place} refused with status {status}.", f"Check {_WRONG_SETTINGS[status]}."
            )
        if status == 429 and getattr(error, "code", None) == "insufficient_quota":
            return EndpointError(f"{place} says that the account is empty.", "Top it up.")
        return NoReply(
            f"it refused with status {status}",
            retry=status in (408, 409, 425, 429) or status >= 500,
            retry_after_s=_retry_after_s(error.response.headers),
        )


def judge_name(endpoint: Endpoint) -> str:
    """Who answers, as it stands on disk: the address without passwords, and the model."""
    parts = urlsplit(endpoint.base_url or "https://api.openai.com/v1")
    place = f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
    return f"{endpoint.model} at {place}{parts.path.rstrip('/')}"


def _reply_of(reply: Any) -> Reply:
    text = reply.choices[0].message.content or ""
    usage = getattr(reply, "usage", None)
    counts = [getattr(usage, f"{part}_tokens", None) for part in ("prompt", "completion")]
    prompt_tokens, completion_tokens = (n if isinstance(n, int) else None for n in counts)
    return Reply(str(text), prompt_tokens, completion_tokens)


def _retry_after_s(headers: Any) -> float | None:
    """Seconds of a Retry-After header, which holds a number or a date."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_S) if seconds == seconds else None
