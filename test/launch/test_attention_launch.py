"""The launch file starts the stack: image and instruction in, a region out, and every node ends with 0."""

from __future__ import annotations

import tempfile
import time
import unittest
from array import array
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')
pytest.importorskip('launch_testing', reason='needs the launch packages of a ROS 2 installation')
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
import skimage.data
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from rcl_interfaces.srv import GetParameters
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import String
from vision_msgs.msg import Detection2DArray

NODES = {'instruction_node', 'attention_node', 'focus_node', 'moments_node', 'overlay_node'}
STATE = tempfile.TemporaryDirectory()
PARAMETERS = """
/**: {ros__parameters: {autostart: true}}
/**/instruction_node: {ros__parameters: {state_directory: /of/params_file}}
/**/overlay_node: {ros__parameters: {use_sim_time: true}}
"""
SECONDS = 300.0   # within which each thing must happen; torch alone takes a while to load on a busy machine


@pytest.mark.launch_test
@launch_testing.markers.keep_alive
@launch_testing.parametrize('composed', ['false', 'true'])
def generate_test_description(composed):
    params_file = Path(STATE.name, 'parameters.yaml')
    params_file.write_text(PARAMETERS)
    arguments = {'namespace': 'robot', 'image': '/wrist/image', 'composed': composed, 'log_level': 'warn',
                 'params_file': str(params_file), 'state_directory': STATE.name}
    return LaunchDescription([
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(SHARE / 'launch' / 'attention.launch.py')),
                                 launch_arguments=arguments.items()),
        launch_testing.actions.ReadyToTest(),
    ])


class TestStack(unittest.TestCase):

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

    def test_a_region_comes_of_an_image_and_an_instruction(self):
        pixels = skimage.data.coffee()
        height, width = pixels.shape[:2]
        image = Image(height=height, width=width, step=3 * width, encoding='rgb8',
                      data=array('B', pixels.tobytes()))
        image.header.frame_id = 'wrist'
        got = []
        self.node.create_subscription(Detection2DArray, '/robot/focus/regions', got.append, 10)
        images = self.node.create_publisher(Image, '/wrist/image', qos_profile_sensor_data)
        instructions = self.node.create_publisher(String, '/robot/instruction', 10)
        self.wait('instruction_node', lambda: instructions.get_subscription_count())
        self.wait('attention_node', lambda: images.get_subscription_count())
        instructions.publish(String(data='pick up the cup'))

        def show():
            image.header.stamp = self.node.get_clock().now().to_msg()
            images.publish(image)
        timer = self.node.create_timer(0.2, show)
        self.wait('a region', lambda: got and got[-1].detections)
        self.node.destroy_timer(timer)
        region = got[-1].detections[0]
        self.assertEqual(region.results[0].hypothesis.class_id, 'cup')
        self.assertEqual(got[-1].header.frame_id, 'wrist')
        self.assertTrue(0 < region.bbox.center.position.x < width)
        self.assertTrue(0 < region.bbox.center.position.y < height)

    def parameter(self, node, name):
        client = self.node.create_client(GetParameters, f'/robot/{node}/get_parameters')
        self.wait(node, client.service_is_ready)
        answer = client.call_async(GetParameters.Request(names=[name]))
        self.wait('its parameter', answer.done)
        return answer.result().values[0]

    def test_arguments_win_over_params_file(self):
        self.assertEqual(self.parameter('instruction_node', 'state_directory').string_value, STATE.name)

    def test_what_no_argument_says_is_as_params_file_says(self):
        self.assertTrue(self.parameter('overlay_node', 'use_sim_time').bool_value)
        self.assertFalse(self.parameter('instruction_node', 'use_sim_time').bool_value)

    def test_the_nodes_are_in_the_namespace(self):
        self.wait('every node', lambda: {
            name for name, space in self.node.get_node_names_and_namespaces() if space == '/robot'} >= NODES)


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):

    def test_every_process_ends_with_0(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)
