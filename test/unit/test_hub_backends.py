"""The transformers backends, on tiny random models of each architecture, through the real loading path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hub_fixtures import NAMES, PHRASES, VISION

from vla_attention.grounding import make_backend
from vla_attention.grounding.attention_maps import HEADS
from vla_attention.grounding.hub_backend import to_grid

pytest_plugins = ['hub_fixtures']
pytestmark = pytest.mark.usefixtures('one_thread', 'cache')


@pytest.mark.parametrize('name', NAMES)
def test_answers_in_the_shape_of_the_protocol(backends, image, name):
    backend = backends[name]
    maps = backend.attend(image, backend.encode(PHRASES))
    grid = (4, 30, 40)      # as the embedded model sees a 4:3 image
    assert backend.name == name and backend.device == 'cpu'
    assert maps.phrases == PHRASES and maps.image_size == (160, 120)
    assert set(HEADS) <= set(maps.heads)
    for array in (maps.maps, *maps.heads.values()):
        assert array.shape == grid and array.dtype == np.float32
        assert np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1
    assert maps.presence.shape == (4,) and maps.presence.dtype == np.float32
    assert ((maps.presence >= 0) & (maps.presence <= 1)).all()
    assert [len(words) for words in maps.words] == [len(texts) for texts in maps.word_texts]
    for words in maps.words:
        assert words.shape[1:] == grid[1:]


@pytest.mark.parametrize('name', NAMES)
def test_heads_say_what_the_phrase_asks(backends, image, name):
    backend = backends[name]
    maps = backend.attend(image, backend.encode(PHRASES))
    asks = {'colour': [True, True, False, False], 'space': [True, False, True, False], 'size': [False] * 4}
    for head, expected in asks.items():
        assert [bool((one != 1).any()) for one in maps.heads[head]] == expected, head
    red = maps.heads['colour'][0]
    assert red[12:18, 6:11].mean() > 0.9 > 0.1 > red[14:21, 27:33].mean()
    side = maps.heads['space'][2]
    assert side[:, 0].min() > side[:, 39].max()


@pytest.mark.parametrize('name', ['owlv2', 'grounding_dino'])
def test_boxes_are_in_the_image_and_best_first(backends, image, name):
    backend = backends[name]
    maps = backend.attend(image, backend.encode(PHRASES))
    assert len(maps.boxes) == 4 and len(maps.boxes[0]) > 0 and len(maps.boxes[2]) == 0
    for boxes in maps.boxes:
        assert boxes.dtype == np.float32 and boxes.shape[1] == 5
        assert (boxes[:, :4] >= 0).all() and (boxes[:, 2] <= 160).all() and (boxes[:, 3] <= 120).all()
        assert (np.diff(boxes[:, 4]) <= 0).all()


def test_backends_without_boxes_leave_regions_to_the_map(backends, image):
    for name in ('clipseg', 'siglip'):
        maps = backends[name].attend(image, backends[name].encode(PHRASES))
        assert maps.boxes == ()
    masks = backends['clipseg'].attend(image, backends['clipseg'].encode(PHRASES)).masks
    assert masks.shape == (4, 64, 64) and masks.dtype == np.float32


def test_two_decoder_layers_of_grounding_dino_are_heads(backends, image):
    backend = backends['grounding_dino']
    heads = backend.attend(image, backend.encode(PHRASES)).heads
    assert {'decoder_2', 'decoder_3'} == set(heads) - set(HEADS)
    assert heads['decoder_3'][0].max() > 0
    assert not np.array_equal(heads['decoder_2'][0], heads['decoder_3'][0])


@pytest.mark.parametrize('name', NAMES)
def test_all_phrases_share_one_pass_over_the_image(backends, image, name):
    backend = backends[name]
    calls = []
    handle = backend.model.get_submodule(VISION[name]).register_forward_hook(lambda *_: calls.append(1))
    backend.attend(image, backend.encode(PHRASES))
    handle.remove()
    assert len(calls) == 1


@pytest.mark.parametrize('name', NAMES)
def test_the_same_twice(folders, backends, image, name):
    again = make_backend(name, model=str(folders[name]), device='cpu', engine='torch')
    first = backends[name].attend(image, backends[name].encode(PHRASES))
    for backend in (backends[name], again):
        second = backend.attend(image, backend.encode(PHRASES))
        np.testing.assert_array_equal(first.maps, second.maps)
        np.testing.assert_array_equal(first.presence, second.presence)


@pytest.mark.parametrize('shape', [(120, 160), (160, 120), (90, 160), (160, 160)])
def test_the_padding_is_cut_off_owlv2_s_map(backends, image, shape, monkeypatch):
    """One hot patch is where it lies in the picture, and what lies in the padding is nowhere."""
    backend = backends['owlv2']
    picture = np.zeros((*shape, 3), np.uint8)
    rows, cols = backend.grid(picture)
    for row, column in ((0, 0), (2, 1), (1, 2), (5, 1), (1, 5), (5, 5)):
        logits = torch.full((6, 6, 1), -9.0)
        logits[row, column] = 9
        monkeypatch.setattr(backend, '_detect', lambda *_, found=logits: (found, torch.full((36, 4), 0.5)))
        found = backend._look_at(picture, (), None, 1).maps[0]
        y, x = (row + 0.5) * 160 / 6, (column + 0.5) * 160 / 6
        if y - 14 >= shape[0] or x - 14 >= shape[1]:
            assert found.max() < 0.01, (row, column)
        elif y < shape[0] and x < shape[1]:
            high = np.argwhere(found > 0.9 * found.max()).mean(axis=0)
            at = (high + 0.5) * (shape[0] / rows, shape[1] / cols)
            np.testing.assert_allclose(at, (y, x), atol=5, err_msg=f'{row} {column}')


@pytest.mark.parametrize(('size', 'grid', 'extent', 'share'), [
    ((60, 60), (30, 40), (0.75, 1.0), 1 / 4),       # OWLv2, 960 pixels, 640x480
    ((60, 60), (40, 30), (1.0, 0.75), 1 / 4),
    ((60, 60), (22, 40), (0.5625, 1.0), 1 / 6),     # 1280x720
    ((45, 60), (30, 40), (1.0, 1.0), 1 / 4),
    ((22, 22), (20, 20), (1.0, 1.0), 1 / 9)])
def test_a_single_bright_patch_keeps_its_share_wherever_it_lies(size, grid, extent, share):
    valid = [int(np.ceil(side * part)) for side, part in zip(size, extent, strict=True)]
    hot = torch.eye(size[0] * size[1]).view(-1, *size)
    cells = to_grid(hot, grid, extent)
    peaks = cells.max(axis=(1, 2)).reshape(size)
    assert peaks[:valid[0], :valid[1]].min() >= share - 1e-6
    assert peaks[valid[0]:].max(initial=0) == 0 == peaks[:, valid[1]:].max(initial=0)
    np.testing.assert_allclose(cells.sum(axis=0), 1, atol=1e-5)      # means


def test_a_coarse_map_is_interpolated_without_its_padding():
    maps = torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(0))
    wanted = torch.nn.functional.interpolate(maps[:, None], (30, 40), mode='bilinear', align_corners=False)
    np.testing.assert_allclose(to_grid(maps, (30, 40)), wanted[:, 0], atol=1e-5)
    cut = torch.nn.functional.interpolate(maps[:, None, :3], (30, 40), mode='bilinear', align_corners=False)
    maps[:, 3:] = 100
    np.testing.assert_allclose(to_grid(maps, (30, 40), (0.5, 1.0)), cut[:, 0], atol=1e-5)


@pytest.mark.parametrize('name', NAMES)
def test_no_phrases(backends, image, name):
    maps = backends[name].attend(image, backends[name].encode([]))
    assert maps.phrases == () and maps.maps.shape == (0, 30, 40) and maps.presence.shape == (0,)
    assert all(head.shape == (0, 30, 40) for head in maps.heads.values())


@pytest.mark.parametrize('name', NAMES)
def test_many_images_at_once_give_what_each_gives_alone(backends, image, name):
    """Each robot of a pool has its own picture and its own phrases."""
    backend = backends[name]
    images = [image, np.ascontiguousarray(image[:, ::-1]), image[:96, :100]]
    encoded = [backend.encode(phrases) for phrases in (PHRASES, ('mug',), ('the left side',))]
    passes = []
    hook = backend.model.get_submodule(VISION[name]).register_forward_hook(lambda *_: passes.append(1))
    together = backend.attend_many(images, encoded)
    hook.remove()
    assert len(passes) == (1 if backend.exports else sum(bool(each.tree.texts) for each in encoded))
    for maps, one, phrases in zip(together, images, encoded, strict=True):
        alone = backend.attend(one, phrases)
        assert maps.phrases == alone.phrases and maps.image_size == alone.image_size
        np.testing.assert_allclose(maps.maps, alone.maps, atol=1e-4)
        np.testing.assert_allclose(maps.presence, alone.presence, atol=1e-4)


@pytest.mark.parametrize('bad', [np.zeros((120, 160), np.uint8), np.zeros((120, 160, 3), np.float32),
                                 np.zeros((8, 160, 3), np.uint8), None])
def test_refuses_what_is_no_image(backends, bad):
    encoded = backends['clipseg'].encode(['red mug'])
    with pytest.raises(ValueError, match='image must be'):
        backends['clipseg'].attend(bad, encoded)
