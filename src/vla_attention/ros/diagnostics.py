"""Diagnostics of a node: once a second, and in between as soon as what they complain of has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from vla_attention.ros import qos
from vla_attention.ros.health import Health

PERIOD = 1.0    # seconds from one status to the next where nothing changes
LEAST = 0.25    # and where things change all the time


class Diagnostics:
    """Publishes the status of a node's health.

    What changes is published by the executor's thread, whichever thread has changed it, and what changes by
    time alone (an image that is missed by now) when that time has come. So one timer does for all: it is set
    for whatever is due first.
    """

    def __init__(self, node: Node, health: Health, every_second: Callable[[], None]) -> None:
        """Begin, once the node is spun.

        :param every_second: called before each status that comes by the second.
        """
        self._node = node
        self._health = health
        self._every_second = every_second
        # absolute by convention: one /diagnostics for the whole robot
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', qos.result())
        self._lock = threading.Lock()
        self._second = time.monotonic()     # when the next one by the second is due (monotonic seconds)
        self._published = float('-inf')     # when the last one went out
        self._gist: object = None           # and what of
        self._due = self._second            # what the timer is set for
        # a clock that always runs: diagnostics matter most where /clock is missing
        self._timer = node.create_timer(PERIOD, self._act, callback_group=ReentrantCallbackGroup(),
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._set(self._due)
        health.changed = self._soon

    def close(self) -> None:
        """Heed no more changes: the node is about to be destroyed."""
        self._health.changed = lambda: None

    def _soon(self) -> None:
        """Let a change go out, from any thread."""
        due = max(time.monotonic(), self._published + LEAST)
        with self._lock:
            if due >= self._due:    # it will be seen then
                return
            self._set(due)
        if self._node.executor is not None:
            self._node.executor.wake()

    def _set(self, due: float) -> None:
        self._due = due
        self._timer.timer_period_ns = max(1_000_000, round((due - time.monotonic()) * 1e9))
        self._timer.reset()

    def _act(self) -> None:
        now = time.monotonic()
        with self._lock:    # what changes from here on sets the timer anew
            self._due = float('inf')
        try:
            if now >= self._second:
                self._second = max(self._second + PERIOD, now + LEAST)
                self._every_second()
                self._publish()
            elif self._health.gist() != self._gist:
                self._publish()
        finally:
            change = max(self._health.next_change(), self._published + LEAST)
            with self._lock:
                self._set(min(self._due, self._second, change))

    def _publish(self) -> None:
        self._published = time.monotonic()
        self._gist = self._health.gist()    # before the status: what changes in between goes out once more
        array = DiagnosticArray(status=[self._health.status()])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)
