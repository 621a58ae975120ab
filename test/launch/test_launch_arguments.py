"""What the arguments of the launch files come to, without starting anything."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

pytest.importorskip('launch_ros', reason='needs the launch packages of a ROS 2 installation')

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.utilities import perform_substitutions
from launch_ros.actions import Node

ROOT = Path(__file__).parents[2]


def launch_file(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / 'launch' / f'{name}.launch.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LAUNCH, DEMO = launch_file('attention'), launch_file('demo')


def launched(**arguments):
    """Return the context of a launch with these arguments, and its processes."""
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    entities = LAUNCH.generate_launch_description().entities
    for each in entities:
        if isinstance(each, DeclareLaunchArgument):
            each.visit(context)
    return context, [each for each in entities if isinstance(each, Node)]


@pytest.fixture
def overrides(tmp_path, monkeypatch):
    """Return what wins over params_file by the names of the nodes, and params_file with a given text."""
    monkeypatch.setattr(LAUNCH, 'launch_config', SimpleNamespace(log_dir=tmp_path))

    def give(params=None, **arguments):
        if params is not None:
            (tmp_path / 'params.yaml').write_text(params)
            arguments['params_file'] = str(tmp_path / 'params.yaml')
        sections = yaml.safe_load(Path(LAUNCH.Overrides().perform(launched(**arguments)[0])).read_text())
        return {name.split('/')[-1]: content['ros__parameters'] for name, content in sections.items()}
    return give


def test_what_no_argument_says_is_as_params_file_says(overrides, tmp_path):
    kept = {'instruction_node': {'state_directory': str(tmp_path)}}
    assert overrides() == kept
    assert overrides('/**: {ros__parameters: {autostart: false, use_sim_time: true}}') == kept
    assert overrides('/**/instruction_node: {ros__parameters: {state_directory: /of/params_file}}') == {}
    assert overrides('/robot: {instruction_node: {ros__parameters: {state_directory: /here}}}') == {}
    assert overrides('[: no YAML') == overrides(params_file='/is/not/there') == kept


def test_arguments_win_over_params_file(overrides):
    given = overrides('/**: {ros__parameters: {state_directory: /of/params_file}}', autostart='false',
                      use_sim_time='true', backend='remote', state_directory='/of/argument')
    assert given.keys() == set(LAUNCH.NODES)
    assert all(each['autostart'] is False and each['use_sim_time'] is True for each in given.values())
    assert given['attention_node']['backend'] == 'remote'
    assert given['instruction_node']['state_directory'] == '/of/argument'


def begun(file, **arguments):
    """Return the context as it is before the first process of a launch file."""
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    for each in file.generate_launch_description().entities:
        if isinstance(each, (Node, IncludeLaunchDescription)):
            break
        if isinstance(each, (DeclareLaunchArgument, OpaqueFunction)):
            each.visit(context)
    return context


def test_params_file_may_lie_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'my.yaml').touch()
    assert begun(LAUNCH, params_file='~/my.yaml').launch_configurations['params_file'] == str(
        tmp_path / 'my.yaml')


@pytest.mark.parametrize('file, argument, value, reason', [
    (LAUNCH, 'params_file', '/is/not/there', 'no file'), (DEMO, 'rate', 'fast', 'number')])
def test_what_cannot_be_taken_is_refused_before_anything_starts(file, argument, value, reason):
    begun(file)
    with pytest.raises(RuntimeError, match=f'{argument}.*{value}.*{reason}'):
        begun(file, **{argument: value})


def enclaves(**arguments):
    context, nodes = launched(**arguments)
    given = []
    for command in (node.cmd for node in nodes):    # the rest of it takes an installed package to perform
        option = next(index for index, part in enumerate(command)
                      if getattr(part[0], 'text', '') == '--enclave')
        given.append(perform_substitutions(context, command[option + 1]))
    return given


@pytest.mark.parametrize('prefix', ['/vla_attention', 'vla_attention/'])
def test_each_process_has_the_enclave_of_its_name(prefix):
    names = (*LAUNCH.NODES, 'attention_stack')
    assert enclaves(enclave=prefix) == [f'/vla_attention/{name}' for name in names]
    assert set(enclaves()) == {'/'}
