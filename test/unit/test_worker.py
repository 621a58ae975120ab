"""Work is on the newest item, and on a fresher one where that is soon there."""

import os
import sys
import threading
import time

import pytest

from vla_attention.ros.worker import BACKGROUND, NewestWorker, patience


@pytest.mark.parametrize('waited, period, max_wait, seconds', [
    (0.020, 0.033, 0.5, 0.026),     # the next one is 13 ms away, and gets twice that
    (0.010, 0.033, 0.5, 0.0),       # fresh enough
    (0.030, 0.033, 1.0, 0.0),       # never
    (0.001, 0.033, 0.0, 0.064),     # always
    (0.050, 0.033, 0.5, 0.0),       # overdue: the stream may have ended
    (9.000, None, 0.5, 0.0),        # the first item
])
def test_what_waits_is_begun_or_the_next_one_awaited(waited, period, max_wait, seconds):
    assert patience(waited, period, max_wait) == pytest.approx(seconds)


class Busy:
    """A worker whose first piece of work lasts until it is let go."""

    def __init__(self, **options):
        self.done, self.errors = [], []
        self.begun, self.go, self.idle = threading.Event(), threading.Event(), threading.Event()
        self.worker = NewestWorker(self._work, failed=self.errors.append, **options)

    def _work(self, item):
        self.begun.set()
        self.go.wait(10)
        self.done.append(item)
        if item == 'last':
            self.idle.set()
        if item == 'bad':
            raise ValueError(item)


def test_what_comes_while_one_is_in_work_replaces_the_one_that_waits():
    busy = Busy()
    assert not busy.worker.put('first')
    assert busy.begun.wait(10)
    assert not busy.worker.put('second') and busy.worker.put('last')
    busy.go.set()
    assert busy.idle.wait(10) and busy.done == ['first', 'last']
    assert busy.worker.stop()


def test_work_that_raises_is_reported_and_the_next_is_done():
    busy = Busy()
    busy.go.set()
    busy.worker.put('bad')
    while not busy.errors:
        time.sleep(0.001)
    busy.worker.put('last')
    assert busy.idle.wait(10) and [str(error) for error in busy.errors] == ['bad']
    assert busy.worker.stop()


def test_an_old_item_makes_room_for_a_fresh_one_but_is_not_lost_when_none_comes(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr('vla_attention.ros.worker.time.monotonic', lambda: clock[0])
    busy = Busy(max_wait=lambda: 0.5)
    busy.worker.put('first')
    assert busy.begun.wait(10)
    clock[0] += 0.2
    busy.worker.put('old')
    clock[0] += 0.15        # the next one is 50 ms away and gets 100 ms: it does not come
    busy.go.set()
    while 'old' not in busy.done:
        time.sleep(0.001)
    busy.begun.clear()
    busy.go.clear()
    clock[0] += 0.05
    busy.worker.put('busy')
    assert busy.begun.wait(10)
    clock[0] += 0.2
    busy.worker.put('stale')
    busy.worker._period = 60.0
    clock[0] += 40.0        # more than half of the period: a fresher one is awaited
    busy.go.set()
    busy.worker.put('last')
    assert busy.idle.wait(10) and busy.done == ['first', 'old', 'busy', 'last']
    assert busy.worker.stop()


@pytest.mark.skipif(sys.platform != 'linux', reason='threads have no niceness of their own')
def test_work_in_the_background_gives_way_and_nothing_else_does():
    found, done = [], threading.Event()

    def work(item):
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        done.set()
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    worker = NewestWorker(work, failed=found.append, niceness=BACKGROUND)
    worker.put('item')
    assert done.wait(10) and found == [max(BACKGROUND, before)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    assert worker.stop()


def test_how_long_the_work_goes_on_is_told():
    busy = Busy()
    assert busy.worker.busy_for() == 0
    busy.worker.put('last')
    assert busy.begun.wait(10) and busy.worker.busy_for() >= 0
    first = busy.worker.busy_for()
    while busy.worker.busy_for() <= first:
        time.sleep(0.001)
    busy.go.set()
    assert busy.worker.stop() and busy.worker.busy_for() == 0
