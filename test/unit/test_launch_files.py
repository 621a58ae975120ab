"""What launch files tell nodes, read without ROS: launch and launch_ros are stood in for."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest

LAUNCH = Path(__file__).parents[2] / 'launch'
MODULES = ('launch', 'launch.actions', 'launch.condition', 'launch.conditions',
           'launch.launch_description_sources', 'launch.logging', 'launch.substitutions', 'launch_ros',
           'launch_ros.actions', 'launch_ros.parameter_descriptions', 'ament_index_python',
           'ament_index_python.packages')


@pytest.fixture
def nodes(monkeypatch):
    """Return a function: of the nodes that a launch file starts, what each is told."""
    fakes = {name: MagicMock() for name in MODULES}
    fakes['launch'].Substitution = object
    fakes['launch.substitutions'].LaunchConfiguration = lambda name: f'({name})'
    for name, fake in fakes.items():
        monkeypatch.setitem(sys.modules, name, fake)

    def start(file):
        node = fakes['launch_ros.actions'].Node
        node.reset_mock()
        runpy.run_path(str(LAUNCH / file))['generate_launch_description']()
        return {call.kwargs['executable']: call.kwargs for call in node.call_args_list}
    return start


def test_the_camera_of_the_demo_sends_its_images_where_the_stack_takes_them(nodes):
    camera = dict(nodes('demo.launch.py')['scene_camera']['remappings'])
    assert camera['image/compressed'] == ['(image)', '/compressed']
    stack = dict(nodes('attention.launch.py')['attention_stack']['remappings'])
    assert camera == {topic: stack[topic] for topic in ('image', 'image/compressed', 'depth', 'camera_info')}
