"""scripts/environment.sh, in a shell that takes it for a sourced ROS 2 installation: nothing is made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / 'scripts' / 'environment.sh'


@pytest.mark.parametrize(('given', 'means'), [
    ('of mine/venv', '{here}/of mine/venv'), ('/opt/venv', '/opt/venv'),
    ('', str(SCRIPT.parents[1] / '.venv'))])
def test_the_folder_of_the_environment_is_taken_from_where_it_was_given(tmp_path, given, means):
    python = tmp_path / 'bin' / 'python3'
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n')
    python.chmod(0o755)
    shell = dict(os.environ, ROS_DISTRO='jazzy', VLA_VENV=given, PATH=f'{python.parent}:{os.environ["PATH"]}')
    said = subprocess.run(['bash', '-euc', 'source "$0"; cd /; echo "$VLA_VENV"', SCRIPT], cwd=tmp_path,
                          env=shell, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == means.format(here=tmp_path)
