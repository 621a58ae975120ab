"""Output that is closed, or that cannot hold every letter, does not end the command."""

import io
import json
import os
import subprocess
import sys

import pytest

from vla_attention.cli import COMMANDS, main

NAMES = [command.__name__.rpartition('.')[2].replace('_', '-') for command in COMMANDS]


@pytest.mark.parametrize('encoding', ['ascii', 'cp949', 'utf-8'])
@pytest.mark.parametrize('name', [[], *([name] for name in NAMES)])
def test_help_is_shown_whatever_the_output_can_hold(monkeypatch, name, encoding):
    written = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(written, encoding))
    with pytest.raises(SystemExit) as ended:
        main([*name, '--help'])
    assert ended.value.code == 0
    sys.stdout.flush()
    shown = written.getvalue().decode(encoding)
    assert shown.startswith('usage: vla-attention') and 'examples:' in shown
    if name == ['parse']:
        assert ('빨간 컵을' in shown) == (encoding != 'ascii')
        assert ('\\ube68' in shown) == (encoding == 'ascii')


def test_help_in_a_terminal_without_unicode():
    shown = subprocess.run([sys.executable, '-m', 'vla_attention.cli', 'parse', '--help'],
                           env={**os.environ, 'PYTHONIOENCODING': 'ascii'}, capture_output=True, check=True)
    assert b'examples:' in shown.stdout and not shown.stderr


def test_output_in_utf_8_stays_as_it_is(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), 'utf8', errors='surrogateescape')
    monkeypatch.setattr(sys, 'stdout', stream)
    with pytest.raises(SystemExit):
        main(['--help'])
    assert stream.errors == 'surrogateescape', 'names of files that are no text pass through'


def test_a_closed_stderr_is_no_trouble(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'stderr', None)
    assert main(['parse', 'pick up the cup']) == 0
    assert json.loads(capsys.readouterr().out)['roles']['target'] == ['cup']
    monkeypatch.setattr(sys, 'stderr', None)
    assert main(['parse', '--lines', 'missing.txt']) == 2
