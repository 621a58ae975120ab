"""scripts/environment.sh, in a shell that takes it for a sourced ROS 2 installation: nothing is made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / 'scripts' / 'environment.sh'


def in_a_shell(folder, command, **variables):
    """Return what the command says in a shell that has sourced the script in the folder."""
    python = folder / 'bin' / 'python3'
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n')
    python.chmod(0o755)
    shell = dict(os.environ, ROS_DISTRO='jazzy', PATH=f'{python.parent}:{os.environ["PATH"]}', **variables)
    said = subprocess.run(['bash', '-euc', f'source "$0"; cd /; {command}', SCRIPT], cwd=folder, env=shell,
                          capture_output=True, text=True, check=True)
    return said.stdout.strip()


@pytest.mark.parametrize(('given', 'means'), [
    ('of mine/venv', '{here}/of mine/venv'), ('/opt/venv', '/opt/venv'),
    ('', str(SCRIPT.parents[1] / '.venv'))])
def test_the_folder_of_the_environment_is_taken_from_where_it_was_given(tmp_path, given, means):
    assert in_a_shell(tmp_path, 'echo "$VLA_VENV"', VLA_VENV=given) == means.format(here=tmp_path)


@pytest.mark.parametrize(('unwanted', 'given', 'said'), [
    ('1', '', 'kept in /venv/bytecode'), ('1', '/mine', 'kept in /mine'), ('', '', 'kept in'),
    ('', '/mine', 'kept in /mine')])
def test_bytecode_unwanted_beside_the_sources_is_kept_in_the_environment(tmp_path, unwanted, given, said):
    command = 'keep_bytecode; echo "${PYTHONDONTWRITEBYTECODE:-kept} in ${PYTHONPYCACHEPREFIX:-}"'
    assert in_a_shell(tmp_path, command, VLA_VENV='/venv', PYTHONDONTWRITEBYTECODE=unwanted,
                      PYTHONPYCACHEPREFIX=given) == said
