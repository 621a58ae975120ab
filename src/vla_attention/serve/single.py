"""The service in one process, without Ray: for one machine, and for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vla_attention.grounding import GroundingBackend
from vla_attention.serve.batcher import Batcher
from vla_attention.serve.service import Service
from vla_attention.serve.settings import Settings
from vla_attention.serve.worker import Worker, fingerprint

ENDING = 5      # seconds that questions in work have when the service is ended


def make_app(backend: GroundingBackend, settings: Settings, *, token: str = '') -> Starlette:
    """Return the service as an ASGI application.

    :param token: that askers must send; '': none.
    :raises ValueError: no header can have such a token.
    """
    worker = Worker(backend)
    batcher = Batcher(worker.work, most=settings.batch, wait=settings.batch_wait)
    about = {'backend': backend.name, 'device': backend.device, 'weights': fingerprint(backend)}
    service = Service(batcher, lambda: {**about, **worker.counts()}, limits=settings.limits,
                      most_waiting=settings.waiting, token=token)

    async def answer(request: Request) -> Response:
        return await service(request)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(worker.warm_up)
        running = asyncio.create_task(batcher.run())
        try:
            yield
        finally:
            running.cancel()

    return Starlette(routes=[Route('/{path:path}', answer, methods=['GET', 'POST'])], lifespan=lifespan)


def run(backend: GroundingBackend, settings: Settings, host: str, port: int, *, token: str = '') -> None:
    """Serve until Ctrl-C or SIGTERM.

    :raises ValueError: no header can have such a token.
    """
    uvicorn.run(make_app(backend, settings, token=token), host=host, port=port, log_level='warning',
                timeout_keep_alive=60, timeout_graceful_shutdown=ENDING)
