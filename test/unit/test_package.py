"""What is told about the package in several places agrees, and what it names exists."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import yaml

from vla_attention.grounding.backend import BACKENDS

ROOT = Path(__file__).parents[2]
SETUP = ast.parse((ROOT / 'setup.py').read_text(encoding='utf-8'))
MANIFEST = ElementTree.parse(ROOT / 'package.xml').getroot()
LAUNCH_FILES = sorted((ROOT / 'launch').glob('*.launch.py'))
# import name to rosdep key, where they differ
KEYS = {'numpy': 'python3-numpy', 'cv2': 'python3-opencv', 'torch': 'python3-torch', 'yaml': 'python3-yaml',
        'PIL': 'python3-pil', 'skimage': 'python3-skimage', 'tqdm': 'python3-tqdm',
        'tf2_ros': 'tf2_ros_py'}      # tf2_ros is the C++ library alone
# what rosdep has no key for, or what only an extra of setup.py needs
NOT_OF_ROSDEP = {'safetensors', 'transformers', 'huggingface_hub', 'openvino', 'ray', 'starlette',
                 'uvicorn', 'rosbags', 'mcap'}


def setup_argument(name: str):
    """Return the literal that setup() is given under a name."""
    for node in ast.walk(SETUP):
        if isinstance(node, ast.keyword) and node.arg == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f'setup.py gives no {name}')


def entry_points() -> dict[str, str]:
    lines = setup_argument('entry_points')['console_scripts']
    return dict(re.split(r'\s*=\s*', line) for line in lines)


def third_party_imports(folder: str = 'src') -> set[str]:
    names = set()
    for path in (ROOT / folder).rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition('.')[0])
    return names - set(sys.stdlib_module_names) - {'vla_attention'}


def test_versions_agree():
    assert MANIFEST.findtext('version') == setup_argument('version')


def test_licences_agree():
    assert MANIFEST.findtext('license') == setup_argument('license') == 'Apache-2.0'
    assert 'Apache License' in (ROOT / 'LICENSE').read_text()


def test_manifest_names_what_the_code_imports():
    named = {each.text for each in MANIFEST if each.tag in ('depend', 'exec_depend')}
    imported = third_party_imports() - NOT_OF_ROSDEP
    assert {KEYS.get(name, name) for name in imported} <= named


def test_manifest_names_the_ros_packages_that_tests_import_and_no_other():
    running = {each.text for each in MANIFEST.iter('exec_depend')}
    testing = {each.text for each in MANIFEST.iter('test_depend') if not each.text.startswith('python3-')}
    imported = {name for name in third_party_imports('test')
                if re.search('^launch|_(msgs|srvs|interfaces)$', name)}
    assert testing == imported - running


@pytest.mark.parametrize('distribution, has_torch', [('humble', False), ('jazzy', False), ('kilted', False),
                                                     ('lyrical', True)])
def test_rosdep_is_not_asked_for_a_torch_that_ubuntu_does_not_have(distribution, has_torch):
    package = pytest.importorskip('catkin_pkg.package').parse_package(str(ROOT))
    package.evaluate_conditions({'ROS_DISTRO': distribution})
    named = {each.name for each in package.exec_depends if each.evaluated_condition}
    assert ('python3-torch' in named) is has_torch and 'python3-numpy' in named


def test_manifest_names_nothing_twice():
    for tag in ('exec_depend', 'test_depend'):
        names = [each.text for each in MANIFEST.iter(tag)]
        assert len(names) == len(set(names))


@pytest.mark.parametrize('file', ['docs/backends.md', 'src/vla_attention/grounding/hub.py',
                                  'src/vla_attention/cli/bag.py'])
def test_what_pip_is_told_to_install_are_the_packages_of_an_extra(file):
    lines = re.findall(r'pip install (".*)', (ROOT / file).read_text(encoding='utf-8'))
    assert lines
    extras = {name for names in setup_argument('extras_require').values() for name in names}
    assert {name for line in lines for name in re.findall(r'"([^"]+)"', line)} <= extras


def test_requirements_are_pinned_once():
    lines = [line.partition('#')[0].strip() for path in (ROOT / 'scripts').glob('requirements*.txt')
             for line in path.read_text().splitlines()]
    names = [re.split(r'[=<>~! ;\[]', line)[0].lower() for line in lines if line]
    assert len(names) == len(set(names))
    assert all(re.search(r'[=<>~]', line) for line in lines if line)


@pytest.mark.parametrize('name', sorted(entry_points()))
def test_entry_point_exists(name):
    module, function = entry_points()[name].split(':')
    place = ROOT / 'src' / Path(*module.split('.'))
    path = place / '__init__.py' if place.is_dir() else place.with_suffix('.py')
    defined = {node.name for node in ast.parse(path.read_text(encoding='utf-8')).body
               if isinstance(node, ast.FunctionDef)}
    assert function in defined


def test_each_node_is_an_entry_point():
    nodes = {path.stem for path in (ROOT / 'src' / 'vla_attention' / 'ros').glob('*_node.py')
             if 'def main(' in path.read_text(encoding='utf-8')}
    assert nodes <= set(entry_points())


@pytest.mark.parametrize('name', ['resource/vla_attention', 'config/attention.yaml', 'config/attention.rviz',
                                  'config/fastdds.xml', 'README.md', 'README.ko.md', 'CHANGELOG.rst',
                                  'CONTRIBUTING.md'])
def test_file_exists(name):
    assert (ROOT / name).is_file()


def test_weights_are_small():
    weights = list((ROOT / 'src' / 'vla_attention' / 'weights').glob('*.safetensors'))
    assert weights
    assert sum(path.stat().st_size for path in weights) <= 20e6


def test_parameters_file_names_nodes_of_the_package():
    sections = yaml.safe_load((ROOT / 'config' / 'attention.yaml').read_text(encoding='utf-8'))
    for section, content in sections.items():
        assert section.removeprefix('/**/') in entry_points()
        assert list(content) == ['ros__parameters']


def test_fast_dds_holds_images():
    root = ElementTree.parse(ROOT / 'config' / 'fastdds.xml').getroot()
    space = '{http://www.eprosima.com}'
    segment = int(root.find(f'.//{space}segment_size').text)
    # sixteen of 640x480 in three colours
    assert segment >= 16 * np.zeros((480, 640, 3), np.uint8).nbytes
    kinds = {each.text for each in root.iter(f'{space}type')}
    assert kinds == {'SHM', 'UDPv4'}


def test_rviz_shows_what_the_launch_file_remaps():
    layout = yaml.safe_load((ROOT / 'config' / 'attention.rviz').read_text())
    displays = layout['Visualization Manager']['Displays']
    shown = {each['Topic']['Value'] for each in displays if 'Topic' in each}
    tree = ast.parse((ROOT / 'launch' / 'attention.launch.py').read_text(encoding='utf-8'))
    remapped = next(ast.literal_eval(node.value) for node in tree.body
                    if isinstance(node, ast.Assign) and node.targets[0].id == 'SHOWN')
    assert shown == {f'/{topic}' for topic in remapped}


@pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_arguments_are_described(path):
    tree = ast.parse(path.read_text(encoding='utf-8'))
    declared = [node for node in ast.walk(tree)
                if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'DeclareLaunchArgument']
    assert declared
    for call in declared:
        given = {keyword.arg for keyword in call.keywords}
        assert {'default_value', 'description'} <= given, ast.unparse(call)


def test_the_launch_argument_backend_names_every_backend():
    tree = ast.parse((ROOT / 'launch' / 'attention.launch.py').read_text(encoding='utf-8'))
    calls = (node for node in ast.walk(tree) if getattr(getattr(node, 'func', None), 'id', '')
             == 'DeclareLaunchArgument')
    call = next(call for call in calls if call.args[0].value == 'backend')
    described = next(ast.literal_eval(each.value) for each in call.keywords if each.arg == 'description')
    assert not [name for name in BACKENDS if name not in described]


@pytest.mark.skipif(importlib.util.find_spec('vision_msgs') is None, reason='vision_msgs is not installed')
def test_vision_msgs_has_the_fields_of_release_4():
    from vision_msgs.msg import BoundingBox2D, Detection2D, Detection3D, LabelInfo
    assert Detection2D.get_fields_and_field_types() == {
        'header': 'std_msgs/Header', 'results': 'sequence<vision_msgs/ObjectHypothesisWithPose>',
        'bbox': 'vision_msgs/BoundingBox2D', 'id': 'string'}
    assert Detection3D.get_fields_and_field_types()['bbox'] == 'vision_msgs/BoundingBox3D'
    assert BoundingBox2D.get_fields_and_field_types() == {
        'center': 'vision_msgs/Pose2D', 'size_x': 'double', 'size_y': 'double'}
    assert LabelInfo.get_fields_and_field_types()['class_map'] == 'sequence<vision_msgs/VisionClass>'


@pytest.mark.parametrize('script', sorted((ROOT / 'scripts').glob('*.sh')), ids=lambda path: path.name)
def test_scripts_are_valid_bash(script):
    checked = subprocess.run(['bash', '-n', str(script)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """The modules as setup.py installs them, far from the checkout."""
    pytest.importorskip('setuptools')
    folder = tmp_path_factory.mktemp('installed')
    subprocess.run([sys.executable, 'setup.py', '-q', 'egg_info', '--egg-base', folder,
                    'build', '--build-base', folder / 'build', '--build-lib', folder / 'lib'],
                   cwd=ROOT, check=True)
    return folder / 'lib'


def test_setup_runs_where_colcon_links_the_package_to(tmp_path):
    pytest.importorskip('setuptools')
    for name in ('setup.py', 'setup.cfg', 'package.xml', 'src', 'launch', 'config', 'resource'):
        (tmp_path / name).symlink_to(ROOT / name)   # as colcon build --symlink-install does
    subprocess.run([sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', tmp_path / 'lib'],
                   cwd=tmp_path, check=True)
    assert (tmp_path / 'lib' / 'vla_attention' / 'pipeline.py').is_file()


PLAY = """
import vla_attention.ros.camera_sources as sources
frame = next(sources.open_source('scene', scene_width=64, scene_frames=1))
print(sources.__file__)
print(frame.rgb.shape, frame.depth.dtype, frame.instruction)
"""


def play(path: Path, *paths: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, (path, *paths)))}
    return subprocess.run([sys.executable, '-c', PLAY], cwd=path, capture_output=True, text=True,
                          env=environment)


def test_an_installed_package_plays_generated_scenes(installed):
    pytest.importorskip('embreex', reason='scenes are rendered with embreex')
    file, frame = play(installed).stdout.splitlines()
    assert Path(file).is_relative_to(installed)
    assert frame.startswith('(48, 64, 3) float32 ') and frame.endswith(' 집어줘')


def test_without_the_renderer_it_says_how_to_get_it(installed, tmp_path):
    (tmp_path / 'embreex.py').write_text('raise ModuleNotFoundError("none", name="embreex")')
    played = play(installed, tmp_path)
    assert played.stderr.splitlines()[-1].endswith('not installed: python3 -m pip install embreex')
