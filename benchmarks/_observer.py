"""A node of the benchmark's own: how old results are when they come, and how the nodes measured are doing."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import psutil
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription

from scripts.node_processes import Processes

MOVE = {'configure': 1, 'cleanup': 2, 'activate': 3, 'deactivate': 4}   # lifecycle_msgs/msg/Transition
PERCENTILES = (50, 95, 99)
STAMP = struct.Struct('<iI')    # std_msgs/Header begins with the stamp; 4 bytes of CDR header come before


class NothingCameError(RuntimeError):
    """What was waited for did not come in time."""


class Observer:
    """Hears topics without decoding them, which would cost the nodes measured their processor."""

    def __init__(self, domain: int, processes: Processes, patience: float = 60.0) -> None:
        """Join the graph.

        :param patience: seconds to wait for what is waited for.
        """
        self._patience = patience
        self._processes = processes
        self.domain = domain
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = rclpy.create_node('benchmark', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._status: dict[str, tuple[float, dict[str, str]]] = {}
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnose, 50)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def ages(self, message_type: type, topic: str, profile: QoSProfile) -> tuple[Subscription, list[float]]:
        """Subscribe; the age of what comes (ms from its header's stamp) is appended to the list."""
        got: list[float] = []

        def take(data: bytes) -> None:
            sec, nanosec = STAMP.unpack_from(data, 4)
            got.append((time.time() - sec - nanosec * 1e-9) * 1e3)
        return self.node.create_subscription(message_type, topic, take, profile, raw=True), got

    def latest(self, message_type: type, topic: str, profile: QoSProfile) -> Callable[[], Any]:
        """Subscribe; what is returned gives the newest message, decoded when asked for, or None."""
        kept: list[bytes] = []

        def take(data: bytes) -> None:
            kept[:] = [data]
        self.node.create_subscription(message_type, topic, take, profile, raw=True)
        return lambda: deserialize_message(kept[0], message_type) if kept else None

    def _diagnose(self, message: DiagnosticArray) -> None:
        for each in message.status:
            level = each.level[0] if isinstance(each.level, bytes) else each.level
            self._status[each.name] = (time.monotonic(), {
                'level': str(level), 'message': each.message,
                **{value.key: value.value for value in each.values}})

    def status(self, node: str) -> dict[str, str]:
        """Return the last diagnostics of a node: values by key, with level and message; {} before any."""
        return self._status.get(node, (0.0, {}))[1]

    def forget(self, nodes: tuple[str, ...]) -> None:
        """Forget the diagnostics of nodes that have ended."""
        for node in nodes:
            self._status.pop(node, None)

    def count(self, node: str, what: str) -> int:
        """Return a counter out of a node's diagnostics."""
        return int(self.status(node).get(what, 0))

    def fresh(self, nodes: tuple[str, ...]) -> None:
        """Wait until every node has sent diagnostics from now on."""
        now = time.monotonic()
        self.wait(lambda: all(self._status.get(node, (0.0,))[0] > now for node in nodes),
                  f'diagnostics of {", ".join(nodes)}')

    def spin(self, seconds: float) -> None:
        """Take what comes within so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Take what comes until the condition is true, and return its value.

        :raises NothingCameError: it did not become true in time; with the last words of every process.
        """
        end = time.monotonic() + self._patience
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            self._executor.spin_once(timeout_sec=0.05)
        said = '\n'.join(f'{node}: {values}' for node, (_, values) in self._status.items())
        raise NothingCameError(f'no {what} within {self._patience:.0f} s\n{said}\n'
                               f'{self._processes.last_words()}')

    def wait_active(self, nodes: tuple[str, ...]) -> None:
        """Wait until all nodes are active.

        :raises NothingCameError: one cannot be configured, or has ended.
        """
        def active() -> bool:
            ended = dict(self._processes.ended())
            errors = [text for node in nodes if 'cannot' in (text := self.status(node).get('message', ''))]
            if ended or errors:
                raise NothingCameError(f'{ended or errors}\n{self._processes.last_words()}')
            return all(self.status(node).get('state') == 'active' for node in nodes)
        self.wait(active, f'active {", ".join(nodes)}')

    def change(self, node: str, transition: str) -> None:
        """Take a node through one of :data:`MOVE`."""
        client = self.node.create_client(ChangeState, f'{node}/change_state')
        try:
            self.wait(client.service_is_ready, f'service of {node}')
            request = ChangeState.Request()
            request.transition.id = MOVE[transition]
            future = client.call_async(request)
            self.wait(future.done, f'answer of {node} to {transition}')
            if not future.result().success:
                raise NothingCameError(f'{node} refuses to {transition}\n{self._processes.last_words()}')
        finally:
            self.node.destroy_client(client)


class Load:
    """Processor time and memory of processes, from :meth:`begin` on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self.begin()

    def begin(self) -> None:
        """Start a window."""
        self._since = time.monotonic()
        self._used = {name: _used(process) for name, process in self._processes.items()}

    def cpu(self) -> dict[str, float]:
        """Return the share of one core that each process has used since the beginning."""
        passed = time.monotonic() - self._since
        return {name: (_used(process) - self._used[name]) / passed
                for name, process in self._processes.items()}

    def memory(self) -> dict[str, float]:
        """Return each process's resident memory in MB."""
        return {name: process.memory_info().rss / 1e6 for name, process in self._processes.items()}

    def own(self) -> dict[str, float]:
        """Return the same in MB without files and shared memory, which the kernel takes back as it likes."""
        found = {}
        for name, process in self._processes.items():
            info = process.memory_info()
            found[name] = (info.rss - info.shared) / 1e6
        return found

    def proportional(self) -> dict[str, float]:
        """Return the same in MB, with what processes share divided among them (PSS)."""
        return {name: process.memory_full_info().pss / 1e6 for name, process in self._processes.items()}


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def summary(values: list[float]) -> dict[str, float]:
    """Return percentiles of milliseconds by name."""
    if not values:
        return {}
    return {f'p{q} ms': round(float(v), 1) for q, v in
            zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)}
