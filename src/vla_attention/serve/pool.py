"""The pool on Ray Serve: replicas on one machine or many, each with its share of a GPU.

Ray routes questions to replicas, batches them (``ray.serve.batch``), restarts what dies and scales. Between
its own processes Ray uses its own serialization, pickles included: keep the cluster's ports closed to all but
the cluster, and let robots reach the HTTP port alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from vla_attention.grounding import make_backend
from vla_attention.grounding.remote_link import TOKEN, clean_token
from vla_attention.grounding.remote_protocol import Answer
from vla_attention.serve.service import Service
from vla_attention.serve.settings import Settings
from vla_attention.serve.worker import Job, Worker, fingerprint

NAME = 'vla_attention'      # of the application

_log = logging.getLogger(__name__)


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

    :raises ValueError: a setting or the token is refused.
    """
    return _bounded(Settings.of(given)).bind(dict(given), clean_token(os.environ.get(TOKEN, '')))


def run(given: Mapping[str, Any], host: str, port: int, *, replicas: tuple[int, int], cpus: float,
        gpus: float, token: str = '') -> None:
    """Serve until Ctrl-C: on the cluster of ``RAY_ADDRESS``, else on this machine alone.

    On a cluster that others started, what else it serves goes on afterwards; where Serve runs there already
    it listens where it did, and ``host`` and ``port`` do not count.

    :param replicas: fewest and most; Ray scales between them by the questions in work.
    :param cpus: of each replica.
    :param gpus: of each replica; 0.5 puts two on one GPU.
    :param token: that askers must send; '': none.
    :raises ValueError: a setting is refused.
    :raises RuntimeError: a replica cannot start.
    """
    settings = Settings.of(given)
    fewest, most = replicas
    scale: dict[str, Any] = {'num_replicas': fewest} if fewest == most else {'autoscaling_config': {
        'min_replicas': fewest, 'max_replicas': most, 'target_ongoing_requests': settings.batch / 2}}
    grounding = _bounded(settings).options(ray_actor_options={'num_cpus': cpus, 'num_gpus': gpus}, **scale)
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')       # Ray tells its makers of its use otherwise
    theirs = bool(os.environ.get('RAY_ADDRESS'))
    if theirs:
        ray.init()
    else:   # without "local" Ray joins a cluster that happens to run on this machine
        ray.init('local', include_dashboard=False, log_to_driver=False)
    try:
        if serve.status().proxies:
            _log.warning('Ray Serve runs on this cluster already and listens where it was started to, '
                         'whatever --host and --port say')
        serve.start(http_options={'host': host, 'port': port, 'keep_alive_timeout_s': 60})
        try:
            serve.run(grounding.bind(dict(given), token), name=NAME, blocking=True)
        finally:
            if theirs:
                serve.delete(NAME)
            else:
                serve.shutdown()
    finally:
        ray.shutdown()


def _bounded(settings: Settings) -> Any:
    """Return the deployment with bounds on what waits.

    A replica refuses what is beyond ``waiting`` itself, at once. Ray lets more come to it, so that it can,
    and so that questions whose rest does not come, and ``/v1/health``, take nobody's place. Each HTTP proxy
    keeps what no replica takes, and refuses more; its queue takes every question for a moment, free replicas
    or not, so a short one would refuse robots that ask at the same time.
    """
    return DEPLOYMENT.options(max_ongoing_requests=2 * settings.waiting, max_queued_requests=settings.waiting)
