"""How the embedded model is trained: outlines, shards, things hardly seen, and steps that ruin nothing."""

import json
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from training.grounding import crops, features, train
from training.grounding.composites import Composite
from training.grounding.groups import names_of
from training.grounding.photos import Photo, Thing, cut_out, read_image
from training.grounding.run import descend
from training.grounding.targets import crop_label, make_targets
from training.grounding.train_crops import _targets
from vla_attention.grounding.embedded_model import save_model
from vla_attention.grounding.head import GroundingHead
from vla_attention.vision.backbone import CHANNELS, EfficientNetLite0

WHOLE = ((0, 0, 640, 480), True, True)
CUP, BOOK, HIDDEN = ((200, 150, 300, 250), (400, 100, 560, 300), (40, 300, 120, 420))
VOCABULARY = ['banana', 'book', 'cup', 'mug', 'object', 'plate']


@pytest.fixture(autouse=True)
def one_thread():
    """As the commands ask for, but for this file alone."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def test_a_thing_is_cut_out_alike_whatever_ran_before(tmp_path):
    noise = np.random.default_rng(0)
    picture = noise.integers(60, 190, (200, 240, 3), np.uint8)
    cv2.ellipse(picture, (120, 100), (60, 45), 0, 0, 360, (70, 110, 190), -1)
    picture = cv2.add(picture, noise.integers(0, 60, picture.shape, np.uint8))
    cv2.imwrite(str(tmp_path / 'thing.png'), picture)
    photo = Photo(tmp_path / 'thing.png', (Thing('ball', (55.0, 50.0, 185.0, 150.0)),), True)
    cuts = []
    for seed in range(4):
        cut_out.cache_clear()
        cv2.setRNGSeed(seed)
        cuts.append(cut_out(photo, photo.things[0]))
    cut_out.cache_clear()
    read_image.cache_clear()
    first, *others = cuts
    for other in others:
        assert np.array_equal(first[0], other[0])
        assert np.array_equal(first[1], other[1])


def _batch(labels):
    targets = [make_targets(label, VOCABULARY, np.random.default_rng(0), count=6) for label in labels]
    parts = (torch.from_numpy(np.stack([getattr(each, name) for each in targets]))
             for name in ('inside', 'core', 'outside', 'objects', 'boxes'))
    kinds = train.make_words(torch.zeros(1000, 1280), torch.zeros(1000)).kinds
    return train.Batch(torch.rand(len(labels), CHANNELS[16] + CHANNELS[8], 30, 40),
                       torch.rand(len(labels), CHANNELS[32], 15, 20),
                       torch.tensor([[kinds.index(word) for word in each.words] for each in targets]), *parts)


@pytest.mark.parametrize('label', [
    {'objects': [], 'regions': [WHOLE]},
    {'objects': [('cup', (0, 0, 320, 480), 0, False)],
     'regions': [((0, 0, 320, 480), False, False), ((320, 0, 640, 480), True, True)]},
])
def test_a_batch_with_nothing_boxed_teaches_and_breaks_nothing(label):
    torch.manual_seed(0)
    words = train.make_words(torch.randn(1000, 1280) * 0.01, torch.zeros(1000))
    head = GroundingHead(len(words.kinds))
    parts = train.losses(head, _batch([label]), words, torch.ones(len(words.kinds)))
    assert all(value.isfinite() for value in parts.values()), parts
    assert parts['boxes'] == 0
    assert (parts['pointing'] == 0) == (not label['objects'])
    torch.stack(list(parts.values())).sum().backward()
    assert all(each.grad.isfinite().all() for each in head.parameters() if each.grad is not None)


def test_a_step_that_would_ruin_all_weights_is_refused():
    layer = torch.nn.Linear(2, 1)
    before = layer.weight.detach().clone()
    with pytest.raises(RuntimeError, match='non-finite'):
        descend(layer(torch.ones(1, 2)).sum() * float('nan'), layer, torch.optim.SGD(layer.parameters()), 0.1)
    assert torch.equal(layer.weight, before)


def test_the_place_of_a_thing_that_is_hardly_seen_is_neither_right_nor_wrong():
    things = [('cup', CUP, 0, True), ('book', BOOK, 0, True)]
    with_it, without = (make_targets({'objects': objects, 'regions': [WHOLE]}, VOCABULARY,
                                     np.random.default_rng(0), count=6)
                        for objects in ([*things, ('plate', HIDDEN, 0, None)], things))
    assert with_it.words == without.words
    ys, xs = np.divmod(np.arange(30 * 40), 40)
    place = ((xs * 16 + 8 >= HIDDEN[0]) & (xs * 16 + 8 <= HIDDEN[2])
             & (ys * 16 + 8 >= HIDDEN[1]) & (ys * 16 + 8 <= HIDDEN[3]))
    assert np.array_equal(with_it.inside, without.inside)
    assert np.array_equal(with_it.core, without.core)
    assert np.array_equal(with_it.outside[:, ~place], without.outside[:, ~place])
    assert np.array_equal(with_it.objects[~place], without.objects[~place], equal_nan=True)
    assert np.isnan(with_it.objects[place]).all()
    assert (without.objects[place] == 0).all()
    wrong = {word: row[place] for word, row in zip(with_it.words, with_it.outside, strict=True)}
    assert not wrong['plate'].any()
    assert not wrong['object'].any()
    assert wrong['banana'].all()        # whatever it is, that it is not
    assert wrong['cup'].all()


def test_a_window_knows_what_is_hardly_seen():
    label = {'objects': [('plate', HIDDEN, 0, None)], 'regions': [WHOLE]}
    for left in (0, 100):       # its middle is inside, and outside
        (kind, box, _, boxed), = crop_label(label, left, 280, 320, 320)['objects']
        assert (kind, boxed) == ('plate', None)
        assert box == [max(0, HIDDEN[0] - left), 20, HIDDEN[2] - left, 140]


def test_crops_ask_nothing_of_what_is_hardly_seen():
    scene = Composite(np.zeros((480, 640, 3), np.uint8), [('cup', CUP, 0, True), ('plate', HIDDEN, 0, None)],
                      [WHOLE])
    proposed = np.array([HIDDEN, CUP, (450, 300, 560, 420)], np.float32)
    on_it, on_cup, elsewhere = list(crops.crops_of(scene, np.random.default_rng(0), proposed=proposed))[-3:]
    assert [kind for kind, _ in on_cup.things] == ['cup']
    assert not on_it.things
    assert on_it.reach is None

    def targets(crop):
        found = _targets((crop.things, crop.open_kinds, crop.all_labelled, crop.reach), VOCABULARY)
        return dict(zip(VOCABULARY, found.tolist(), strict=True))

    assert (targets(on_it)['plate'], targets(on_it)['object'], targets(on_it)['cup']) == (-1, -1, 0)
    assert (targets(on_cup)['plate'], targets(on_cup)['object'], targets(on_cup)['cup']) == (0, 1, 1)
    assert not any(targets(elsewhere).values())


def _scene(*things):
    objects = tuple(SimpleNamespace(kind=kind, box2d=box, visible=visible) for kind, box, visible in things)
    return SimpleNamespace(image=np.zeros((240, 320, 3), np.uint8), objects=objects)


def test_a_rendered_thing_that_is_nearly_hidden_stays_as_unknown(monkeypatch, tmp_path):
    scene = _scene(('cup', (10, 20, 30, 40), 0.9), ('plate', (50, 60, 70, 80), 0.2))
    monkeypatch.setattr(features, 'load_scene', lambda folder, record: scene)
    found, = features.rendered(tmp_path, [{}])
    assert [(kind, tuple(map(float, box)), boxed) for kind, box, _, boxed in found.objects] == [
        ('cup', (20, 40, 60, 80), True), ('plate', (100, 120, 140, 160), None)]
    assert found.regions == [WHOLE]
    features.write_shard(tmp_path / '0000.npz', [found] * 8, lambda image: (
        torch.zeros(1, 40, 60, 80), torch.zeros(1, 112, 30, 40), torch.zeros(1, 1280, 15, 20)))
    assert train.seen_words([tmp_path / '0000.npz']) == sorted(names_of('cup'))


@pytest.fixture
def fill(monkeypatch, tmp_path, capsys):
    """Run features.py over a folder of so many rendered scenes; gives {shard: first and last scene}."""
    monkeypatch.setattr(features, 'load_backbone', lambda path: None)
    monkeypatch.setattr(features, 'OpenVinoEngine', lambda model, threads: None)
    monkeypatch.setattr(features, 'load_scene',
                        lambda folder, record: _scene(('cup', (0, 0, record['seed'], 1), 1)))
    written = {}

    def write_shard(path, scenes, engine):
        seeds = [int(scene.objects[0][1][2] / 2) for scene in scenes]
        assert seeds == list(range(seeds[0], seeds[0] + 100))
        written[path.name] = seeds[0]
        path.touch()

    monkeypatch.setattr(features, 'write_shard', write_shard)

    def run(count, *options):
        (tmp_path / 'labels.jsonl').write_text(''.join(f'{{"seed": {seed}}}\n' for seed in range(count)))
        written.clear()
        monkeypatch.setattr(sys, 'argv', ['features', '--rendered', str(tmp_path), '--backbone', 'none',
                                          '--out', str(tmp_path / 'cache'), *options])
        features.main()
        return dict(written), capsys.readouterr().out

    return run


def test_scenes_behind_the_last_whole_shard_are_told(fill):
    written, told = fill(230)
    assert written == {'0000.npz': 0, '0001.npz': 100}
    assert 'the last 30 of 230 scenes are left out' in told
    written, told = fill(330)       # more scenes: what is there stays
    assert written == {'0002.npz': 200}
    written, told = fill(300)
    assert written == {}
    assert 'left out' not in told


def test_scenes_of_the_shards_before_are_skipped(fill):
    assert fill(420, '--first', '2', '--shards', '1')[0] == {'0002.npz': 200}


@pytest.mark.parametrize(('count', 'options'), [(99, ()), (230, ('--first', '2'))])
def test_fewer_scenes_than_a_shard_are_an_error(fill, capsys, tmp_path, count, options):
    with pytest.raises(SystemExit, match='2'):
        fill(count, *options)
    assert f'nothing to write, it has {count} scenes' in capsys.readouterr().err
    assert not list(tmp_path.rglob('*.npz'))


def test_a_shard_of_crops_that_a_shorter_run_left_is_filled(monkeypatch, tmp_path):
    class Engine:
        def __init__(self, model, threads, precision):
            pass

        def __call__(self, images):
            return None, torch.zeros(len(images), 2, 1, 1), torch.zeros(len(images), 2, 1, 1)

    monkeypatch.setattr(crops, 'SHARD', 30)
    monkeypatch.setattr(crops, 'load_backbone', lambda path: None)
    monkeypatch.setattr(crops, 'OpenVinoEngine', Engine)
    scene = Composite(np.zeros((480, 640, 3), np.uint8), [('cup', CUP, 0, True)], [WHOLE])

    def run(scenes):
        monkeypatch.setattr(crops, 'rendered', lambda folder: iter([scene] * scenes))
        monkeypatch.setattr(sys, 'argv', ['crops', '--rendered', 'scenes', '--backbone', 'none', '--out',
                                          str(tmp_path)])
        crops.main()
        return [len(np.load(path)['features']) for path in sorted(tmp_path.glob('????.npz'))]

    first = run(4)
    assert len(first) == 1
    assert 0 < first[0] < 30
    filled = run(16)
    assert len(filled) > 1
    assert filled[:-1] == [30] * (len(filled) - 1)
    before = (tmp_path / '0000.npz').stat().st_mtime_ns
    assert run(16) == filled
    assert (tmp_path / '0000.npz').stat().st_mtime_ns == before      # a whole one is left alone


def test_a_run_of_so_many_steps_can_be_repeated(monkeypatch, tmp_path):
    random = np.random.default_rng(0)
    kinds = ['apple', 'ball', 'banana', 'banknote', 'basket', 'book', 'bottle', 'bowl', 'box', 'cable',
             'camera', 'candle', 'clock', 'cup', 'doll', 'drill', 'egg', 'fork', 'hammer', 'hat', 'key',
             'knife', 'lamp', 'laptop', 'pen', 'phone', 'pillow', 'plate', 'shoe', 'spoon']
    places = [[x, y, x + 50, y + 40] for y in (40, 180, 320) for x in (40, 180, 320, 460)]
    labels = [{'objects': [(kind, box, 0, True)
                           for kind, box in zip(random.permutation(kinds)[:12], places, strict=True)],
               'regions': [WHOLE]} for _ in range(24)]
    cache = tmp_path / 'cache'
    cache.mkdir()
    np.savez(cache / '0000.npz', fine=random.random((24, CHANNELS[16] + CHANNELS[8], 30, 40), np.float32),
             coarse=random.random((24, CHANNELS[32], 15, 20), np.float32),
             labels=np.frombuffer(json.dumps(labels).encode(), np.uint8))
    torch.manual_seed(0)
    backbone = EfficientNetLite0()
    monkeypatch.setattr(train, 'load_backbone', lambda path: backbone)
    monkeypatch.setattr(train, 'evaluate', lambda *_: {})
    learned = []
    for name in ('first', 'second'):
        out = tmp_path / name
        monkeypatch.setattr(sys, 'argv', ['train', '--cache', str(cache), '--val', str(cache), '--backbone',
                                          'none', '--out', str(out), '--steps', '4', '--batch', '8'])
        train.main()
        log = [json.loads(line) for line in (out / 'log.jsonl').read_text().splitlines()]
        assert [entry['steps'] for entry in log] == [3, 1]
        learned.append(load_file(str(out / 'head.safetensors')))
    first, second = learned
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_head_of_another_lexicon_is_not_packed(tmp_path):
    with pytest.raises(ValueError, match='the head knows 5 kinds'):
        save_model(tmp_path / 'embedded.safetensors', {}, GroundingHead(5).state_dict(), {}, [], [], '')
    assert not any(tmp_path.iterdir())
