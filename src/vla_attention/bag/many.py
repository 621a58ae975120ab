"""Many bags, a few at a time: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from typing import Any

from vla_attention.bag.attend import Summary, Task, attend_bag
from vla_attention.bag.reader import BagError
from vla_attention.bag.writer import remove_abandoned
from vla_attention.grounding import make_backend
from vla_attention.pipeline import Pipeline

LOG = logging.getLogger('vla_attention')
TERMINATED = 128 + signal.SIGTERM   # the exit status that shells show


@dataclass(frozen=True)
class Outcome:
    """What came of a task: a summary, or the reason why there is none."""

    task: Task
    summary: Summary | None = None
    error: str = ''


_pipelines: dict[str, Pipeline] = {}    # of this process: a worker loads its weights once


def attend_one(task: Task, progress: Callable[[int], None] = lambda _: None) -> Outcome:
    """Attend to one bag; whatever is wrong with it is told in the outcome."""
    try:
        return Outcome(task, attend_bag(task, lambda: _pipeline(task), progress))
    except BagError as error:
        return Outcome(task, error=str(error))
    except Exception as error:      # whatever one bag leads to: the others go on
        LOG.info('%s', task.source, exc_info=True)
        return Outcome(task, error=f'{task.source}: {type(error).__name__}: {error}')


def _pipeline(task: Task) -> Pipeline:
    key = repr((task.backend, sorted(task.options.items())))
    if key not in _pipelines:
        _pipelines[key] = Pipeline(make_backend(task.backend, **task.options))
    return _pipelines[key]


@contextmanager
def orderly_end() -> Iterator[None]:
    """Let SIGTERM raise SystemExit(143) inside, once, so that what is half-written is removed.

    To be used in the main thread of a process.
    """
    def end(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)   # the next one would break into the removing
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def attend_in_processes(tasks: Sequence[Task], jobs: int) -> Generator[Outcome, None, None]:
    """Attend to bags in ``jobs`` processes; yield outcomes as they come.

    Where a process dies the bags that are not finished are attended to again, each in a process of its own,
    so that only the one fails of which it died. Closing the iterator ends the processes.
    """
    left = list(tasks)
    with _processes(min(jobs, len(tasks))) as processes:
        for task, outcome in _as_they_come(processes, tasks):
            left.remove(task)
            yield outcome
    for task in left:
        yield _attend_alone(task)


@contextmanager
def _processes(number: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes, and end them where what is inside ends early: a pool would finish its work first."""
    others = active_children()
    # not forked from this process: torch's and OpenVINO's threads do not survive that. From a server that has
    # imported them and has no threads yet each starts at once, where a spawned one imports for seconds
    server = get_context('forkserver')
    server.set_forkserver_preload([__name__, 'openvino'])
    with ProcessPoolExecutor(number, mp_context=server) as processes:
        try:
            yield processes
        except BaseException:
            for process in active_children():
                if process not in others:
                    process.terminate()
            raise


def _as_they_come(processes: ProcessPoolExecutor, tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome]]:
    """Yield outcomes; where a process dies, which takes all the others with it, those there are."""
    try:
        futures = {processes.submit(_attend_in_process, task): task for task in tasks}
    except BrokenProcessPool:   # so soon
        return
    for future in as_completed(futures):
        if not isinstance(future.exception(), BrokenProcessPool):
            yield futures[future], future.result()


def _attend_in_process(task: Task) -> Outcome:
    try:
        with orderly_end():
            return attend_one(task)
    except SystemExit:      # the pool would take it for the bag's outcome, and go on with the next
        os._exit(TERMINATED)


def _attend_alone(task: Task) -> Outcome:
    try:
        with _processes(1) as process:
            return process.submit(_attend_in_process, task).result()
    except BrokenProcessPool:
        return Outcome(task, error=f'{task.source}: its process died (out of memory?)')
    finally:
        remove_abandoned(task.target)


def attend_on_ray(tasks: Sequence[Task], jobs: int,
                  resources: Mapping[str, float]) -> Generator[Outcome, None, None]:
    """Attend to bags on the cluster of ``RAY_ADDRESS``, or in a Ray of this machine.

    :param jobs: bags in work at the same time.
    :param resources: {'num_cpus', 'num_gpus'} of each.
    """
    import ray
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    work: Any = ray.remote(attend_one).options(**resources)
    waiting = list(reversed(tasks))
    running: dict[Any, Task] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            task = waiting.pop()
            running[work.remote(task)] = task
        (done,), _ = ray.wait(list(running), num_returns=1)
        task = running.pop(done)
        try:
            yield ray.get(done)
        except ray.exceptions.RayError as error:
            yield Outcome(task, error=f'{task.source}: {error}')
