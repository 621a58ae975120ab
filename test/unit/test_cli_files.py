"""Files and folders of the command line: what is no good is told before the work, and pictures are true."""

import json
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from quick_backends import Quick

from vla_attention.cli import bench, ground, main
from vla_attention.cli.common import UsageError, as_on_disk, told
from vla_attention.cli.images import read_image, write_image
from vla_attention.language import Instruction, Step
from vla_attention.pipeline import Pipeline
from vla_attention.view.overlay import draw_overlay

IMAGE = np.full((96, 128, 3), 120, np.uint8)


class Columns(Quick):
    """Each phrase is bright in two columns of its own; a phrase with "no" is not in view."""

    def maps(self, image, count):
        maps = np.zeros((count, 6, 8), np.float32)
        for index in range(count):
            maps[index, 2:5, 3 * index:3 * index + 2] = 1
        return maps

    def presence(self, phrases):
        return np.array([0.1 if 'no' in phrase else 0.9 for phrase in phrases], np.float32)


@pytest.fixture
def columns(monkeypatch):
    """Let `ground` answer at once: things of an instruction stand between commas, each a target."""
    def parse(text):
        return Instruction(text, steps=tuple(Step(target=thing) for thing in text.split(', ')))

    monkeypatch.setattr(ground, 'make_pipeline', lambda _: Pipeline(Columns(), parse=parse))


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Stand in a folder with an image, a folder of images, a file that is none, and a folder without any."""
    monkeypatch.chdir(tmp_path)
    for name in ('image.png', 'frames/0.png', 'frames/1.png'):
        write_image(tmp_path / name, IMAGE)
    (tmp_path / 'file').write_text('')
    (tmp_path / 'folder').mkdir()
    return tmp_path


@pytest.fixture
def no_good(monkeypatch, here):
    """Add what cannot be worked with, and let no model load."""
    for name in ('ground', 'watch'):
        monkeypatch.setattr(f'vla_attention.cli.{name}.make_pipeline', None)
    write_image(here / 'tiny' / '0.png', IMAGE[:20, :20])
    (here / 'broken').mkdir()
    (here / 'broken' / '0.png').write_text('no picture')
    np.save(here / 'half.npy', np.ones((48, 64), np.float32))


def run(capsys, *arguments):
    """Run the command; return its status, stdout, and the last line of stderr without the command's name."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as ended:         # argparse
        status = ended.code
    out, err = capsys.readouterr()
    last = err.splitlines()[-1] if err else ''
    return status, out, last.partition(': ')[2].removeprefix('error: ').removeprefix('argument ')


@pytest.mark.parametrize(('arguments', 'begins'), [
    (['parse', 'cup', '--out', 'sentence.pdf'], '--out sentence.pdf: a picture ends in one of .jpg'),
    (['parse', 'cup', '--out', 'folder'], '--out folder: is a folder'),
    (['parse', 'cup', '--out', 'file/sentence.png'], '--out file: is not a folder'),
    (['parse', 'cup', '--out', ''], '--out: is empty'),
    (['parse', 'cup', '--head', 'foo'], '--head foo: there are modifier, '),
    (['parse', '--lines', 'file', '--head', 'foo'], '--head foo: there are modifier, '),
    (['parse', '--lines', 'folder'], 'folder: is a directory'),
    (['parse', '--lines', 'missing.txt'], 'missing.txt: no such file or directory'),
    (['parse', '--lines', ''], '--lines: is empty'),
    (['ground', 'folder', 'cup'], 'folder: is a directory'),
    (['ground', 'missing.png', 'cup'], 'missing.png: no such file or directory'),
    (['ground', 'image.png', 'cup', '--out', ''], '--out: is empty'),
    (['ground', 'image.png', 'cup', '--depth', '', '--intrinsics', 1, 1, 1, 1], '--depth: is empty'),
    (['ground', '', 'cup'], 'IMAGE: is empty'),
    (['ground', '--jsonl', ''], '--jsonl: is empty'),
    (['ground', '--jsonl', 'folder'], 'folder: is a directory'),
    (['ground', 'image.png', 'cup', '--depth', 'image.png', '--intrinsics', 0, 615, 320, 240],
     '--intrinsics: the focal length fx is 0.0'),
    (['ground', 'image.png', 'cup', '--depth', 'missing.npy', '--intrinsics', 615, 615, 320, 240],
     'missing.npy: no such file or directory'),
    (['ground', 'file', 'cup'], 'file is not an image'),
    (['ground', 'tiny/0.png', 'cup'], 'tiny/0.png: image must be at least 32 pixels'),
    (['ground', 'image.png', 'cup', '--depth', 'half.npy', '--intrinsics', 615, 615, 320, 240],
     'half.npy: depth is 64x48 and the image 128x96'),
    (['watch', 'missing.mp4', '--instruction', 'cup'], 'missing.mp4 does not exist'),
    (['watch', 'broken', '--instruction', 'cup'], 'broken/0.png is no image'),
    (['watch', 'tiny', '--instruction', 'cup'], 'tiny: image must be at least 32 pixels'),
    (['watch', ''], 'VIDEO_OR_FOLDER: is empty'),
    (['watch', 'frames', '--out', ''], '--out: is empty'),
    (['bench', 'language', '--out', ''], '--out: is empty'),
    (['bag', '', 'out.mcap'], 'IN: is empty'),
    (['fetch-weights', 'owlv2', '--out', ''], '--out: is empty'),
])
def test_what_is_no_good_is_named_first(capsys, no_good, here, arguments, begins):
    before = sorted(here.rglob('*'))
    status, out, said = run(capsys, *arguments)
    assert (status, out) == (2, '')
    assert said.startswith(begins), said
    assert sorted(here.rglob('*')) == before


@pytest.mark.parametrize('out', ['file', 'file/deeper'])
@pytest.mark.parametrize('arguments', [
    ['ground', 'image.png', 'cup'], ['ground', '--jsonl', 'questions.jsonl'], ['watch', 'frames'],
    ['watch', 'frames', '--instruction', 'cup'], ['bench', 'long'], ['fetch-weights', 'owlv2']])
def test_an_out_that_is_no_good_is_told_before_the_work(capsys, monkeypatch, here, arguments, out):
    worked = []

    def work(*_, **__):
        worked.append(arguments)
        return {'rows': []}

    for place in ('vla_attention.cli.ground.make_pipeline', 'vla_attention.cli.watch.make_pipeline',
                  'vla_attention.grounding.fetch.fetch_weights'):
        monkeypatch.setattr(place, work)
    monkeypatch.setattr(bench, '_load_benchmark', lambda _: SimpleNamespace(run=work))
    (here / 'questions.jsonl').write_text('{"image": "image.png", "instruction": "cup"}\n')
    status, printed, said = run(capsys, *arguments, '--out', out)
    assert (status, printed, worked) == (2, '', [])
    assert said.startswith(f'--out {out}: ')


def test_a_folder_that_is_not_there_is_made(capsys, columns, here):
    assert run(capsys, 'ground', 'image.png', 'cup', '--out', 'new/deeper')[0] == 0
    assert (here / 'new' / 'deeper' / 'image_overlay.png').exists()


def test_the_overlay_shows_every_target_and_what_is_not_in_view(capsys, columns, here):
    assert run(capsys, 'ground', 'image.png', 'cup, pen, no dog', '--out', 'out')[0] == 0
    pipeline = ground.make_pipeline(None)
    look = pipeline.look(IMAGE, pipeline.instruct('cup, pen, no dog'))
    assert {region.phrase for region in look.regions} == {'cup', 'pen'}
    maps = look.maps.maps * np.array([0.9, 0.9, 0.1], np.float32)[:, None, None]
    drawn = read_image(here / 'out' / 'image_overlay.png')
    assert np.array_equal(drawn, draw_overlay(IMAGE, look.regions, attention=maps.max(axis=0),
                                              phase='not in view: no dog'))
    cup, dog = (read_image(here / 'out' / f'image_{name}_target.png').max() for name in (0, 2))
    assert cup > dog + 30, 'what is not in view is not bright on its own map either'


def test_a_picture_of_all_that_is_in_view_has_no_line_about_what_is_not(capsys, columns, here):
    assert run(capsys, 'ground', 'image.png', 'cup', '--out', 'out')[0] == 0
    pipeline = ground.make_pipeline(None)
    look = pipeline.look(IMAGE, pipeline.instruct('cup'))
    assert np.array_equal(read_image(here / 'out' / 'image_overlay.png'),
                          draw_overlay(IMAGE, look.regions, attention=look.maps.maps[0] * np.float32(0.9)))


def test_a_picture_that_cannot_be_written_does_not_stop_the_other_questions(capsys, columns, here):
    (here / 'out' / '0000_image_heads.png').mkdir(parents=True)
    question = json.dumps({'image': 'image.png', 'instruction': 'cup'})
    (here / 'questions.jsonl').write_text(f'{question}\n{question}\n')
    status, out, said = run(capsys, 'ground', '--jsonl', 'questions.jsonl', '--out', 'out')
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 2 and said.startswith('1 of 2 questions')
    assert ['error' in line for line in lines] == [True, False]
    assert '0000_image_heads.png cannot be written' in lines[0].pop('error')
    assert lines[0] == lines[1] and lines[0]['target'], 'the answer is told all the same'
    assert (here / 'out' / '0001_image_heads.png').exists()


@pytest.mark.parametrize('question', [{'image': ''}, {'image': 'image.png', 'depth': ''}])
def test_an_empty_name_in_a_line_is_said(capsys, columns, here, question):
    (here / 'questions.jsonl').write_text(json.dumps({**question, 'instruction': 'cup'}))
    status, out, said = run(capsys, 'ground', '--jsonl', 'questions.jsonl', '--intrinsics', 1, 1, 1, 1)
    assert (status, out) == (2, '')
    assert said == 'questions.jsonl, line 1: "image" or "depth" is empty'


def in_opencv(*_):
    cv2.resize(IMAGE, (0, 0))


def in_numpy(*_):
    raise ValueError('all frames must be of one size')


@pytest.mark.parametrize(('fail', 'says'), [
    (in_opencv, 'wide: OpenCV: '), (in_numpy, 'wide: all frames must be')])
def test_an_episode_that_cannot_be_drawn_is_status_2(capsys, monkeypatch, here, fail, says):
    monkeypatch.setattr('vla_attention.view.filmstrip.draw_episode', fail)
    write_image(here / 'wide' / '0.png', IMAGE)
    status, out, said = run(capsys, 'watch', 'wide', '--out', 'out')
    assert status == 2 and out.count('\n') == 1
    assert said.startswith(says)


@pytest.mark.parametrize(('name', 'begins'), [
    ('a.png', b'\x89PNG'), ('a.JPG', b'\xff\xd8'), ('a.jpeg', b'\xff\xd8'), ('a.bmp', b'BM'),
    ('a', b'\x89PNG')])
def test_a_picture_is_what_its_name_says(capsys, here, name, begins):
    assert run(capsys, 'parse', 'pick up the cup', '--out', name)[0] == 0
    assert (here / name).read_bytes().startswith(begins)
    assert cv2.imread(str(here / name)).std() > 0


def test_a_picture_too_large_for_its_kind_is_said(tmp_path):
    with pytest.raises(UsageError, match=r'a\.jpg: OpenCV could not encode'):
        write_image(tmp_path / 'a.jpg', np.zeros((1, 70000, 3), np.uint8))


def test_an_instruction_without_words_is_drawn_whatever_head_is_asked(capsys, here):
    assert run(capsys, 'parse', '', '--head', 'modifier', '--out', 'empty.png')[0] == 0
    assert (here / 'empty.png').exists()


@pytest.mark.parametrize(('error', 'says'), [
    (IsADirectoryError(21, 'Is a directory', 'out'), 'out: is a directory'),
    (PermissionError(13, 'Permission denied', b'out'), 'out: permission denied'),
    (OSError(28, 'No space left on device'), 'no space left on device'),
    (OSError('the pool is away'), 'the pool is away'),
    (UsageError('--out: no'), '--out: no')])
def test_errors_are_told_as_people_do(error, says):
    assert told(error) == says


@pytest.mark.parametrize(('there', 'typed'), [('NFD', 'NFC'), ('NFC', 'NFD')])
def test_names_are_found_however_they_are_composed(capsys, columns, here, there, typed):
    folder, name = '사진 폴더', '컵 é.png'
    write_image(here / unicodedata.normalize(there, folder) / unicodedata.normalize(there, name), IMAGE)
    path = unicodedata.normalize(typed, f'{folder}/{name}')
    assert run(capsys, 'ground', path, 'cup')[0] == 0
    (here / 'q.jsonl').write_text(json.dumps({'image': path, 'instruction': 'cup'}), encoding='utf-8')
    status, out, _ = run(capsys, 'ground', '--jsonl', 'q.jsonl')
    assert status == 0 and 'error' not in out


@pytest.mark.parametrize('path', ['없는 폴더/그림.png', '없다.png', 'a.png', '/없다', '가' * 300, '\0가'])
def test_a_name_that_is_not_there_stays_as_it_is(here, path):
    assert as_on_disk(Path(path)) == Path(path)
