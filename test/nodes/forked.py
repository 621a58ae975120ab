"""Nodes forked from a process that has imported what they need: each starts in a tenth of the time.

Importing torch, OpenVINO and OpenCV takes seconds, a hundred times in these tests. A node that is forked runs
what ``ros2 run`` does (:mod:`vla_attention.ros.programs`) in a process of its own, but ends without Python's
own clearing up, and finds modules where this process does: tests of that start a command instead.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

_FORKED = multiprocessing.get_context('forkserver')
_FORKED.set_forkserver_preload(
    ['openvino', 'vla_attention.ros.attention_stack', 'vla_attention.ros.scene_camera'])


class ForkedNode:
    """A node, handled as :class:`subprocess.Popen` is."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str],
                 output: str) -> None:
        """Start it.

        :param name: of a function in :mod:`vla_attention.ros.programs`.
        :param output: file that stdout and stderr are appended to.
        """
        given = (name, list(arguments), dict(environment), output)
        self._process = _FORKED.Process(target=_run, args=given, daemon=True)
        self._process.start()

    def poll(self) -> int | None:
        """Return the exit status (minus the signal's number where one ended it), None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for the end and return the exit status."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _run(name: str, arguments: list[str], environment: dict[str, str], output: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
        stream.reconfigure(write_through=True)
    sys.argv = [name, *arguments]
    from vla_attention.ros import programs
    sys.exit(getattr(programs, name)())
