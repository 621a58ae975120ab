"""The second look: crops, what it remembers, how it is weighed, and what it is trained on."""

import numpy as np
import pytest
import torch
from torch import nn

from vla_attention.grounding.crop_attention import TOKENS, CropHead, class_prior
from vla_attention.grounding.embedded import EmbeddedBackend
from vla_attention.grounding.embedded_model import SecondModel
from vla_attention.grounding.proposals import best_apart
from vla_attention.grounding.second_look import MARGIN, SIDE, SecondLook, cut
from vla_attention.grounding.word_queries import WordQueries


def _picture(box, shape=(480, 640)):
    image = np.full((*shape, 3), 60, np.uint8)
    x0, y0, x1, y1 = box
    image[y0:y1, x0:x1] = (250, 30, 30)
    return image


@pytest.mark.parametrize('box', [(100, 100, 140, 120), (300, 40, 600, 440)])
def test_a_crop_shows_its_box_in_the_middle_with_a_margin(box):
    crop = cut(_picture(box), np.array([box], np.float32))[0]
    assert crop.shape == (SIDE, SIDE, 3)
    ys, xs = np.nonzero(crop[..., 0] > 155)
    longer = max(box[2] - box[0], box[3] - box[1])
    assert np.ptp(xs) + 1 == pytest.approx((box[2] - box[0]) / longer * SIDE / MARGIN, abs=2.5)
    assert np.ptp(ys) + 1 == pytest.approx((box[3] - box[1]) / longer * SIDE / MARGIN, abs=2.5)
    assert xs.mean() == pytest.approx(SIDE / 2, abs=1.5)
    assert ys.mean() == pytest.approx(SIDE / 2, abs=1.5)


def test_a_crop_beyond_the_border_repeats_it():
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, :50] = 200
    crop = cut(image, np.array([[-40, 20, 20, 80]], np.float32))[0]
    assert (crop == 200).all()


class _Counting:
    """An engine that tells apart crops by their mean and counts them."""

    name = 'counting'

    def __init__(self, head):
        self.head, self.batches = head, []

    def __call__(self, crops):
        self.batches.append(len(crops))
        mean = torch.from_numpy(crops).float().mean((1, 2, 3)) / 255
        features = mean[:, None, None].expand(-1, TOKENS, 1280)
        tokens, reach = self.head.encoder(features)
        return tokens, features.mean(1), reach


@pytest.fixture
def second():
    torch.manual_seed(0)
    head = CropHead(4).eval()
    words = 2
    queries = WordQueries(('cup', 'plate'), torch.zeros(1, words, 128),
                          head.words.queries(torch.ones(2), torch.arange(2), torch.zeros(2, 1280)),
                          torch.zeros(1, words, 4, 1280), torch.zeros(1, words, 4),
                          torch.zeros(1, words, 4, dtype=torch.bool), (1.0, 1.0))
    engine = _Counting(head)
    model = SecondModel(None, head.words, frozenset(), np.zeros(4, np.float32), None)
    image = np.linspace(0, 255, 640).astype(np.uint8)[None, :, None].repeat(480, 0).repeat(3, 2)
    return SecondLook(model, nn.Linear(1280, 1000), engine, image, queries, 8, 4), engine


def test_a_box_is_looked_at_once_and_a_batch_is_always_full(second):
    look, engine = second
    boxes = np.array([[i * 60, 100, i * 60 + 50, 150] for i in range(6)], np.float32)
    first, things = look(boxes)
    assert first.shape == (6, 2)
    assert things.shape == (6, 4)
    assert engine.batches == [4, 4]
    again, same = look(boxes[[5, 0]])
    assert engine.batches == [4, 4]
    assert np.array_equal(again, first[[5, 0]])
    assert np.array_equal(same, things[[5, 0]])
    nothing, nowhere = look(np.zeros((0, 4), np.float32))
    assert nothing.shape == (0, 2)
    assert nowhere.shape == (0, 4)
    assert len(np.unique(first[:, 0].round(4))) == 6      # each box has its own answer


def test_the_box_that_is_seen_lies_around_the_crop_that_shows_it(second):
    look, engine = second
    with torch.no_grad():
        engine.head.encoder.reach.weight.zero_()
        engine.head.encoder.reach.bias.copy_(torch.tensor([-0.5, -0.25, 0.5, 0.25]))
    _, things = look(np.array([[200, 100, 300, 120], [20, 40, 30, 140]], np.float32))
    side = 100 * MARGIN         # the crop is a square around the longer side
    expected = [[250 - side / 2, 110 - side / 4, 250 + side / 2, 110 + side / 4],
                [25 - side / 2, 90 - side / 4, 25 + side / 2, 90 + side / 4]]
    assert np.allclose(things, expected, atol=1e-3)


def test_the_class_prior_is_nothing_for_a_word_without_classes():
    torch.manual_seed(0)
    classifier = nn.Linear(1280, 1000)
    rows = torch.stack([classifier.weight[[7, 7, 7, 7]], torch.zeros(4, 1280)]).detach()
    bias = torch.stack([classifier.bias[[7, 7, 7, 7]], torch.zeros(4)]).detach()
    present = torch.tensor([[True, False, False, False], [False] * 4])
    pooled = torch.rand(3, 1280)
    prior = class_prior(pooled, classifier, rows, bias, present)
    assert prior.shape == (2, 3, 2)
    assert torch.allclose(prior[0, :, 0] * 5, classifier(pooled)[:, 7], atol=1e-4)
    share = classifier(pooled).log_softmax(-1)[:, 7].clamp(min=-12) + 6
    assert torch.allclose(prior[1, :, 0], share, atol=1e-4)
    assert (prior[:, :, 1] == 0).all()


def test_the_best_boxes_stand_apart():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [90, 90, 99, 99]], float)
    assert best_apart(np.array([0.5, 0.9, 0.7, 0.1]), boxes, 2) == [1, 2]
    assert best_apart(np.array([0.5, 0.9, 0.7, 0.1]), boxes, 9) == [1, 2, 3]


def test_looks_below_zero_are_refused():
    with pytest.raises(ValueError, match='looks must be 0 or more, got -1'):
        EmbeddedBackend(looks=-1)
    with pytest.raises(ValueError, match='relooks must be 0 or more, got -1'):
        EmbeddedBackend(relooks=-1)


def test_the_second_look_is_asked_for_by_looks_alone(coffee_backends):
    coffee, once, twice = coffee_backends
    encoded = once.encode(['the cup'])
    with pytest.raises(ValueError, match='no second look'):
        once.view(coffee, encoded).evidence('cup', np.array([[200, 60, 420, 300]], np.float32))
    view = twice.view(coffee, twice.encode(['the cup']))
    cup, cloth = view.evidence('cup', np.array([[210, 80, 400, 300], [0, 330, 60, 400]], np.float32))
    assert cup[2] > cloth[2] + 1
    assert len(view.shortlist(twice.encode(['the cup']).phrases[0])) <= 3


def test_boxes_are_moved_half_of_the_way_to_what_is_seen_from_near(coffee_backends):
    coffee, once, twice = coffee_backends
    boxes = np.array([[210, 80, 400, 300], [0, 330, 60, 400]], np.float32)
    with pytest.raises(ValueError, match='no second look'):
        once.view(coffee, once.encode(['the cup'])).settled(boxes)
    view = twice.view(coffee, twice.encode(['the cup']))
    scale = np.array([coffee.shape[1] / view.size[0], coffee.shape[0] / view.size[1]] * 2)
    seen = np.clip(view.near(view.to_image(boxes))[1] / scale, 0, view.size * 2)
    assert np.allclose(view.settled(boxes), (boxes + seen) / 2, atol=1e-2)
    # the cup without its handle, as a box that cuts a part of it off: the second look sees more of it
    part = np.array([[210, 80, 330, 300]], np.float32)
    assert view.settled(part)[0, 2] > part[0, 2] + 5


@pytest.fixture(scope='module')
def coffee_backends():
    import skimage.data
    return (skimage.data.coffee(), EmbeddedBackend(engine='torch', looks=0),
            EmbeddedBackend(engine='torch', looks=3))


def test_weighing_the_looks_finds_what_tells_right_from_wrong():
    fuse = pytest.importorskip('training.grounding.fuse')
    random = np.random.default_rng(0)
    evidence = random.normal(size=(4000, 3)).astype(np.float32)
    true = np.array([1.0, 0.0, 2.0])
    right = random.random(4000) < 1 / (1 + np.exp(-(evidence @ true - 0.5)))
    weights = fuse.fit(evidence, right, np.zeros(4000, int))
    assert weights == pytest.approx([1.0, 0.0, 2.0, -0.5], abs=0.2)


def test_crops_of_a_scene_say_what_they_show():
    crops = pytest.importorskip('training.grounding.crops')
    composites = pytest.importorskip('training.grounding.composites')
    scene = composites.Composite(_picture((200, 150, 300, 250)), [('cup', (200, 150, 300, 250), 0, True)],
                                 [((0, 0, 640, 480), True, True)])
    random = np.random.default_rng(0)
    found = [crop for _ in range(20) for crop in crops.crops_of(scene, random)]
    fits = [crop for crop in found if crop.things and crop.things[0][1] > 0.6]
    empty = [crop for crop in found if not crop.things]
    assert len(fits) > 5
    assert len(empty) > 5
    assert all((crop.image[..., 0] > 200).mean() > 0.25 for crop in fits)
    assert all(crop.all_labelled and not crop.open_kinds for crop in found)
    for crop in fits:
        ys, xs = np.nonzero(crop.image[..., 0] > 155)
        seen = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / SIDE - 0.5
        shown = np.clip(crop.reach, -0.5, 0.5)          # what lies outside of the crop is not seen
        assert np.abs(seen - shown).max() < 0.02
    assert all(crop.reach is None for crop in empty)
    proposed = np.array([[10, 10, 60, 60]], np.float32)
    assert len(list(crops.crops_of(scene, np.random.default_rng(1), proposed=proposed))) == 1 + len(
        list(crops.crops_of(scene, np.random.default_rng(1))))
