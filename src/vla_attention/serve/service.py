"""HTTP around the work: bytes in, bytes out, limits, and what is refused with which status.

The same service stands behind Ray Serve (:mod:`vla_attention.serve.pool`) and in a single process
(:mod:`vla_attention.serve.single`).
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from vla_attention.grounding.remote_link import clean_token, pack, printable
from vla_attention.grounding.remote_protocol import (
    GROUND_PATH,
    HEALTH_PATH,
    PROTOCOL,
    TYPE,
    Answer,
    Limits,
    ProtocolError,
    read_question,
    write_answer,
)
from vla_attention.serve.worker import ExpiredError, Job

BODY_SECONDS = 10.0     # in which a question must have come: no robot waits longer for its answer
MOST_COMING = 256 * 2**20       # bytes of questions that have not come to their end, all together


class RefusedError(Exception):
    """A request that is answered with a status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(printable(reason))
        self.status = status


class Service:
    """Answers ``POST /v1/ground`` and ``GET /v1/health``."""

    def __init__(self, work: Callable[[Job], Awaitable[Answer | Exception]],
                 health: Callable[[], dict[str, Any]], *, limits: Limits, most_waiting: int,
                 token: str = '') -> None:
        """Take what does the work.

        :param work: answers one job, in a batch with others as it likes.
        :param health: what ``/v1/health`` says besides.
        :param limits: of a question.
        :param most_waiting: questions that may be in work or wait; more get 503, and their robots help
            themselves.
        :param token: that askers must send; '': none.
        :raises ValueError: no header can have such a token.
        """
        self._work = work
        self._health = health
        self._limits = limits
        self._most_waiting = most_waiting
        self._token = clean_token(token)
        self._coming = 0
        self._waiting = 0
        self._refused = 0

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        try:
            self._check_token(request)
            path = request.scope['path']
            if path.endswith(HEALTH_PATH):
                return JSONResponse({'status': 'ok', 'protocol': PROTOCOL, 'waiting': self._waiting,
                                     'refused': self._refused, **self._health()})
            if not path.endswith(GROUND_PATH):
                raise RefusedError(404, f'there is {GROUND_PATH} and {HEALTH_PATH}')
            if request.method != 'POST':
                raise RefusedError(405, f'{GROUND_PATH} takes POST')
            return await self._ground(request)
        except RefusedError as refusal:
            self._refused += 1
            # who has stopped in the middle of a question may never come to its end
            headers = {'Connection': 'close'} if refusal.status == 408 else None
            return JSONResponse({'error': str(refusal)}, refusal.status, headers)
        except ClientDisconnect:
            return Response(status_code=499)    # nobody is there to read it

    def _check_token(self, request: Request) -> None:
        given = request.headers.get('authorization', '').removeprefix('Bearer ')
        if self._token and not hmac.compare_digest(given.encode(), self._token.encode()):
            raise RefusedError(401, 'the token is missing or wrong; set VLA_ATTENTION_TOKEN to the pool\'s')

    async def _ground(self, request: Request) -> Response:
        self._check_room()
        body = await self._body(request)
        self._check_room()      # others have come in the meantime
        self._waiting += 1
        try:
            try:
                question = await asyncio.to_thread(read_question, body, self._limits)
            except ProtocolError as error:
                raise RefusedError(400, str(error)) from error
            result = await self._work(Job(question))
            if isinstance(result, Exception):
                raise _refusal(result) from result
            data = await asyncio.to_thread(lambda: pack(write_answer(result)))
        finally:
            self._waiting -= 1
        return Response(data, media_type=TYPE, headers={'Content-Encoding': 'gzip'})

    def _check_room(self) -> None:
        if self._waiting >= self._most_waiting:
            raise RefusedError(503, f'{self._waiting} questions wait already')

    async def _body(self, request: Request) -> bytes:
        try:
            return await asyncio.wait_for(self._receive(request), BODY_SECONDS)
        except asyncio.TimeoutError:
            raise RefusedError(408, f'the question did not come within {BODY_SECONDS:g} s') from None

    async def _receive(self, request: Request) -> bytes:
        parts, size = [], 0
        try:
            async for part in request.stream():
                size += len(part)
                self._coming += len(part)
                if size > self._limits.bytes:       # as it comes: a length that is announced may be a lie
                    raise RefusedError(413, f'a question of more than {self._limits.bytes} bytes')
                if self._coming > MOST_COMING:
                    raise RefusedError(503, f'questions of {self._coming} bytes are on their way already')
                parts.append(part)
        finally:
            self._coming -= size
        return b''.join(parts)


def _refusal(error: Exception) -> RefusedError:
    if isinstance(error, ExpiredError):
        return RefusedError(504, str(error))
    if isinstance(error, ValueError):
        return RefusedError(422, str(error))
    return RefusedError(500, f'{type(error).__name__} in the worker; its log says more')
