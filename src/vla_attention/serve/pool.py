"""The pool on Ray Serve: replicas on one machine or many, each with its share of a GPU.

Ray routes questions to replicas, batches them (``ray.serve.batch``), restarts what dies and scales. Between
its own processes Ray uses its own serialization, pickles included: keep the cluster's ports closed to all but
the cluster, and let robots reach the HTTP port alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from vla_attention.grounding import make_backend
from vla_attention.grounding.remote import TOKEN
from vla_attention.grounding.remote_protocol import Answer
from vla_attention.serve.service import Service
from vla_attention.serve.settings import Settings
from vla_attention.serve.worker import Job, Worker, fingerprint


class Grounding:
    """One replica: a backend, loaded once, and batches of what is asked."""

    def __init__(self, given: Mapping[str, Any], token: str) -> None:
        """Load the backend and look once."""
        settings = Settings.of(given)
        backend = make_backend(settings.backend, **settings.options)
        self._worker = Worker(backend)
        self._worker.warm_up()
        self._thread = ThreadPoolExecutor(1, 'worker')
        self._batched.set_max_batch_size(settings.batch)
        self._batched.set_batch_wait_timeout_s(settings.batch_wait)
        about = {'backend': backend.name, 'device': backend.device, 'weights': fingerprint(backend),
                 'replica': serve.get_replica_context().replica_tag}
        self._service = Service(self._batched, lambda: {**about, **self._worker.counts()},
                                limits=settings.limits, most_waiting=settings.waiting, token=token)

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.005)
    async def _batched(self, jobs: Sequence[Job]) -> list[Answer | Exception]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._worker.work, jobs)

    async def __call__(self, request: Request) -> Response:
        """Answer one request; see :class:`vla_attention.serve.service.Service`."""
        return await self._service(request)


DEPLOYMENT: Any = serve.deployment(name='grounding')(Grounding)


def build(given: Mapping[str, Any]) -> serve.Application:
    """Return the application; ``serve deploy`` calls it with the ``args`` of a config file.

    :raises ValueError: a setting is refused.
    """
    settings = Settings.of(given)
    return DEPLOYMENT.options(max_ongoing_requests=settings.waiting).bind(
        dict(given), os.environ.get(TOKEN, ''))


def run(given: Mapping[str, Any], host: str, port: int, *, replicas: tuple[int, int], cpus: float,
        gpus: float) -> None:
    """Serve until Ctrl-C: on the cluster of ``RAY_ADDRESS``, else on this machine alone.

    :param replicas: fewest and most; Ray scales between them by the questions in work.
    :param cpus: of each replica.
    :param gpus: of each replica; 0.5 puts two on one GPU.
    :raises ValueError: a setting is refused.
    :raises RuntimeError: a replica cannot start.
    """
    settings = Settings.of(given)
    fewest, most = replicas
    scale: dict[str, Any] = {'num_replicas': fewest} if fewest == most else {'autoscaling_config': {
        'min_replicas': fewest, 'max_replicas': most, 'target_ongoing_requests': settings.batch / 2}}
    grounding = DEPLOYMENT.options(max_ongoing_requests=settings.waiting,
                                   ray_actor_options={'num_cpus': cpus, 'num_gpus': gpus}, **scale)
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')       # Ray tells its makers of its use otherwise
    if os.environ.get('RAY_ADDRESS'):
        ray.init()
    else:
        ray.init(include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={'host': host, 'port': port, 'keep_alive_timeout_s': 60})
        serve.run(grounding.bind(dict(given), os.environ.get(TOKEN, '')), name='vla_attention', blocking=True)
    finally:
        serve.shutdown()
        ray.shutdown()
