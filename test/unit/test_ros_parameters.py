"""The tables of parameters: described, limited, and the same in config/attention.yaml."""

import importlib
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy', reason='rclpy is not installed')
pytest.importorskip('vision_msgs.msg', reason='vision_msgs is not installed')

from vla_attention.ros import perception_node
from vla_attention.ros.parameters import Setting

FILE = Path(__file__).parents[2] / 'config' / 'attention.yaml'
NODES = ('instruction_node', 'attention_node', 'focus_node', 'moments_node', 'overlay_node', 'scene_camera')


def table(node):
    settings = importlib.import_module(f'vla_attention.ros.{node}').SETTINGS
    return {setting.name: setting for setting in (*perception_node.SETTINGS, *settings)}


@pytest.mark.parametrize('node', NODES)
def test_the_file_holds_every_parameter_with_its_default_and_a_comment(node):
    sections = yaml.safe_load(FILE.read_text(encoding='utf-8'))
    assert sections[f'/**/{node}']['ros__parameters'] == {
        name: setting.default for name, setting in table(node).items()}
    lines = FILE.read_text(encoding='utf-8').split(f'/**/{node}:')[1].split('/**/')[0].splitlines()
    for name in table(node):
        line = next(line for line in lines if line.strip().startswith(f'{name}:'))
        assert '#' in line or name == 'autostart', f'{name} of {node} has no comment'


@pytest.mark.parametrize('node', NODES)
def test_every_parameter_is_described_and_its_default_is_allowed(node):
    for setting in table(node).values():
        assert len(setting.description) > 10 and not setting.refusal(setting.default)
        descriptor = setting.descriptor()
        assert descriptor.description.startswith(setting.description)
        numeric = isinstance(setting.default, (int, float)) and not isinstance(setting.default, bool)
        assert not numeric or setting.check or (descriptor.integer_range or descriptor.floating_point_range)


@pytest.mark.parametrize('setting, value, said', [
    (Setting('rate', 1.0, 'Hz', low=0.0, high=2.0), 2.5, ('rate', '2.5', '0.0', '2.0')),
    (Setting('rate', 1.0, 'Hz', low=0.0, high=2.0), float('nan'), ('rate', 'nan')),
    (Setting('mode', 'a', 'mode', choices=('a', 'b')), 'c', ('mode', 'c', 'a, b')),
    (Setting('frame', 'a', 'frame', check=lambda value: '' if value else 'it is empty'), '',
     ('frame', 'empty'))])
def test_a_refusal_names_parameter_value_and_reason(setting, value, said):
    assert all(word in setting.refusal(value) for word in said)
