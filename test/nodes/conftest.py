"""Nodes as real processes over real DDS, each test module in a ROS domain of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from forked import ForkedNode

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / 'scripts'))
from node_processes import free_domain, node_command  # noqa: E402 (the scripts are no package)

# Fast DDS's own shared memory segment is smaller than an image: see config/fastdds.xml
os.environ.setdefault('FASTDDS_BUILTIN_TRANSPORTS', 'SHM?max_msg_size=4MB&sockets_size=16MB')

try:
    import rclpy
    from lifecycle_msgs.srv import ChangeState
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import DurabilityPolicy, QoSProfile
except ImportError:
    collect_ignore_glob = ['test_*.py']  # no ROS 2 here: nothing of this folder can run


class Process:
    """One node in a process of its own."""

    def __init__(self, module: str, arguments: tuple[str, ...], parameters: dict[str, object],
                 domain: int, *, forked: bool) -> None:
        self.module = module
        self._output = tempfile.NamedTemporaryFile('w+', encoding='utf-8')  # noqa: SIM115 (lives as it does)
        path = os.pathsep.join(filter(None, [str(ROOT / 'src'), str(ROOT), os.environ.get('PYTHONPATH')]))
        environment = dict(os.environ, ROS_DOMAIN_ID=str(domain), PYTHONPATH=path, PYTHONUNBUFFERED='1')
        command = node_command(module, parameters, arguments)
        if forked:
            given = command[command.index('--ros-args'):]
            self.popen = ForkedNode(module, given, environment, self._output.name)
        else:
            self.popen = subprocess.Popen(command, env=environment, stdout=self._output,
                                          stderr=subprocess.STDOUT)

    @property
    def log(self) -> str:
        """What it has printed so far."""
        self._output.seek(0)
        return self._output.read()

    def stop(self, sent: int = signal.SIGINT) -> int:
        """Stop it and return its exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(sent)
        try:
            return self.popen.wait(60)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            raise AssertionError(f'{self.module} did not end:\n{self.log}') from None


class Graph:
    """A node of the test's own, and the processes that it started."""

    def __init__(self) -> None:
        self.domain, self._lock = free_domain()
        self._context = Context()
        rclpy.init(context=self._context, domain_id=self.domain)
        self.node = rclpy.create_node('tester', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.processes: list[Process] = []

    def start(self, module: str, *arguments: str, forked: bool = True, **parameters: object) -> Process:
        """Start a node with parameters; ``forked=False`` where the start or end itself is looked at."""
        self.processes.append(Process(module, arguments, parameters, self.domain, forked=forked))
        return self.processes[-1]

    def collect(self, message_type: type, topic: str, *, latched: bool = False, depth: int = 50) -> list:
        """Subscribe; what comes is appended to the list returned."""
        got: list = []
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        self.node.create_subscription(message_type, topic, got.append,
                                      QoSProfile(depth=depth, durability=durability))
        return got

    def spin(self, seconds: float) -> None:
        """Handle what comes within so many seconds."""
        self.wait(lambda: False, seconds, needed=False)

    def wait(self, condition, seconds: float = 180.0, *, needed: bool = True):
        """Spin until the condition is true and return its value; fail with every node's log otherwise."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            self._executor.spin_once(timeout_sec=0.02)
        if needed:
            logs = '\n'.join(f'--- {each.module}\n{each.log}' for each in self.processes)
            raise AssertionError(f'nothing came within {seconds} s\n{logs}')
        return None

    def call(self, service_type: type, name: str, request=None, seconds: float = 180.0):
        """Call a service and return its response."""
        client = self.node.create_client(service_type, name)
        try:
            self.wait(client.service_is_ready, seconds)
            future = client.call_async(request or service_type.Request())
            self.wait(future.done, seconds)
            return future.result()
        finally:
            self.node.destroy_client(client)

    def transition(self, node: str, number: int, seconds: float = 180.0) -> bool:
        """Ask a lifecycle node for a transition; return whether it succeeded."""
        request = ChangeState.Request()
        request.transition.id = number
        return self.call(ChangeState, f'{node}/change_state', request, seconds).success

    def close(self) -> list[int]:
        """Stop everything; return the exit statuses."""
        for process in self.processes:
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGINT)
        statuses = [process.stop() for process in self.processes]
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)
        self._lock.close()
        return statuses


@pytest.fixture
def graph():
    """A graph for one test."""
    made = Graph()
    yield made
    made.close()


@pytest.fixture(scope='module')
def shared_graph():
    """A graph for the tests of one module."""
    made = Graph()
    yield made
    made.close()
