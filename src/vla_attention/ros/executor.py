"""The executor of every node: rclpy's, without what it does for every message and need not."""

from __future__ import annotations

import time
from typing import Any

from rclpy.executors import SingleThreadedExecutor

try:
    from rclpy.event_handler import EventHandler
except ImportError:  # Humble
    from rclpy.qos_event import QoSEventHandler as EventHandler

EVENTS_EVERY = 1.0  # seconds from one look for QoS events to the next


class PatientExecutor(SingleThreadedExecutor):
    """Runs callbacks at once, but looks for QoS events once a second.

    rclpy gathers every entity of every node anew for each message, and two thirds of a node's are handlers
    of QoS events (two for each publisher and each subscription), which come when somebody joins the graph.
    Their number counts squared, in Python and with its lock held: in ``attention_stack`` a millisecond for
    each message. A mismatch of QoS that is told a second later is told soon enough.
    """

    def __init__(self, **options: Any) -> None:
        """Make an executor; options are those of rclpy."""
        super().__init__(**options)
        self._next = time.monotonic()
        self._heeding = self._heeded = False

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """See rclpy; what is waited for is gathered in here, perhaps not in every call."""
        if self._heeded:
            self._next = time.monotonic() + EVENTS_EVERY
            self._heeded = False
        self._heeding = time.monotonic() >= self._next
        super().spin_once(timeout_sec)

    def can_execute(self, entity: Any) -> bool:
        """Return whether an entity is to be waited for now."""
        if isinstance(entity, EventHandler):
            if not self._heeding:
                return False
            self._heeded = True
        return bool(super().can_execute(entity))
