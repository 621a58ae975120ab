"""The import rule: ROS under ros/ alone, and no stage imports a later one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / 'src' / 'vla_attention'
# the way of the data; a module may import what stands before it (pixels: of image messages;
# frames: pictures from folders and videos; threads: of torch)
STAGES = ('timing', 'pixels', 'frames', 'threads', 'attention', 'language', 'vision', 'grounding', 'focus',
          'moments', 'view', 'pipeline', 'stream')
ENDS = ('serve', 'bag', 'cli', 'ros')
ROS = {
    'rclpy', 'rcl_interfaces', 'lifecycle_msgs', 'builtin_interfaces', 'std_msgs', 'std_srvs', 'sensor_msgs',
    'geometry_msgs', 'vision_msgs', 'visualization_msgs', 'diagnostic_msgs', 'nav_msgs', 'tf2_ros',
    'tf2_geometry_msgs', 'message_filters', 'cv_bridge', 'launch', 'launch_ros', 'ament_index_python',
}


def imported(path: Path, package: Path = PACKAGE) -> set[str]:
    """Return every module that a file imports anywhere, by its absolute name."""
    names: set[str] = set()
    # the package that a relative import of level 1 starts from
    parts = ('vla_attention', *path.relative_to(package).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join(parts[:len(parts) - node.level + 1]) if node.level else ''
            module = '.'.join(filter(None, [base, node.module]))
            # `from vla_attention import focus` imports the stage, `from numpy import array` numpy
            names.update(f'{module}.{alias.name}' for alias in node.names)
    return names


def stage(path: Path, package: Path = PACKAGE) -> str:
    """Return the stage that a file belongs to: the folder or module below the package."""
    return path.relative_to(package).parts[0].removesuffix('.py')


def faults(package: Path) -> list[str]:
    """Return every import that breaks the rule."""
    found = []
    for path in sorted(package.rglob('*.py')):
        here = stage(path, package)
        for name in sorted(imported(path, package)):
            top, _, rest = name.partition('.')
            there = rest.partition('.')[0]
            if here != 'ros' and top in ROS:
                found.append(f'{path.relative_to(package)} imports {name}: only ros/ may')
            if here in STAGES and top == 'vla_attention':
                later = STAGES[STAGES.index(here) + 1:] + ENDS
                if there in later:
                    found.append(f'{path.relative_to(package)} imports {name}: {there} comes after {here}')
            if here in ('serve', 'bag', 'cli') and top == 'vla_attention' and there == 'ros':
                found.append(f'{path.relative_to(package)} imports {name}: {here} runs without ROS')
    return found


def test_no_import_breaks_the_rule():
    assert faults(PACKAGE) == []


def test_every_module_has_a_place_on_the_way():
    # what is new either gets its place in STAGES or belongs into a stage
    assert {stage(path) for path in PACKAGE.rglob('*.py')} <= {*STAGES, *ENDS, '__init__', '__main__'}


@pytest.mark.parametrize(('file', 'line', 'broken'), [
    ('language/tokens.py', 'import rclpy', True),
    ('language/tokens.py', 'def f():\n    from std_msgs.msg import String', True),
    ('language/tokens.py', 'from vla_attention import focus', True),
    ('language/tokens.py', 'from ..grounding import backend', True),
    ('language/tokens.py', 'import vla_attention.pipeline', True),
    ('view/overlay.py', 'from vla_attention.ros.messages import read_rgb', True),
    ('cli/parse.py', 'from vla_attention.ros import qos', True),
    ('focus/lift.py', 'from vla_attention.grounding import AttentionMaps', False),
    ('focus/lift.py', 'from .region import FocusRegion', False),
    ('ros/focus_node.py', 'from vla_attention.view import overlay\nimport rclpy', False),
])
def test_the_rule_sees(tmp_path, file, line, broken):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    assert bool(faults(tmp_path)) is broken
