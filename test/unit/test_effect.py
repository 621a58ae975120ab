"""What is compared with and without attention: readouts over the same features."""

import numpy as np
import pytest
import torch

from training.effect.features import (
    CELLS,
    CHANNELS_KEPT,
    GRID,
    Asked,
    Example,
    Projection,
    tokenize,
    vocabulary,
)
from training.effect.model import READOUTS, Chooser, overlap
from training.effect.train import encode, stack, train
from training.effect.train import test as answers

CHANNELS = (1280, 112)  # of the backbone at strides 32 and 16


def scene(seed, things=3):
    """Return a scene of bright and dark things; what is asked for is the bright or the dark one."""
    rng = np.random.default_rng(seed)
    columns = rng.permutation(5)[:things]
    boxes = torch.tensor([[0.2 * column, 0.25, 0.2 * column + 0.2, 0.75] for column in columns])
    cells = torch.zeros(CELLS, CHANNELS_KEPT)
    for index, covered in enumerate(overlap(boxes.float())):
        cells[covered > 0.5, index % 2] = 3.0
    kinds = [index % 2 for index in range(things)]
    asked = tuple(Asked(tokenize(text), kinds.index(kind), ('kind',), language)
                  for kind, en, ko in ((0, 'the bright one', '밝은 것'), (1, 'the dark one', '어두운 것'))
                  for language, text in (('en', en), ('ko', ko)))
    return Example(cells.half(), boxes.float(), asked)


@pytest.mark.parametrize('readout', READOUTS)
def test_a_scene_is_answered_alike_alone_and_in_a_batch(readout):
    torch.manual_seed(0)
    scenes = [scene(0, things=2), scene(1, things=4)]
    words = vocabulary(scenes)
    scenes[0] = Example(scenes[0].cells, scenes[0].boxes, scenes[0].asked[:2])
    numbers = [encode(each.asked, words) for each in scenes]
    model = Chooser(readout, len(words) + 2).eval()
    with torch.no_grad():
        together = model(*stack(scenes, numbers))
        for row, each, asked in zip(together, scenes, numbers, strict=True):
            alone = model(*stack([each], [asked]))[0]
            assert torch.allclose(row[:len(asked), :len(each.boxes)], alone, atol=1e-5)
    assert (together[0, :, 2:] < -1e30).all() and together.isfinite().all()


@pytest.mark.parametrize('readout', [name for name in READOUTS if name != 'pooled image'])
def test_what_the_patches_tell_is_learned(readout):
    learned, held_out = [scene(seed, 2) for seed in range(24)], [scene(seed, 2) for seed in range(100, 116)]
    words = vocabulary(learned)
    model, _ = train(readout, learned, words, epochs=6, seed=0)
    assert np.mean([choice.right for choice in answers(model, held_out, words)]) > 0.9


def test_the_averaged_picture_cannot_tell_two_things_apart():
    held_out = [scene(seed, 2) for seed in range(100, 116)]
    words = vocabulary(held_out)
    model, _ = train('pooled image', [scene(seed, 2) for seed in range(24)], words, epochs=6, seed=0)
    assert np.mean([choice.right for choice in answers(model, held_out, words)]) < 0.8


def test_readouts_are_about_as_large():
    sizes = [sum(weight.numel() for weight in Chooser(name, 900).parameters()) for name in READOUTS]
    assert max(sizes) < 1.1 * min(sizes)
    with pytest.raises(ValueError, match='pooled image'):
        Chooser('magic', 10)


def test_patches_keep_their_place():
    projection = Projection.random()
    coarse, fine = (torch.zeros(GRID[0] // stride, GRID[1] // stride, channels)
                    for stride, channels in zip((2, 1), CHANNELS, strict=True))
    coarse[2, 3], fine[5, 7] = 1.0, 1.0
    patches = projection(coarse, fine).unflatten(0, GRID)
    touched = patches.abs().sum(-1) > 0
    assert touched[4:6, 6:8].all() and touched.sum() == 4
    assert (patches[5, 7] != patches[4, 6]).any()


def test_a_box_covers_what_it_covers():
    share = overlap(torch.tensor([[0.0, 0.0, 1.5 / GRID[1], 1.0]])).unflatten(-1, GRID)[0]
    assert torch.allclose(share[:, :3], torch.tensor([1.0, 0.5, 0.0]).expand(GRID[0], 3), atol=1e-5)
