"""Episodes that are made up keep their word, and the measures are the literature's."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
if not (ROOT / 'training' / 'episodes').exists():
    pytest.skip('training/ comes with the source checkout', allow_module_level=True)
sys.path.insert(0, str(ROOT))

from training.episodes.camera import random_camera  # noqa: E402
from training.episodes.episode import drawn_episode  # noqa: E402
from training.episodes.script import TASKS, ScriptWriter, write_script  # noqa: E402
from training.moments.dataset import tokenize  # noqa: E402
from training.moments.measure import Tally, edit_score, event_counts, overlap_counts  # noqa: E402
from training.moments.train import mirror  # noqa: E402
from training.moments.train_action import disturb, tip_errors  # noqa: E402
from vla_attention.moments import PHASES, MomentAttention  # noqa: E402
from vla_attention.moments.action import FEATURES, Action, ActionFinder  # noqa: E402
from vla_attention.moments.cues import CHANNELS, GRID, Token  # noqa: E402
from vla_attention.moments.trajectory import Trajectory  # noqa: E402
from vla_attention.moments.weights import load_part  # noqa: E402


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('seed', range(4))
def test_an_object_moves_only_when_it_is_held_or_pushed_or_falls(task, seed):
    script = ScriptWriter(np.random.default_rng(seed), task).write()
    times = np.arange(0, script.duration, 0.05)
    states = script.play(times)
    assert len(states) == len(times)
    dropped = [time for time, name in script.events if name == 'drop']
    for before, state, time in zip(states[:-1], states[1:], times[1:], strict=True):
        moved = np.abs(state.objects - before.objects).max(axis=1) > 1e-3
        if not dropped or time < dropped[0]:
            assert not moved.any() or state.contact or before.contact
        assert state.phase in (*PHASES, None)
        assert (state.phase in ('move',)) <= (state.held >= 0)


def test_grasps_and_releases_are_where_the_phases_change():
    script = ScriptWriter(np.random.default_rng(3), 'pick_place').write()
    (grasp, first), (release, second) = script.events[:2]
    assert (first, second) == ('grasp', 'release')
    times = np.array([grasp - 0.01, grasp + 0.01, release - 0.01, release + 0.01])
    before, after, placing, _ = script.play(times)
    assert (before.phase, after.phase, placing.phase) == ('grasp', 'move', 'place')


def test_the_camera_sees_the_work_and_large_enough():
    seen, pixels = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        script = write_script(rng)
        in_view = np.vstack([script.objects[:1], script.destination[None]])
        thing = float(np.sort(script.sizes[0])[1])
        camera = random_camera(rng, (264, 204), in_view, script.way(), thing)
        seen.append(camera.sees(script.way()).mean())
        pixels.append(thing * camera.focal / camera.project(in_view[0])[1][0])
    # nobody could say what a tool does that is out of view, or with a thing of a few pixels
    assert np.mean(seen) > 0.96 and np.mean(np.array(pixels) > 0.025 * 264) > 0.97


def test_an_episode_is_the_same_each_time():
    first, second = (list(drawn_episode(11).frames)[:5] for _ in range(2))
    assert all(np.array_equal(one.image, other.image) and one.time == other.time
               for one, other in zip(first, second, strict=True))


def test_the_model_beats_always_saying_the_commonest_phase():
    attention, tally, counts = MomentAttention(), Tally(len(PHASES)), np.zeros(len(PHASES))
    for seed in range(2_000_000, 2_000_005):
        attention.reset()
        said, true = [], []
        for frame in drawn_episode(seed).frames:
            said.append(PHASES.index(attention.update(frame.time, frame.image).phase))
            true.append(-1 if frame.phase is None else PHASES.index(frame.phase))
        tally.add(said, true)
        counts += np.bincount([label for label in true if label >= 0], minlength=len(PHASES))
    assert tally.results()['accuracy'] > counts.max() / counts.sum() + 0.1


def test_the_tip_is_found_in_scenes_never_seen():
    finder = ActionFinder()
    finder.load_state_dict(load_part(None, 'finder'))
    episodes = [tokenize(drawn_episode(seed), np.random.default_rng(0))
                for seed in range(2_000_000, 2_000_008)]
    wide = [one for one in episodes if np.ptp(one.tips, axis=0).min() > 0.25]
    assert len(wide) >= 2
    best_place = [np.hypot(*((one.tips - np.median(one.tips, axis=0)) * one.aspect).T) for one in wide]
    # no place that stays the same comes as near
    assert np.median(tip_errors(finder, wide)) < 0.6 * np.median(np.concatenate(best_place))


def test_what_training_does_to_the_maps_it_does_to_the_tip():
    torch.manual_seed(0)
    maps = torch.zeros(64, len(CHANNELS), *GRID)
    maps[:, :2] = 128
    tips = torch.rand(64, 2) * 0.4 + 0.3
    rows, columns = (tips[:, 1] * GRID[0]).long(), (tips[:, 0] * GRID[1]).long()
    maps[torch.arange(64), 2, rows, columns] = 250      # the speed is never left out
    moved, places = disturb(maps, tips)
    seen = moved[:, 2].flatten(1).argmax(dim=1)
    said = torch.stack([seen % GRID[1], seen // GRID[1]], dim=1) + 0.5
    inside = ((places > 0.03) & (places < 0.97)).all(dim=1)
    assert inside.sum() > 40
    assert ((said - places * torch.tensor(GRID[::-1])).abs()[inside] < 1.6).all()


def test_a_mirrored_scene_gives_a_mirrored_observation():
    rng = np.random.default_rng(0)
    turned, plain = Trajectory(), Trajectory()
    for number in range(12):
        maps = rng.integers(1, 256, (len(CHANNELS), *GRID), dtype=np.uint8)
        flipped = maps[:, :, ::-1].copy()
        flipped[0] = 256 - flipped[0].astype(int)
        attention = np.zeros((2, 12, 16), np.uint8)
        attention[0, 3, 4] = 200
        # in the middles of cells, so that both lie in the same cell
        x, y = (6 + number + 0.5) / GRID[1], (8 + number // 2 + 0.5) / GRID[0]
        feature = np.zeros(FEATURES, np.float32)
        one = plain.read(Token(number * 0.2, 0.2, maps, 0.0, (0.8, 0.6), attention),
                         Action((x, y), 0.9, feature))
        other = turned.read(Token(number * 0.2, 0.2, flipped, 0.0, (0.8, 0.6), attention[:, :, ::-1]),
                            Action((1 - x, y), 0.9, feature))
    mirrored = mirror(torch.from_numpy(one.vector)[None])[0].numpy()
    np.testing.assert_allclose(mirrored, other.vector, atol=0.03)
    assert np.abs(one.vector - other.vector).max() > 0.3


def test_edit_score_and_overlaps():
    assert edit_score([0, 0, 1, 1], [0, 1, 1, 1]) == 1.0
    assert edit_score([0, 1, 0, 1], [0, 0, 1, 1]) == pytest.approx(0.5)
    assert overlap_counts([0, 0, 1, 1], [0, 0, 0, 1], 0.5) == (2, 0, 0)
    assert overlap_counts([0, 1, 1, 1], [0, 0, 0, 1], 0.5) == (0, 2, 2)


def test_events_are_matched_one_to_one():
    hits, false, missed, latencies = event_counts([(1.1, 'grasp'), (1.2, 'grasp'), (5.0, 'release')],
                                                  [(1.0, 'grasp'), (4.0, 'release')])
    assert (hits, false, missed) == (1, 2, 1) and latencies == [pytest.approx(0.1)]


def test_unlabelled_frames_are_not_counted():
    tally = Tally(2)
    tally.add([0, 1, 1], [0, -1, 1])
    assert tally.results()['accuracy'] == 1.0
