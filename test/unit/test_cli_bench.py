"""``vla-attention bench``: benchmarks by their names, with options of their own."""

import json
from argparse import Namespace
from types import SimpleNamespace

import pytest

from vla_attention.cli import bench, main


def benchmark(default, *further):
    """Return a benchmark with the option --count, which tells what it got."""
    def add_arguments(parser):
        parser.add_argument('--count', type=int, default=default)
        for option in further:
            parser.add_argument(option, default='')

    return SimpleNamespace(add_arguments=add_arguments, run=lambda options: {'rows': [vars(options)]})


@pytest.fixture
def two(monkeypatch):
    there = {'a': benchmark(1, '--only'), 'b': benchmark(2, '--only-here'),
             'plain': SimpleNamespace(run=lambda options: {'rows': [{'bare': options == Namespace()}]})}
    monkeypatch.setattr(bench, '_load_benchmark', there.__getitem__)


@pytest.mark.parametrize(('options', 'counts'), [
    ([], (1, 2)), (['--count', '5'], (5, 5)), (['--only', 'x', '--count', '5'], (5, 5))])
def test_benchmarks_may_have_an_option_of_the_same_name(capsys, two, tmp_path, options, counts):
    assert main(['bench', 'a', 'b', 'plain', '--out', str(tmp_path), *options]) == 0
    rows = {name: json.loads((tmp_path / f'{name}.json').read_text())['rows'][0] for name in ('a', 'b')}
    assert (rows['a']['count'], rows['b']['count']) == counts
    assert (rows['a']['only'], rows['b']['only_here']) == ('x' if '--only' in options else '', '')
    assert json.loads((tmp_path / 'plain.json').read_text())['rows'] == [{'bare': True}]


def test_without_a_name_every_benchmark_is_run(capsys, monkeypatch, two, tmp_path):
    monkeypatch.setattr(bench, 'BENCHMARKS', tmp_path)
    for name in ('plain.py', 'a.py', '_shared.py'):
        (tmp_path / name).touch()
    assert main(['bench', '--out', str(tmp_path)]) == 0
    assert {file.stem for file in tmp_path.glob('*.json')} == {'a', 'plain'}
    for file in tmp_path.glob('*.py'):
        file.unlink()
    assert main(['bench']) == 2     # as it is installed
    assert 'source checkout' in capsys.readouterr().err


def test_an_option_that_no_benchmark_knows_is_an_error(capsys, two, tmp_path):
    with pytest.raises(SystemExit, match='2'):
        main(['bench', 'a', 'b', '--out', str(tmp_path), '--count', '5', '--other', '3'])
    assert '--other' in capsys.readouterr().err
    assert main(['bench', 'a', 'b', '--help-options']) == 0
    shown = capsys.readouterr().out
    assert shown.count('--count') >= 2 and '--only ' in shown and '--only-here' in shown
