"""The embedded model with the weights that the package carries."""

import re
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
import torch

from vla_attention.grounding import BackendError
from vla_attention.grounding.attention_maps import HEADS
from vla_attention.grounding.colour import COLOURS, colour_evidence
from vla_attention.grounding.embedded import EmbeddedBackend
from vla_attention.grounding.embedded_model import WEIGHTS
from vla_attention.grounding.kind_classes import classes_of
from vla_attention.grounding.outline import outline
from vla_attention.grounding.proposals import from_patches, iou
from vla_attention.grounding.reference import references_of
from vla_attention.language import parse_phrase


@pytest.fixture(scope='module')
def backend():
    return EmbeddedBackend(engine='torch', longest=320)


@pytest.fixture(scope='module')
def coffee():
    return skimage.data.coffee()


def test_finds_the_cup_in_both_languages(backend, coffee):
    maps = backend.attend(coffee, backend.encode(['the cup', '컵']))
    for index in range(2):
        row, column = np.unravel_index(maps.maps[index].argmax(), maps.maps[index].shape)
        x, y = (column + 0.5) / maps.maps.shape[2] * 600, (row + 0.5) / maps.maps.shape[1] * 400
        assert 200 < x < 420      # the cup with its handle
        assert 70 < y < 300
    assert np.allclose(maps.maps[0], maps.maps[1])


@pytest.mark.parametrize(('known', 'unknown'), [('the object', 'the widget'), ('물건', '뿡뿡이')])
def test_a_noun_that_nobody_knows_asks_for_any_object_with_less_presence(backend, coffee, known, unknown):
    maps = backend.attend(coffee, backend.encode([known, unknown]))
    assert np.allclose(maps.maps[0], maps.maps[1])
    assert 0 < maps.presence[1] < 0.7 * maps.presence[0]
    assert maps.boxes[1][0, 4] < 0.7 * maps.boxes[0][0, 4]


def test_shapes_and_ranges(backend, coffee):
    phrases = ['the red cup left of the spoon', '가장 큰 접시', 'some widget', 'next to the cup']
    maps = backend.attend(coffee, backend.encode(phrases))
    assert maps.phrases == tuple(phrases)
    assert maps.image_size == (600, 400)
    rows, cols = maps.maps.shape[1:]
    assert (rows, cols) == (14, 20)
    assert set(maps.heads) >= {'colour', 'space', 'kind', 'size'}
    for values in (maps.maps, maps.masks, *maps.heads.values(), maps.presence):
        assert np.isfinite(values).all()
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-5
    assert [len(texts) for texts in maps.word_texts] == [len(words) for words in maps.words] == [7, 3, 2, 4]
    for boxes in maps.boxes:
        assert boxes.shape[1] == 5
        assert (np.diff(boxes[:, 4]) <= 1e-6).all()


def test_a_colour_picks_one_of_two():
    image = np.full((480, 640, 3), 150, np.uint8)
    image[200:280, 100:180] = (200, 20, 20)
    image[200:280, 450:530] = (20, 40, 200)
    backend = EmbeddedBackend(engine='torch')
    maps = backend.attend(image, backend.encode(['the red block', '파란 블록']))
    for index, box in enumerate(((100, 200, 180, 280), (450, 200, 530, 280))):
        assert iou(np.array(box, float), maps.boxes[index][:1, :4])[0] > 0.5


@pytest.mark.parametrize('image', [np.zeros((480, 640), np.uint8), np.zeros((20, 640, 3), np.uint8),
                                   np.zeros((480, 640, 3), np.float32)])
def test_bad_images_are_refused(backend, image):
    with pytest.raises(ValueError, match='image must be'):
        backend.attend(image, backend.encode(['cup']))


def test_missing_and_wrong_weights_are_named(tmp_path, monkeypatch):
    with pytest.raises(BackendError, match=r'nowhere\.safetensors'):
        EmbeddedBackend(tmp_path / 'nowhere.safetensors')
    wrong = tmp_path / 'wrong.safetensors'
    wrong.write_bytes(b'not weights at all')
    with pytest.raises(BackendError, match=r'wrong\.safetensors'):
        EmbeddedBackend(wrong)
    monkeypatch.setenv('HOME', str(tmp_path))
    with pytest.raises(BackendError, match=re.escape(str(wrong))):
        EmbeddedBackend('~/wrong.safetensors')
    with pytest.raises(BackendError, match='engine'):
        EmbeddedBackend(engine='abacus')


def test_the_weights_are_small():
    assert WEIGHTS.stat().st_size <= 14e6


def test_openvino_agrees_with_torch(coffee, tmp_path, monkeypatch):
    pytest.importorskip('openvino')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    answers = []
    for engine in ('torch', 'openvino', 'openvino'):    # the second time from the cache
        backend = EmbeddedBackend(engine=engine, longest=160, precision='f32')
        threads = torch.get_num_threads()
        answers.append(backend.attend(coffee, backend.encode(['cup', 'red spoon'])))
        assert torch.get_num_threads() == threads
    for other in answers[1:]:
        assert np.abs(other.maps - answers[0].maps).max() < 0.01
        assert np.abs(other.presence - answers[0].presence).max() < 0.01
    assert len(list((tmp_path / 'vla_attention' / 'embedded').glob('*.xml'))) == 2  # a graph for each look


def test_colours_of_plain_patches():
    plain = {'red': (200, 20, 20), 'yellow': (230, 210, 30), 'green': (30, 150, 50), 'blue': (30, 60, 200),
             'black': (15, 15, 15), 'white': (245, 245, 245), 'orange': (240, 120, 20),
             'brown': (110, 65, 30)}
    for name, rgb in plain.items():
        image = np.full((32, 32, 3), 250, np.uint8)     # colours are seen beside what is fully lit
        image[8:24, 8:24] = rgb
        evidence = colour_evidence(image, COLOURS, (8, 8))[:, 2:6, 2:6].mean(axis=(1, 2))
        assert COLOURS[int(evidence.argmax())] == name
        dim = colour_evidence((image * 0.5).astype(np.uint8), COLOURS, (8, 8))[:, 2:6, 2:6].mean(axis=(1, 2))
        assert COLOURS[int(dim.argmax())] == name
    with pytest.raises(ValueError, match='mauve'):
        colour_evidence(np.zeros((32, 32, 3), np.uint8), ['mauve'], (8, 8))


@pytest.mark.parametrize(('rgb', 'name'), [
    ((0, 190, 205), 'cyan'), ((110, 40, 170), 'purple'), ((240, 110, 175), 'pink'), ((128, 128, 128), 'grey'),
    ((250, 180, 180), 'pink'), ((110, 125, 80), 'green'), ((20, 20, 70), 'blue'), ((130, 30, 105), 'purple'),
    ((70, 15, 15), 'red')])
def test_pale_dull_and_dark_colours(rgb, name):
    image = np.full((32, 32, 3), 250, np.uint8)
    image[8:24, 8:24] = rgb
    assert COLOURS[int(colour_evidence(image, COLOURS, (8, 8))[:, 4, 4].argmax())] == name


def test_a_dark_picture_is_not_white_however_its_brightest_part_is_lit():
    evidence = colour_evidence(np.full((32, 32, 3), 40, np.uint8), COLOURS, (8, 8))[:, 4, 4]
    assert evidence[COLOURS.index('white')] < 0.2


def test_kinds_without_classes_fall_back():
    assert classes_of('banana') == ((954,), 0)
    assert classes_of('saucer')[0]
    numbers, steps = classes_of('mustard')
    assert numbers
    assert classes_of('toy truck')[1] == 0
    assert classes_of('') == ((), 0)
    assert steps == 0


def test_suppression_keeps_one_box_a_thing():
    boxes = np.array([[10, 10, 60, 60], [12, 11, 61, 62], [200, 100, 260, 160], [0, 0, 2, 2]], np.float32)
    found = from_patches(np.array([0.9, 0.8, 0.5, 0.99], np.float32), boxes, (320, 240))
    assert len(found.boxes) == 2
    assert iou(np.array([11, 10.5, 60.5, 61]), found.boxes[:1])[0] > 0.9


def test_outline_of_a_disc():
    ys, xs = np.mgrid[:60, :80]
    disc = (xs - 40) ** 2 + (ys - 30) ** 2 < 15 ** 2
    image = np.where(disc[..., None], (180, 40, 40), (90, 110, 90)).astype(np.uint8)
    (x0, y0, x1, y1), figure = outline(image, np.array([100, 60, 220, 180], float))
    drawn = np.zeros_like(disc)
    drawn[y0:y1, x0:x1] = figure > 0.5
    assert (drawn & disc).sum() / (drawn | disc).sum() > 0.8


def test_between_has_two_references():
    assert [part.kind for part in references_of(parse_phrase('the block between the cup and the plate'))] \
        == ['cup', 'plate']
    assert [part.kind for part in references_of(parse_phrase('컵과 접시 사이의 블록'))] == ['cup', 'plate']
    assert references_of(parse_phrase('the cup')) == ()


def test_between_knows_things_whose_name_says_and():
    phrase = parse_phrase('cup between the salt and pepper and the plate')
    assert [part.kind for part in references_of(phrase)] == ['salt and pepper', 'plate']


def test_a_place_between_two_things_is_between_them(backend):
    image = np.full((480, 640, 3), 150, np.uint8)
    image[200:280, 100:180] = (200, 20, 20)
    image[200:280, 450:530] = (20, 40, 200)
    phrases = ['between the red block and the blue block', '빨간 블록과 파란 블록 사이', 'red block',
               'blue block']
    maps = backend.attend(image, backend.encode(phrases))
    for index in range(2):
        best = maps.boxes[index][0]
        assert iou(np.array([180, 200, 450, 280], float), best[None, :4])[0] > 0.6
        assert maps.presence[index] == pytest.approx(min(maps.presence[2:]))
        _, column = np.unravel_index(maps.maps[index].argmax(), maps.maps[index].shape)
        assert 170 < (column + 0.5) * 640 / maps.maps.shape[2] < 460
        assert maps.masks[index][:, :10].max() < 0.5 < maps.masks[index].max() <= 1
        assert maps.heads['kind'][index].min() == 1


def test_no_phrases(backend, coffee):
    maps = backend.attend(coffee, backend.encode([]))
    assert maps.phrases == () and maps.image_size == (600, 400)
    assert maps.maps.shape == (0, 14, 20) and maps.presence.shape == (0,)
    assert {name: head.shape for name, head in maps.heads.items()} == dict.fromkeys(HEADS, (0, 14, 20))
    with pytest.raises(ValueError, match='image must be'):
        backend.attend(coffee[:8], backend.encode([]))


def test_an_image_that_would_have_no_side_is_refused_at_once(coffee):
    with pytest.raises(ValueError, match='longest must be at least 32 pixels, got 10'):
        EmbeddedBackend(engine='torch', longest=10)
    small = EmbeddedBackend(engine='torch', longest=32)
    assert np.isfinite(small.attend(coffee, small.encode(['cup'])).maps).all()


@pytest.mark.parametrize('device', ['meta', 'tpu-9', 'cuda:99', ''])
def test_no_such_device(device):
    for kind in (ValueError, BackendError):
        with pytest.raises(kind, match='device'):
            EmbeddedBackend(engine='torch', device=device)


def test_auto_is_the_cpu_where_there_is_nothing_else(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert EmbeddedBackend(engine='torch', device='auto').device == 'cpu'
    assert EmbeddedBackend(engine='torch', device='cpu:0').device == 'cpu'


def test_openvino_sends_nothing_over_the_network():
    pytest.importorskip('openvino', reason='openvino is not installed')
    script = ('from vla_attention.vision.graphs import import_openvino\n'
              'import sys\n'
              'import_openvino().Core()\n'
              'assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]\n')
    subprocess.run([sys.executable, '-c', script], check=True)
