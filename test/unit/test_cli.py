"""The command line: one JSON object a line, and status 2 with one clear line for bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from vla_attention.cli import main


@pytest.fixture(scope='session')
def coffee(tmp_path_factory):
    path = tmp_path_factory.mktemp('photos') / 'coffee.png'
    cv2.imwrite(str(path), cv2.cvtColor(skimage.data.coffee(), cv2.COLOR_RGB2BGR))
    return path


def run(capsys, *arguments):
    """Run the command; return its status, its JSON lines and stderr."""
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, [json.loads(line) for line in out.splitlines()], err


def test_parse_prints_the_guides_example(capsys):
    status, lines, _ = run(capsys, 'parse', '빨간 컵을 천천히 집어서 조심스럽게 파란 접시 위에 놓아줘')
    assert status == 0
    assert lines[0]['language'] == 'ko'
    assert lines[0]['roles'] == {'target': ['빨간 컵'], 'action': ['집어서', '놓아줘'],
                                 'manner': ['천천히', '조심스럽게'], 'destination': ['파란 접시 위'],
                                 'source': []}


def test_parse_lines_gives_a_line_for_each_line(capsys, tmp_path):
    file = tmp_path / 'commands.txt'
    file.write_text('pick up the red mug\n\n사과를 집어\n', encoding='utf-8')
    status, lines, _ = run(capsys, 'parse', '--lines', file)
    assert status == 0
    assert [line['roles']['target'] for line in lines] == [['red mug'], [], ['사과']]
    assert lines[1]['reason']


def test_parse_draws_the_sentence(capsys, tmp_path):
    status, lines, _ = run(capsys, 'parse', 'pick up the red mug', '--heads', '--head', 'modifier',
                           '--out', tmp_path / 'sentence.png')
    assert status == 0
    assert np.allclose(np.sum(lines[0]['heads']['modifier'], axis=1), 1, atol=1e-2)
    assert cv2.imread(str(tmp_path / 'sentence.png')).std() > 0


def test_ground_finds_the_cup_in_both_languages(capsys, coffee, tmp_path):
    answers = []
    for instruction in ('pick up the cup', '컵을 집어줘'):
        status, lines, _ = run(capsys, 'ground', coffee, instruction, '--out', tmp_path / 'out')
        assert status == 0
        answers.append(lines[0])
    for answer in answers:
        x, y = answer['target'][0]['point']
        assert 160 < x < 440 and 20 < y < 320, 'the cup is there in the photograph'
        assert answer['destination'] == answer['avoid'] == []
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert names == {'coffee_overlay.png', 'coffee_heads.png', 'coffee_0_target.png'}


def test_ground_jsonl_answers_in_order(capsys, coffee, tmp_path):
    file = tmp_path / 'questions.jsonl'
    texts = ['pick up the cup', '', 'pick up the spoon and put it on the saucer']
    file.write_text(''.join(json.dumps({'image': str(coffee), 'instruction': text}) + '\n' for text in texts))
    status, lines, _ = run(capsys, 'ground', '--jsonl', file)
    assert status == 0
    assert len(lines) == 3
    assert lines[1]['target'] == [] and lines[1]['reason']
    assert {'target', 'destination', 'avoid'} <= lines[2].keys()


def test_ground_with_depth_gives_centre_and_size(capsys, coffee, tmp_path):
    height, width = skimage.data.coffee().shape[:2]
    cv2.imwrite(str(tmp_path / 'depth.png'), np.full((height, width), 800, np.uint16))
    status, lines, _ = run(capsys, 'ground', coffee, 'pick up the cup', '--depth', tmp_path / 'depth.png',
                           '--intrinsics', 600, 600, 300, 200)
    assert status == 0
    best = lines[0]['target'][0]
    assert 'center' in best or best['no_3d'], 'either a place in space or the reason why there is none'
    if 'center' in best:
        assert best['center'][2] == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(('arguments', 'says'), [
    (['parse', '--lines', 'missing.txt'], 'missing.txt'),
    (['ground', 'missing.jpg', 'pick up the cup'], 'missing.jpg'),
    (['ground', 'only_an_image.jpg'], 'INSTRUCTION'),
    (['ground', 'a.jpg', 'b', '--depth', 'd.png'], 'go together'),
    (['ground', 'a.jpg', 'b', '--backend', 'nothing'], "no backend 'nothing'"),
    (['ground', 'a.jpg', 'b', '--backend', 'clipseg', '--precision', 'int8'], 'one of auto, bf16, f32'),
    (['watch', 'missing.mp4'], 'missing.mp4'),
    (['watch', 'missing.mp4', '--fps', '0'], '--fps'),
    (['bench', 'nothing'], 'no benchmark nothing'),
])
def test_bad_input_is_status_2_and_one_line(capsys, monkeypatch, tmp_path, arguments, says):
    monkeypatch.chdir(tmp_path)
    status, lines, err = run(capsys, *arguments)
    assert status == 2
    assert not lines
    assert says in err and err.count('\n') == 1


def test_watch_takes_how_often_the_arm_fails(capsys, tmp_path):
    for number in range(2):
        cv2.imwrite(str(tmp_path / f'{number:04d}.jpg'), np.full((120, 160, 3), 90 + number, np.uint8))
    status, lines, _ = run(capsys, 'watch', tmp_path, '--failure-rate', '0.2')
    assert status == 0 and [line['phase'] for line in lines] == ['idle', 'idle']
    status, lines, err = run(capsys, 'watch', tmp_path, '--failure-rate', '2')
    assert status == 2 and not lines
    assert 'failure_rate' in err


@pytest.mark.parametrize('content', [b'not a picture', b''])
def test_a_file_that_is_no_image(capsys, tmp_path, content):
    file = tmp_path / 'photo.jpg'
    file.write_bytes(content)
    status, _, err = run(capsys, 'ground', file, 'pick up the cup')
    assert status == 2
    assert 'photo.jpg' in err


def test_a_bad_line_of_jsonl_is_named(capsys, tmp_path):
    file = tmp_path / 'questions.jsonl'
    file.write_text('{"image": "a.jpg", "instruction": "b"}\n{"image": 3\n')
    status, _, err = run(capsys, 'ground', '--jsonl', file)
    assert status == 2
    assert 'line 2' in err


def test_help_has_examples():
    shown = subprocess.run([sys.executable, '-m', 'vla_attention.cli', 'ground', '--help'],
                           capture_output=True, text=True, check=True)
    assert 'examples:' in shown.stdout


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_a_pipe_that_closes_is_a_quiet_end(unbuffered):
    reading, writing = os.pipe()
    os.close(reading)   # as `| head` does once it has its lines
    ended = subprocess.run([sys.executable, '-m', 'vla_attention.cli', 'parse', 'pick up the mug'],
                           stdout=writing, stderr=subprocess.PIPE, text=True,
                           env={**os.environ, 'PYTHONUNBUFFERED': unbuffered})
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, '')


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full here, the disk that is always full')
def test_a_full_disk_is_one_line_and_status_2(capsys):
    status, _, err = run(capsys, 'parse', 'pick up the cup', '--out', '/dev/full')
    assert status == 2
    assert err.strip() == 'vla-attention parse: /dev/full cannot be written: No space left on device'
