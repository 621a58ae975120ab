"""The stack in one process is killed: it comes back by itself, with the instruction that it had."""

from __future__ import annotations

import os
import signal
import time
import unittest
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('launch_testing', reason='needs the launch packages of a ROS 2 installation')
pytest.importorskip('skimage', reason='the demo shows a photograph of scikit-image')
packages = pytest.importorskip('ament_index_python.packages', reason='needs a ROS 2 installation')
try:
    SHARE = Path(packages.get_package_share_directory('vla_attention'))
except packages.PackageNotFoundError:
    pytest.skip('needs vla_attention built with colcon and sourced', allow_module_level=True)

import launch_testing
import launch_testing.actions
import launch_testing.asserts
import launch_testing.markers
import rclpy
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from std_msgs.msg import String
from vision_msgs.msg import Detection2DArray

SECONDS = 300.0     # within which each thing must happen; torch alone takes a while to load on a busy machine


@pytest.mark.launch_test
@launch_testing.markers.keep_alive
def generate_test_description():
    arguments = {'namespace': 'crashing', 'composed': 'true', 'respawn': 'true', 'rviz': 'false'}
    return LaunchDescription([
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(SHARE / 'launch' / 'demo.launch.py')),
                                 launch_arguments=arguments.items()),
        launch_testing.actions.ReadyToTest(),
    ])


def stack_process() -> int | None:
    """Return the id of the process that launch, which is this process, has started for the stack."""
    for status in Path('/proc').glob('[0-9]*/status'):
        try:
            parent = next(line for line in status.read_text().splitlines() if line.startswith('PPid:'))
            if int(parent.split()[1]) == os.getpid() and 'attention_stack' in (
                    status.parent / 'cmdline').read_text():
                return int(status.parent.name)
        except OSError:
            continue    # it has ended meanwhile
    return None


class TestCrash(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        rclpy.init()
        cls.node = rclpy.create_node('tester')

    @classmethod
    def tearDownClass(cls):
        cls.node.destroy_node()
        rclpy.shutdown()

    def wait(self, what, condition):
        end = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), end, f'{what} did not come within {SECONDS} s')
            rclpy.spin_once(self.node, timeout_sec=0.1)

    def test_the_instruction_outlives_a_crash(self):
        got = []
        self.node.create_subscription(Detection2DArray, '/crashing/focus/regions', got.append, 10)
        instructions = self.node.create_publisher(String, '/crashing/instruction', 10)

        def looks_for(phrase):
            return lambda: got and phrase in {
                region.results[0].hypothesis.class_id for region in got[-1].detections}

        self.wait('what the demo begins with', looks_for('spoon'))
        instructions.publish(String(data='pick up the cup'))
        self.wait('the cup', looks_for('cup'))
        killed = stack_process()
        os.kill(killed, signal.SIGKILL)
        self.wait('the end of the stack', lambda: stack_process() != killed)
        got.clear()
        self.wait('a region after the crash', lambda: got)
        self.wait('the cup again', looks_for('cup'))
        time.sleep(2)   # the camera might say its own instruction to the stack that is new to it
        got.clear()
        self.wait('a region', lambda: got)
        self.assertTrue(looks_for('cup')())


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):

    def test_all_but_the_killed_process_end_with_0(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info, allowable_exit_codes=[0, -signal.SIGKILL])
