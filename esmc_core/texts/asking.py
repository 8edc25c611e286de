"""An endpoint answers a queue of questions: several at a time, with pauses, retries and a budget.

Each question goes through the answer store (`answers`): it is claimed on disk, sent, and its
answer is on disk before it counts. What surely was not answered is released, and asked again by
the next run; what may have been paid for is not.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from esmc_core.errors import EsmcError
from esmc_core.keywords import EndpointError
from esmc_core.texts.answers import Answer, AnswerStore
from esmc_core.texts.chat import NoReply, Reply
from esmc_core.texts.questions import Question, count_tokens, is_bare
from esmc_core.texts.spend import COMPLETION_TOKENS, Prices

_MAX_WAIT_S = 60.0
_FAILURES_IN_A_ROW = 8
_TICK_S = 0.05
Ending = Literal["done", "stopped", "budget"]


class Asked(Protocol):
    """What answers a prompt: a `Chat`."""

    def ask(self, prompt: str) -> Reply: ...


@dataclass(frozen=True)
class AskSettings:
    """How to ask.

    Attributes:
        concurrency: questions on their way at a time.
        max_requests: times that a question is sent at most, where no answer comes.
        max_nonsense: of these, times that an answer may say nothing.
        first_wait_s: before a second request; doubled with each further one.
        max_questions: of the queue that may be asked in all; None for no limit.
        max_money: that the queue may cost in all, in the prices' currency; None for no limit.
    """

    concurrency: int = 4
    max_requests: int = 6
    max_nonsense: int = 2
    first_wait_s: float = 1.0
    max_questions: int | None = None
    max_money: float | None = None
    prices: Prices = field(default_factory=Prices)


class Controls:
    """Pause, go on, stop: for the page; read by the threads that ask.

    Attributes:
        trouble: why the endpoint does not answer, in words; "" while it does.
    """

    def __init__(self) -> None:
        self.trouble = ""
        self._going = threading.Event()
        self._going.set()
        self._stopped = threading.Event()

    @property
    def is_paused(self) -> bool:
        return not self._going.is_set() and not self.is_stopped

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def pause(self) -> None:
        """Send no further question; those on their way are finished."""
        self._going.clear()

    def resume(self) -> None:
        self._going.set()

    def stop(self) -> None:
        """As `pause`, for good."""
        self._stopped.set()

    def wait(self, until_s: float = 0.0) -> bool:
        """Sleep until then (monotonic) and while paused; False once stopped."""
        while not self.is_stopped:
            left = until_s - time.monotonic()
            if left <= 0 and self._going.is_set():
                return True
            time.sleep(_TICK_S if left <= 0 else min(left, _TICK_S))
        return False


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        ending: "done", "stopped", or "budget" where that did not allow the rest.
        asked: questions that this run asked.
        unanswered: of these, those that the endpoint surely did not answer; the next run asks
            them again.
    """

    ending: Ending
    asked: int
    unanswered: int


def ask_all(
    questions: Sequence[Question],
    judge: Asked,
    name: str,
    store: AnswerStore,
    *,
    settings: AskSettings | None = None,
    controls: Controls | None = None,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Ask what has not been asked yet, in the given order.

    Args:
        name: of the judge, as it stands on disk; no key.
        progress: called with questions that have an answer (or were dropped) and all.

    Raises:
        EndpointError: the settings are wrong, or the endpoint answers nothing at all. What was
            answered is kept.
        StoreError: an answer could not be written.
    """
    asking = _Asking(questions, judge, name, store, settings or AskSettings())
    return asking.run(controls or Controls(), progress, should_stop)


class _Asking:
    def __init__(
        self,
        questions: Sequence[Question],
        judge: Asked,
        name: str,
        store: AnswerStore,
        settings: AskSettings,
    ) -> None:
        self.questions, self.judge, self.name = questions, judge, name
        self.store, self.settings = store, settings
        self.run_id = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._in_flight: dict[str, float] = {}
        self._failures_in_a_row = 0
        self._error: EsmcError | Exception | None = None
        self._asked = self._unanswered = 0
        self._over_budget = False
        known = store.find(questions, name)
        self._todo = [q for q, answer in zip(questions, known, strict=True) if answer is None]
        self._finished = self._started = len(questions) - len(self._todo)
        spent = [answer for answer in known if answer is not None]
        self._money = settings.prices.money(
            sum(answer.prompt_tokens for answer in spent),
            sum(answer.completion_tokens for answer in spent),
        )

    def run(
        self,
        controls: Controls,
        progress: Callable[[int, int], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> Outcome:
        self._controls = controls
        queue = iter(self._todo)
        threads = [
            threading.Thread(target=self._work, args=(queue,), daemon=True)
            for _ in range(min(self.settings.concurrency, len(self._todo)))
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(_TICK_S)
            if should_stop is not None and should_stop():
                controls.stop()
            if progress is not None:
                progress(self._finished, len(self.questions))
        if self._error is not None:
            raise self._error
        if progress is not None:
            progress(self._finished, len(self.questions))
        ending: Ending = "done"
        if self._over_budget:
            ending = "budget"
        elif controls.is_stopped:
            ending = "stopped"
        return Outcome(ending, self._asked, self._unanswered)

    def _work(self, queue: Iterator[Question]) -> None:
        while self._error is None and self._controls.wait():
            with self._lock:
                question = next(queue, None)
                if question is None or not self._is_affordable(question):
                    return
            try:
                self._ask(question)
            except Exception as error:  # raised again by `run`, in the thread that asked
                with self._lock:
                    self._error = self._error or error
            finally:
                with self._lock:
                    self._in_flight.pop(question.key, None)

    def _is_affordable(self, question: Question) -> bool:
        """Whether the budget allows one more, with what is on its way; it is then reserved."""
        settings = self.settings
        cost = settings.prices.money(count_tokens(question.prompt()), COMPLETION_TOKENS)
        money = self._money + sum(self._in_flight.values()) + cost
        too_many = settings.max_questions is not None and self._started >= settings.max_questions
        too_dear = settings.max_money is not None and money > settings.max_money
        if too_many or too_dear:
            self._over_budget = True
            return False
        self._in_flight[question.key] = cost
        self._started += 1
        return True

    def _ask(self, question: Question) -> None:
        if not self.store.claim(question, self.name, run=self.run_id):
            with self._lock:
                self._finished += 1  # somebody else asked it in the meantime
            return
        conversation = _Conversation(self, question)
        try:
            answer = conversation.hold()
        except EndpointError:
            answer = conversation.given_up("no answer")
            self._finish(question, answer)
            raise
        self._finish(question, answer)

    def _finish(self, question: Question, answer: Answer | None) -> None:
        if answer is None:
            self.store.release(question, self.name)
        else:
            self.store.save(question, self.name, answer)
        with self._lock:
            self._asked += 1
            if answer is None:
                self._unanswered += 1
                return
            self._finished += 1
            self._money += self.settings.prices.money(
                answer.prompt_tokens, answer.completion_tokens
            )

    def answered(self) -> None:
        with self._lock:
            self._failures_in_a_row = 0
            self._controls.trouble = ""

    def troubled(self, reason: str) -> None:
        """Tell why a request was not answered."""
        with self._lock:
            self._controls.trouble = reason

    def failed(self, reason: str) -> None:
        """Count a question without a reply; raise EndpointError where there were none between."""
        with self._lock:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= _FAILURES_IN_A_ROW:
                raise EndpointError(
                    f"The endpoint left {_FAILURES_IN_A_ROW} questions in a row unanswered: "
                    f"{reason}.",
                    "Check that it runs; what was answered is kept.",
                )

    def hold_back(self, seconds: float) -> None:
        """Leave the endpoint alone for so long, in all threads: it asked for it."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def wait(self, seconds: float) -> bool:
        """Wait for the next request; False where there shall be none."""
        until = max(time.monotonic() + seconds, self._not_before)
        return self._controls.wait(until) and self._error is None


class _Conversation:
    """The requests about one question."""

    def __init__(self, asking: _Asking, question: Question) -> None:
        self.asking, self.question = asking, question
        self.prompt = question.prompt()
        self.requests = self.nonsense = 0
        self.prompt_tokens = self.completion_tokens = 0

    def hold(self) -> Answer | None:
        """The answer, or why there is none; None where the question may be asked again."""
        settings = self.asking.settings
        wait_s, reason = 0.0, ""
        while self.requests < settings.max_requests:
            if not self.asking.wait(wait_s):
                return self.given_up("no answer")
            self.requests += 1
            wait_s = settings.first_wait_s * 2 ** (self.requests - 1)
            wait_s = min(wait_s, _MAX_WAIT_S) * random.uniform(0.75, 1.25)
            try:
                reply = self.asking.judge.ask(self.prompt)
            except NoReply as error:
                self._note(error)
                reason = error.reason
                self.asking.troubled(reason)
                if not error.retry:
                    break
                if error.retry_after_s is not None:
                    self.asking.hold_back(error.retry_after_s)
                    wait_s = 0.0
                continue
            self.asking.answered()
            self._pay(reply)
            choice = self.question.parse(reply.text)
            if choice is not None:
                return self._chosen(choice, reply.text)
            self.nonsense += 1
            if self.nonsense >= settings.max_nonsense:
                return self._answer("dropped", reason="nonsense")
        self.asking.failed(reason)
        return self.given_up("no answer")

    def given_up(self, reason: str) -> Answer | None:
        """Dropped if anything may have been paid for, else None: as if it was never asked."""
        return self._answer("dropped", reason=reason) if self.prompt_tokens else None

    def _chosen(self, choice: int, text: str) -> Answer:
        if self.question.kind == "triplet" and choice == 0:
            return self._answer("dropped", reason="neither")
        is_sure = is_bare(self.question, text) and not self.nonsense
        return self._answer("answered", choice=choice, is_sure=is_sure)

    def _note(self, error: NoReply) -> None:
        if error.may_be_paid:
            self.prompt_tokens += count_tokens(self.prompt)
            self.completion_tokens += COMPLETION_TOKENS

    def _pay(self, reply: Reply) -> None:
        prompt, completion = reply.prompt_tokens, reply.completion_tokens
        self.prompt_tokens += count_tokens(self.prompt) if prompt is None else prompt
        self.completion_tokens += count_tokens(reply.text) if completion is None else completion

    def _answer(
        self,
        state: Literal["answered", "dropped"],
        *,
        choice: int | None = None,
        is_sure: bool = True,
        reason: str = "",
    ) -> Answer:
        tokens = (self.prompt_tokens, self.completion_tokens)
        return Answer(state, choice, is_sure, reason, self.requests, *tokens)
