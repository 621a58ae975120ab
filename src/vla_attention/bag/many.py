"""Many bags, a few at a time: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from vla_attention.bag.attend import Summary, Task, attend_bag
from vla_attention.bag.reader import BagError
from vla_attention.grounding import BackendError, make_backend
from vla_attention.pipeline import Pipeline


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
    except (BagError, BackendError, OSError) as error:
        return Outcome(task, error=str(error))


def _pipeline(task: Task) -> Pipeline:
    key = repr((task.backend, sorted(task.options.items())))
    if key not in _pipelines:
        _pipelines[key] = Pipeline(make_backend(task.backend, **task.options))
    return _pipelines[key]


def attend_in_processes(tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
    """Attend to bags in ``jobs`` processes; yield outcomes as they come."""
    # spawned, not forked: torch's and OpenVINO's threads do not survive a fork
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=get_context('spawn')) as processes:
        futures = {processes.submit(attend_one, task): task for task in tasks}
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool:
                task = futures[future]
                yield Outcome(task, error=f'{task.source}: its process died (out of memory?)')


def attend_on_ray(tasks: Sequence[Task], jobs: int, resources: Mapping[str, float]) -> Iterator[Outcome]:
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
