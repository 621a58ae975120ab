"""A pool of workers as a grounding backend, and the embedded one while the pool is away."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from vla_attention.grounding.attention_maps import PATCH, AttentionMaps, no_maps
from vla_attention.grounding.backend import BackendError, GroundingBackend, make_backend
from vla_attention.grounding.remote_breaker import CircuitBreaker
from vla_attention.grounding.remote_link import TOKEN, Link, QuestionError, RemoteError, printable
from vla_attention.grounding.remote_protocol import (
    GROUND_PATH,
    TYPE,
    Answer,
    read_answer,
    write_question,
)
from vla_attention.vision.image import check_image, model_size

RECENT = 20     # frames that the pool was asked for last; trouble is told when it missed more than half


@dataclass(frozen=True)
class RemotePhrases:
    """Phrases as they go to the pool, and as the fall-back has encoded them."""

    texts: tuple[str, ...]
    local: Any


@dataclass(frozen=True)
class NoFallback:
    """Takes the place of a fall-back where only the pool's answer will do: what it cannot answer fails."""

    name = 'none'
    device = 'none'

    def encode(self, phrases: Sequence[str]) -> None:
        """Keep nothing."""

    def attend(self, image: np.ndarray, encoded: None) -> AttentionMaps:
        """Refuse.

        :raises BackendError: always.
        """
        raise BackendError('the pool gave no answer')


class RemoteBackend:
    """Sends images to ``vla-attention serve``; see :class:`vla_attention.grounding.GroundingBackend`.

    A frame that gets no answer in time is answered by the fall-back, and is not sent again: the next frame is
    fresher. After three such frames in a row all are answered by the fall-back at once, while probes with the
    freshest frame go out in the background; the first that is answered turns the stream back to the pool.
    A question that the pool refuses is answered by the fall-back too, but says nothing about the next one.
    Phrases go along with each frame and are encoded for the fall-back when they come, so an instruction holds
    wherever the next frame is answered.
    """

    name = 'remote'
    engine = 'http'

    def __init__(self, url: str = '', *, timeout: float = 0.25, jpeg_quality: int = 90,
                 fallback: GroundingBackend | None = None, breaker: CircuitBreaker | None = None,
                 **options: Any) -> None:
        """Load the fall-back; the pool need not be there yet.

        :param url: of ``vla-attention serve``, like http://host:8000.
        :param timeout: seconds that a frame waits for its answer.
        :param jpeg_quality: 1 to 100 of the JPEG that is sent; 0 sends the pixels as they are.
        :param fallback: what answers while the pool is away; the embedded backend, made with ``options``,
            where None.
        :raises BackendError: the URL, a value or the fall-back is no good; the message says why.
        """
        if not url:
            raise BackendError('the remote backend needs the URL of vla-attention serve, '
                               'like http://host:8000 (parameter remote_url, option --remote-url)')
        if not timeout > 0:
            raise BackendError(f'timeout must be above 0 seconds, not {timeout}')
        if not 0 <= jpeg_quality <= 100:
            raise BackendError(f'jpeg_quality must lie in 0 to 100, not {jpeg_quality}')
        token = os.environ.get(TOKEN, '')
        try:
            self._link, self._probe_link = Link(url, token=token), Link(url, token=token)
        except ValueError as error:
            raise BackendError(str(error)) from error
        self.device = self._link.url
        self.timeout = timeout
        self.jpeg_quality = jpeg_quality
        self.fallback = fallback if fallback is not None else make_backend('embedded', **options)
        self.weights = getattr(self.fallback, 'weights', '')
        self._breaker = breaker if breaker is not None else CircuitBreaker()
        self._lock = threading.Lock()
        self._freshest: tuple[np.ndarray, RemotePhrases]    # set before the first probe
        self._prober: threading.Thread | None = None
        self._closing = threading.Event()
        self._last = 'nobody yet'
        self.answered_by = self.fallback.name   # the backend that gave the last answer
        self._counts = {'remote': 0, 'fallback': 0}
        self._trips: deque[float] = deque(maxlen=100)
        self._missed: deque[str] = deque(maxlen=RECENT)     # why, '' for an answer
        self._refusal = ''

    def encode(self, phrases: Sequence[str]) -> RemotePhrases:
        """Keep P phrases for the pool, and encode them for the fall-back."""
        return RemotePhrases(tuple(phrases), self.fallback.encode(phrases))

    def attend(self, image: np.ndarray, encoded: RemotePhrases) -> AttentionMaps:
        """Return the attention of the phrases over one image, from the pool or from the fall-back.

        It takes the time-out and the fall-back's time at most.

        :param image: (H, W, 3) uint8 RGB.
        :raises BackendError: the fall-back cannot answer either; see :class:`NoFallback`.
        :raises ValueError: another shape or dtype.
        """
        check_image(image)
        if not encoded.texts:       # a pool takes one phrase at least, and there is nothing to ask
            width, height = model_size(image.shape[1], image.shape[0])
            return no_maps((image.shape[1], image.shape[0]), (height // PATCH, width // PATCH))
        if self._breaker.closed:
            began = perf_counter()
            try:
                answer = self._ask(self._link, image, encoded)
            except RemoteError as error:
                self._note_asked(error)
            else:
                self._note_asked(None)
                self._note('remote', answer.about, perf_counter() - began)
                return answer.maps
        with self._lock:
            self._freshest = (image, encoded)
        if not self._breaker.closed:
            self._keep_probing()
        try:
            maps = self.fallback.attend(image, encoded.local)
        except BackendError as error:
            raise BackendError(f'{error}: {self._missed[-1]}') from error
        self._note('fallback')
        return maps

    def facts(self) -> dict[str, str]:
        """Return who answers, for diagnostics."""
        with self._lock:
            facts = {'answered by': self._last, 'answered by the pool': str(self._counts['remote']),
                     'answered by the fall-back': str(self._counts['fallback'])}
            if self._trips:
                facts['pool round trip p50 (ms)'] = f'{median(self._trips) * 1e3:.1f}'
        return facts

    def trouble(self) -> str:
        """Return what is wrong with the pool, '' while it answers."""
        with self._lock:
            refusal, asked = self._refusal, len(self._missed)
            missed = [reason for reason in self._missed if reason]
        away = self._breaker.reason
        if away:
            return f'the pool is away ({away}); {self.fallback.name} answers'
        if refusal:
            return f'the pool does not take this question ({refusal}); {self.fallback.name} answers'
        if 2 * len(missed) > RECENT:
            return (f'the pool did not answer {len(missed)} of the last {asked} frames ({missed[-1]}); '
                    f'{self.fallback.name} did')
        return ''

    def close(self) -> None:
        """Stop probing and let go of the connections."""
        self._closing.set()
        if self._prober is not None:
            self._prober.join(self.timeout + 1)
        self._link.close()
        self._probe_link.close()

    def _ask(self, link: Link, image: np.ndarray, encoded: RemotePhrases) -> Answer:
        """Return the pool's answer, and tell the breaker how it went.

        :raises RemoteError: there is none that makes sense, for whatever reason.
        """
        try:
            answer = self._exchange(link, image, encoded)
        except QuestionError:       # the next one may be taken
            self._breaker.succeeded()
            raise
        except RemoteError as error:
            self._breaker.failed(str(error))
            raise
        self._breaker.succeeded()
        return answer

    def _exchange(self, link: Link, image: np.ndarray, encoded: RemotePhrases) -> Answer:
        began = perf_counter()
        try:
            body = write_question(encoded.texts, image, self.timeout, jpeg_quality=self.jpeg_quality)
            data = link.post(GROUND_PATH, body, TYPE, self.timeout - (perf_counter() - began))
            return read_answer(data, encoded.texts, (image.shape[1], image.shape[0]))
        except RemoteError:
            raise
        except UnicodeEncodeError as error:
            raise QuestionError(f'it cannot be sent: {error}') from error
        except Exception as error:      # nothing that a pool sends may stop the robot
            raise RemoteError(f'{link.url}: {str(error) or type(error).__name__}') from error

    def _note_asked(self, error: RemoteError | None) -> None:
        with self._lock:
            self._missed.append(str(error) if error else '')
            self._refusal = str(error) if isinstance(error, QuestionError) else ''

    def _note(self, who: str, about: dict[str, str] | None = None, seconds: float | None = None) -> None:
        with self._lock:
            self._counts[who] += 1
            if about is not None and seconds is not None:
                self._trips.append(seconds)
                backend, device = (printable(about.get(name, '?')) for name in ('backend', 'device'))
                self._last = f'{backend} on {device} at {self.device}'
                self.answered_by = backend
            else:
                self._last = f'{self.fallback.name} on {self.fallback.device} (fall-back)'
                self.answered_by = self.fallback.name

    def _keep_probing(self) -> None:
        if self._prober is None or not self._prober.is_alive():
            prober = threading.Thread(target=self._probe, name='remote-probe', daemon=True)
            with contextlib.suppress(RuntimeError):     # no thread to be had: the next frame tries again
                prober.start()
                self._prober = prober

    def _probe(self) -> None:
        while not self._closing.wait(self._breaker.wait):
            with self._lock:
                frame = self._freshest
            with contextlib.suppress(RemoteError):      # the breaker knows
                self._ask(self._probe_link, *frame)
            if self._breaker.closed:
                return
