"""Ctrl-C and SIGTERM end every process with 0 and no traceback, whenever they come and however often."""

import itertools
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from node_processes import free_domain
from sensor_msgs.msg import Image
from stack import Stack

ROOT = Path(__file__).parents[2]
NODES = ('instruction_node', 'attention_node', 'focus_node', 'moments_node', 'overlay_node', 'scene_camera')
SENT = (signal.SIGINT, signal.SIGTERM)
SIGNALS = pytest.mark.parametrize('sent', SENT, ids=['SIGINT', 'SIGTERM'])
# a node that is as slow as the largest model: to load (argument "load") or to end ("end")
SLOW = """
import sys, time
from vla_attention.ros.perception_node import PerceptionNode
from vla_attention.ros.running import run

class Slow(PerceptionNode):
    def __init__(self):
        super().__init__('slow')

    def configure(self):
        if 'load' in sys.argv:
            print('loading', flush=True)
            for _ in range(1000):   # a signal right before one long sleep would be heeded after it alone
                time.sleep(0.1)
            print('NOT INTERRUPTED', flush=True)

    def activate(self):
        print('active', flush=True)

    def deactivate(self):
        print('ending', flush=True)
        time.sleep(1 if 'end' in sys.argv else 0)
        print('ended', flush=True)

sys.exit(run(Slow))
"""


class Program:
    """Python code in a process of its own, which says on stdout how far it is."""

    def __init__(self, code, domain, *arguments, path=()):
        path = os.pathsep.join([*map(str, path), str(ROOT / 'src'), os.environ.get('PYTHONPATH', '')])
        environment = dict(os.environ, ROS_DOMAIN_ID=str(domain), PYTHONPATH=path)
        self.popen = subprocess.Popen([sys.executable, '-c', code, *arguments], env=environment, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = []

    def wait_for(self, line):
        for said in self.popen.stdout:
            self.said.append(said)
            if said.strip() == line:
                return
        raise AssertionError(f'{line!r} was not said: {self.said}')

    def end(self):
        """Return the exit status and what it has said last."""
        rest = self.popen.communicate(timeout=60)[0]
        return self.popen.returncode, rest


@SIGNALS
@pytest.mark.parametrize('name', [*NODES, 'attention_stack'])
def test_while_libraries_are_imported(graph, tmp_path, name, sent):
    for library in ('numpy', 'torch'):  # numpy: what is imported first in each node
        (tmp_path / f'{library}.py').write_text(
            'import time\nprint("importing", flush=True)\nfor _ in range(1000):\n    time.sleep(0.1)\n')
    program = Program(f'from vla_attention.ros import programs; raise SystemExit(programs.{name}())',
                      graph.domain, path=[tmp_path])
    program.wait_for('importing')
    program.popen.send_signal(sent)
    assert program.end() == (0, '')


@SIGNALS
def test_while_a_model_loads(graph, sent):
    program = Program(SLOW, graph.domain, 'load')
    program.wait_for('loading')
    program.popen.send_signal(sent)
    assert program.end() == (0, '')


@SIGNALS
def test_while_a_lifecycle_manager_has_a_model_loaded(graph, sent):
    program = Program(SLOW, graph.domain, 'load', '--ros-args', '-p', 'autostart:=false')
    client = graph.node.create_client(ChangeState, 'slow/change_state')
    graph.wait(client.service_is_ready)
    client.call_async(ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE)))
    graph.wait(lambda: select.select([program.popen.stdout], [], [], 0)[0])
    program.wait_for('loading')
    program.popen.send_signal(sent)
    assert program.end() == (0, '')


@SIGNALS
def test_again_and_again_while_it_ends(graph, sent):
    program = Program(SLOW, graph.domain, 'end')
    program.wait_for('active')
    program.popen.send_signal(sent)
    program.wait_for('ending')
    for _ in range(5):  # ros2 launch sends one too, and people are impatient
        program.popen.send_signal(sent)
        time.sleep(0.05)
    assert program.end() == (0, 'ended\n')


def test_alone_with_shared_memory():
    # whose transport in Fast DDS crashes when C ends the process with a participant that was left over
    domain, lock = free_domain()
    with lock:
        program = Program(SLOW, domain)
        program.wait_for('active')
        program.popen.send_signal(signal.SIGINT)
        assert program.end() == (0, 'ending\nended\n')


def test_at_work(graph):
    stack = Stack(graph)
    graph.collect(Image, 'overlay')
    for name in NODES:
        graph.start(name, forked=False)
    graph.wait(lambda: all(stack.state(name) == 'active' for name in NODES))
    stack.answer(stack.regions)
    for _ in range(2):
        for process, sent in zip(graph.processes, itertools.cycle(SENT), strict=False):
            process.popen.send_signal(sent)
        time.sleep(0.05)
    assert [process.stop() for process in graph.processes] == [0] * len(NODES)
    assert not any(slip in process.log for process in graph.processes for slip in ('Traceback', 'Failed'))
