"""The command line: one JSON object a line, and status 2 with one clear line for bad input."""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from vla_attention import grounding
from vla_attention.cli import main
from vla_attention.cli.common import UsageError, print_json, read_lines
from vla_attention.cli.images import read_depth
from vla_attention.frames import open_frames
from vla_attention.moments import watch
from vla_attention.view.filmstrip import draw_filmstrip


@pytest.fixture(scope='module', autouse=True)
def loaded_once():
    """The embedded model takes a second to load: commands without options for it have one in common."""
    make_backend, embedded = grounding.make_backend, cache(lambda: make_backend('embedded'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grounding, 'make_backend', lambda name, **options: embedded() if (
            name, options) == ('embedded', {}) else make_backend(name, **options))
        yield


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


def test_a_question_that_cannot_be_answered_does_not_stop_the_rest(capsys, coffee, inputs, tmp_path):
    file = tmp_path / 'questions.jsonl'
    paths = [coffee, inputs / 'tiny.png', inputs / 'missing.jpg', inputs / 'no\0file', coffee]
    file.write_text(''.join(json.dumps({'image': str(path), 'instruction': 'cup'}) + '\n' for path in paths))
    status, lines, err = run(capsys, 'ground', '--jsonl', file)
    assert status == 2 and '3 of 5 questions' in err and err.count('\n') == 1
    assert ['error' in line for line in lines] == [False, True, True, True, False]
    assert lines[0]['target'] and lines[0] == lines[4]
    assert lines[1].keys() == {'target', 'destination', 'avoid', 'error'} and 'tiny.png' in lines[1]['error']
    assert 'missing.jpg' in lines[2]['error']


def test_a_command_that_asks_a_pool_fails_without_its_answer(capsys, coffee):
    pool = ('--backend', 'remote', '--remote-url', 'http://127.0.0.1:9')
    status, lines, error = run(capsys, 'ground', coffee, 'pick up the cup', *pool)
    assert (status, lines) == (2, []) and 'the pool gave no answer: http://127.0.0.1:9' in error
    status, _, error = run(capsys, 'ground', coffee, 'pick up the cup', *pool, '--precision', 'f32')
    assert status == 2 and '--precision: that is for vla-attention serve to say' in error


INTRINSICS = ('--intrinsics', 600, 600, 300, 200)


@pytest.fixture(scope='module')
def depth(tmp_path_factory):
    """The depth of a cup 10 cm high on a table that a camera looks straight down at."""
    height, width = skimage.data.coffee().shape[:2]
    rows, columns = np.mgrid[:height, :width]
    high = (columns - 300) ** 2 + (rows - 170) ** 2 < 110 ** 2
    path = tmp_path_factory.mktemp('depth') / 'depth.png'
    cv2.imwrite(str(path), np.where(high, 700, 800).astype(np.uint16))
    return path


def test_ground_with_depth_gives_a_box_in_space(capsys, coffee, depth):
    status, lines, _ = run(capsys, 'ground', coffee, 'pick up the cup', '--depth', depth, *INTRINSICS)
    assert status == 0
    best = lines[0]['target'][0]
    assert best['center'][2] == pytest.approx(0.75, abs=0.06) and len(best['size']) == 3
    x, y, z, w = best['orientation']
    assert x * x + y * y + z * z + w * w == pytest.approx(1, abs=1e-3)
    up = [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)]
    assert np.allclose(up, [0, 0, -1], atol=0.1), 'z of the box points at the camera'


def test_ground_jsonl_takes_the_depth_of_each_image(capsys, coffee, depth, tmp_path):
    file = tmp_path / 'questions.jsonl'
    question = {'image': str(coffee), 'instruction': 'pick up the cup'}
    file.write_text('\n'.join(map(json.dumps, (
        {**question, 'depth': str(depth)}, question, {**question, 'depth': str(tmp_path / 'none.png')}))))
    status, lines, _ = run(capsys, 'ground', '--jsonl', file, *INTRINSICS)
    assert status == 2
    assert ['center' in line['target'][0] for line in lines[:2]] == [True, False]
    assert 'none.png' in lines[2]['error']
    for options, says in ((['--depth', depth, *INTRINSICS], '--depth is of one IMAGE'),
                          ([], '--intrinsics and depth')):
        status, lines, err = run(capsys, 'ground', '--jsonl', file, *options)
        assert status == 2 and not lines and says in err and err.count('\n') == 1


def png_header(side):
    """Return a PNG whose header says that it is as large, with nothing behind it."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(bytes(9))) + chunk(b'IEND', b''))


@pytest.fixture(scope='module')
def inputs(tmp_path_factory):
    """Pictures that are no good, as files and in folders."""
    folder = tmp_path_factory.mktemp('inputs')
    for name, side in (('tiny.png', 20), ('small/0.png', 8), ('broken/0.png', 32)):
        (folder / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), np.zeros((side, side, 3), np.uint8))
    (folder / 'broken' / '1.png').write_bytes(b'no picture')
    (folder / 'giant').mkdir()
    for name in ('giant.png', 'giant/0.png'):
        (folder / name).write_bytes(png_header(60000))
    return folder


@pytest.mark.parametrize(('arguments', 'says'), [
    (['ground', 'tiny.png', 'pick up the cup'], 'tiny.png: image must be at least 32 pixels'),
    (['ground', 'giant.png', 'pick up the cup'], 'giant.png is not an image'),
    (['watch', 'small'], 'small: image must be 16 pixels or more a side, got 8x8'),
    (['watch', 'giant'], 'giant/0.png is no image'),
    (['watch', 'broken'], 'broken/1.png is no image'),
])
def test_pictures_that_are_no_good_are_status_2_and_one_line(capsys, monkeypatch, inputs, arguments, says):
    monkeypatch.chdir(inputs)
    status, lines, err = run(capsys, *arguments)
    assert status == 2
    assert len(lines) == (arguments[1] == 'broken'), 'what came before is told'
    assert says in err and err.count('\n') == 1


def test_depth_that_is_none_is_said(tmp_path):
    empty, archive = tmp_path / 'empty.npy', tmp_path / 'archive.npy'
    empty.write_bytes(b'')
    with archive.open('wb') as file:
        np.savez(file, depth=np.ones((4, 4), np.float32))
    for path in (empty, archive):
        with pytest.raises(UsageError, match=path.name):
            read_depth(path)
    np.save(tmp_path / 'depth.npy', np.ones((4, 4), np.float32))
    assert read_depth(tmp_path / 'depth.npy').shape == (4, 4)


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
    cv2.imwrite('a.jpg', np.zeros((48, 64, 3), np.uint8))
    status, lines, err = run(capsys, *arguments)
    assert status == 2
    assert not lines
    assert says in err and err.count('\n') == 1


@pytest.mark.parametrize(('arguments', 'says'), [
    ([], 'vla-attention: the following arguments are required: COMMAND'),
    (['parse'], 'vla-attention parse: one of the arguments TEXT --lines is required'),
    (['ground', 'a.jpg', 'b', '--intrinsics', '6', '6'], 'argument --intrinsics: expected 4 arguments'),
    (['ground', 'a.jpg', 'b', '--speed'], 'vla-attention: unrecognized arguments: --speed'),
    (['bench', 'language', '--speed'], 'vla-attention bench language: unrecognized arguments: --speed'),
])
def test_a_line_that_cannot_be_taken_apart_is_status_2_and_one_line(capsys, arguments, says):
    with pytest.raises(SystemExit, match='2'):
        main(arguments)
    err = capsys.readouterr().err
    assert says in err and '--help' in err and err.count('\n') == 1


def test_watch_draws_what_it_saw_and_takes_no_instruction_for_none(capsys, tmp_path):
    (tmp_path / 'clip').mkdir()
    for number in range(12):
        picture = np.full((120, 160, 3), 90, np.uint8)
        cv2.circle(picture, (20 + 10 * number, 60), 15, (20, 20, 200), -1)
        cv2.imwrite(str(tmp_path / 'clip' / f'{number:02d}.png'), picture)
    status, lines, _ = run(capsys, 'watch', tmp_path / 'clip', '--instruction', '', '--out', tmp_path)
    assert status == 0 and len(lines) == 12
    drawn = cv2.cvtColor(cv2.imread(str(tmp_path / 'clip_filmstrip.png')), cv2.COLOR_BGR2RGB)
    seen = list(watch(open_frames(tmp_path / 'clip')))
    assert any(moment.focus_area for _, moment in seen)
    assert np.array_equal(drawn, draw_filmstrip(seen))


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


def test_what_is_no_video_is_told_in_one_line(tmp_path):
    (tmp_path / 'notes.png').write_text('no picture')
    ended = subprocess.run([sys.executable, '-m', 'vla_attention.cli', 'watch', tmp_path / 'notes.png'],
                           capture_output=True, text=True)     # FFmpeg writes past Python, and is set up once
    assert (ended.returncode, ended.stderr.count('\n')) == (2, 1) and 'notes.png' in ended.stderr


def test_a_bad_line_of_jsonl_is_named(capsys, tmp_path):
    file = tmp_path / 'questions.jsonl'
    file.write_text('{"image": "a.jpg", "instruction": "b"}\n{"image": 3\n')
    status, _, err = run(capsys, 'ground', '--jsonl', file)
    assert status == 2
    assert 'line 2' in err


@pytest.mark.parametrize(('content', 'lines'), [
    (b'', []), (b'\n', ['']), (b'a\n\nb', ['a', '', 'b']), (b'\xef\xbb\xbfa\r\nb\r\n', ['a', 'b']),
    ('a\u2028b\x85c\fd\n'.encode(), ['a\u2028b\x85c\fd'])])
def test_lines_end_at_line_feeds_alone(tmp_path, content, lines):
    (tmp_path / 'lines.txt').write_bytes(content)
    assert read_lines(tmp_path / 'lines.txt') == lines


@pytest.mark.parametrize(('encoding', 'says'), [
    ('cp949', 'looks like CP949: save it as UTF-8'), ('utf-16', 'looks like UTF-16: save it as UTF-8'),
    ('utf-16-le', 'looks like UTF-16')])
@pytest.mark.parametrize('text', ['컵을 집어줘\n', '컵 pick up the cup\n' * 3, 'pick up the cup\n'])
def test_lines_in_another_encoding_are_told_which(tmp_path, encoding, says, text):
    if text.isascii() and encoding == 'cp949':
        return
    (tmp_path / 'lines.txt').write_bytes(text.encode(encoding))
    with pytest.raises(UsageError, match=f'not UTF-8 text.*{says}'):
        read_lines(tmp_path / 'lines.txt')


def test_lines_of_noise_are_told_without_a_guess(tmp_path):
    (tmp_path / 'lines.txt').write_bytes(bytes(range(128, 256)))
    with pytest.raises(UsageError, match=r'not UTF-8 text: invalid start byte at byte 0$'):
        read_lines(tmp_path / 'lines.txt')


@pytest.mark.parametrize('encoding', ['utf-8', 'ascii', 'cp949'])
def test_what_the_output_cannot_hold_is_escaped(monkeypatch, encoding):
    written = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(written, encoding))
    for text in ('\udcff cup', '컵 é 😀'):
        print_json({'text': text})
        assert json.loads(written.getvalue().decode(encoding).splitlines()[-1]) == {'text': text}


def test_a_closed_output_is_status_2(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'stdout', None)
    assert main(['parse', 'pick up the mug']) == 2
    assert capsys.readouterr().err == 'vla-attention parse: standard output is closed\n'


def test_help_has_examples():
    shown = subprocess.run([sys.executable, '-m', 'vla_attention.cli', 'ground', '--help'],
                           capture_output=True, text=True, check=True)
    assert 'examples:' in shown.stdout


# the command as it is, but what it prints takes no network, which would take seconds to import
PRINTS = """
from vla_attention.cli import main, parse
from vla_attention.cli.common import print_json
parse.run = lambda options: print_json({'text': 'pick up the mug'})
raise SystemExit(main(['parse', 'pick up the mug']))
"""


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_a_pipe_that_closes_is_a_quiet_end(unbuffered):
    reading, writing = os.pipe()
    os.close(reading)   # as `| head` does once it has its lines
    ended = subprocess.run([sys.executable, '-c', PRINTS], stdout=writing, stderr=subprocess.PIPE,
                           text=True, env={**os.environ, 'PYTHONUNBUFFERED': unbuffered})
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, '')


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full here, the disk that is always full')
def test_a_full_disk_is_one_line_and_status_2(capsys):
    status, _, err = run(capsys, 'parse', 'pick up the cup', '--out', '/dev/full')
    assert status == 2
    assert err.strip() == 'vla-attention parse: /dev/full cannot be written: No space left on device'
