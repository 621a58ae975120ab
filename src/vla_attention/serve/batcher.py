"""Questions of several robots in one batch, in a process without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from vla_attention.grounding.remote_protocol import Answer
from vla_attention.serve.worker import Job

Work = Callable[[Sequence[Job]], list['Answer | Exception']]


class Batcher:
    """Collects jobs while a batch is in work, and for a moment besides, as ``ray.serve.batch`` does."""

    def __init__(self, work: Work, *, most: int = 8, wait: float = 0.005) -> None:
        """Take the work; :meth:`run` does it.

        :param work: answers a batch in its order, in a thread of its own.
        :param most: jobs of a batch.
        :param wait: seconds that the first job of a batch waits for others.
        """
        self._work = work
        self._most = most
        self._wait = wait
        self._queue: asyncio.Queue[tuple[Job, asyncio.Future[Answer | Exception]]] = asyncio.Queue()

    async def __call__(self, job: Job) -> Answer | Exception:
        """Return the answer to one job."""
        future: asyncio.Future[Answer | Exception] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((job, future))
        return await future

    async def run(self) -> None:
        """Work until cancelled."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, 'worker') as thread:
            while True:
                batch = await self._collect()
                try:
                    results = await loop.run_in_executor(thread, self._work, [job for job, _ in batch])
                except Exception as error:      # the askers are told, and the next batch is worked on
                    results = [error] * len(batch)
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():       # its asker may have gone
                        future.set_result(result)

    async def _collect(self) -> list[tuple[Job, asyncio.Future[Answer | Exception]]]:
        batch = [await self._queue.get()]
        end = asyncio.get_running_loop().time() + self._wait
        while len(batch) < self._most:
            left = end - asyncio.get_running_loop().time()
            try:
                batch.append(await asyncio.wait_for(self._queue.get(), max(left, 0))
                             if self._queue.empty() else self._queue.get_nowait())
            except asyncio.TimeoutError:
                break
        return batch
