"""What ``ros2 run`` and ``ros2 launch`` start: a node's module is imported after signals are seen to.

Importing torch and OpenCV takes seconds, in which Ctrl-C would else end the process with a traceback and -2.
"""

from __future__ import annotations

import importlib
import os
import signal
from types import FrameType

from vla_attention.ros.signals import SIGNALS


def instruction_node() -> int:
    """Run instruction_node; the exit status is returned."""
    return _run('instruction_node')


def attention_node() -> int:
    """Run attention_node."""
    return _run('attention_node')


def focus_node() -> int:
    """Run focus_node."""
    return _run('focus_node')


def moments_node() -> int:
    """Run moments_node."""
    return _run('moments_node')


def overlay_node() -> int:
    """Run overlay_node."""
    return _run('overlay_node')


def scene_camera() -> int:
    """Run scene_camera."""
    return _run('scene_camera')


def attention_stack() -> int:
    """Run all nodes but the camera in one process."""
    return _run('attention_stack')


def _run(module: str) -> int:
    for each in SIGNALS:
        signal.signal(each, _leave)
    return int(importlib.import_module(f'vla_attention.ros.{module}').main())


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(0)     # not by an exception: halfway through an import, libraries catch those
