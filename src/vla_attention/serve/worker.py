"""The work itself: a batch of questions in, an answer each out."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from vla_attention.grounding import GroundingBackend
from vla_attention.grounding.remote_protocol import Answer, Question

_log = logging.getLogger(__name__)
_REMEMBERED = 1024      # sets of phrases whose encodings are kept: more than a worker has robots


class ExpiredError(RuntimeError):
    """A question whose asker no longer waits."""


@dataclass(frozen=True)
class Job:
    """A question, and until when its answer is of use (``time.monotonic``)."""

    question: Question
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'deadline', time.monotonic() + self.question.patience)


class Worker:
    """A backend, the encodings of phrases that it has seen, and counts of what it did.

    ``work`` is called from one thread, ``counts`` from any.
    """

    def __init__(self, backend: GroundingBackend) -> None:
        """Take the backend; it stays loaded."""
        self.backend = backend
        self._encoded: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._many = getattr(backend, 'attend_many', None)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._sizes: deque[int] = deque(maxlen=1000)
        self._seconds: deque[float] = deque(maxlen=1000)

    def warm_up(self, size: tuple[int, int] = (640, 480)) -> None:
        """Look once, so that the first question is answered as fast as the rest."""
        self.backend.attend(np.zeros((size[1], size[0], 3), np.uint8), self.backend.encode(('cup',)))

    def work(self, jobs: Sequence[Job]) -> list[Answer | Exception]:
        """Answer a batch, in its order; what cannot be answered gets its exception, and the rest answers."""
        began = time.monotonic()
        results: list[Answer | Exception] = [ExpiredError('the asker no longer waits')] * len(jobs)
        due = [index for index, job in enumerate(jobs) if job.deadline > began]
        for index, outcome in zip(due, self._attend([jobs[index].question for index in due]), strict=True):
            if isinstance(outcome, Exception):
                results[index] = outcome
            else:
                results[index] = Answer(outcome, {
                    'backend': self.backend.name, 'device': self.backend.device, 'batch': str(len(due))})
        with self._lock:
            self._counts['expired'] += len(jobs) - len(due)
            self._counts['failed'] += sum(isinstance(results[index], Exception) for index in due)
            self._counts['answered'] += sum(isinstance(result, Answer) for result in results)
            for index in due:
                self._counts.update(f'phrases in {each}' for each in jobs[index].question.languages)
            if due:
                self._sizes.append(len(due))
                self._seconds.append(time.monotonic() - began)
        return results

    def counts(self) -> dict[str, Any]:
        """Return what was done since the start, and the latest batches' size and time."""
        with self._lock:
            said: dict[str, Any] = {name: self._counts[name] for name in ('answered', 'failed', 'expired')}
            said.update({name: count for name, count in self._counts.items() if name.startswith('phrases')})
            said['encodings kept'] = len(self._encoded)
            if self._sizes:
                said['frames a batch'] = round(fmean(self._sizes), 2)
                said['largest batch'] = max(self._sizes)
                said['batch ms'] = round(1e3 * fmean(self._seconds), 1)
        return said

    def _attend(self, questions: Sequence[Question]) -> list[Any]:
        encoded: list[Any] = []
        for question in questions:
            try:
                encoded.append(self._encode(question.phrases))
            except Exception as error:
                encoded.append(_reported(error))
        good = [index for index, each in enumerate(encoded) if not isinstance(each, Exception)]
        outcomes = list(encoded)    # exceptions stay where they are
        if self._many is not None and len(good) > 1:
            try:
                found = self._many([questions[index].image for index in good],
                                   [encoded[index] for index in good])
                for index, maps in zip(good, found, strict=True):
                    outcomes[index] = maps
                return outcomes
            except Exception as error:      # one bad image must not cost the others their answers
                _reported(error)
        for index in good:
            try:
                outcomes[index] = self.backend.attend(questions[index].image, encoded[index])
            except Exception as error:
                outcomes[index] = _reported(error)
        return outcomes

    def _encode(self, phrases: tuple[str, ...]) -> Any:
        if phrases not in self._encoded:
            encoded = self.backend.encode(phrases)
            with self._lock:
                self._encoded[phrases] = encoded
                while len(self._encoded) > _REMEMBERED:
                    self._encoded.popitem(last=False)
        with self._lock:
            self._encoded.move_to_end(phrases)
        return self._encoded[phrases]


def fingerprint(backend: GroundingBackend) -> str:
    """Return the first digits of the SHA-256 of the backend's weights, '' where they are no single file."""
    weights = getattr(backend, 'weights', None)
    if weights is None or not Path(weights).is_file():
        return ''
    return hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:16]


def _reported(error: Exception) -> Exception:
    if not isinstance(error, ValueError):       # those are about the question, and go to its asker
        _log.exception('a batch failed', exc_info=error)
    return error
