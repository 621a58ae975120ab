"""The attention over time: causal, sound at every frame, and clean after pauses and jumps."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from moving_pictures import crossing, run, table
from safetensors.torch import save_file

from vla_attention.focus import FocusRegion
from vla_attention.language import Instruction
from vla_attention.moments import PHASES, MomentAttention, watch
from vla_attention.moments.estimate import RuleEstimator
from vla_attention.moments.phase_model import TRAINED_FAILURE_RATE, WINDOW, AttentionEstimator
from vla_attention.moments.trajectory import SIZE, Observation
from vla_attention.moments.weights import load_part
from vla_attention.pipeline import Look, Query


@pytest.fixture(scope='module')
def attention():
    return MomentAttention()


def same(first, second):
    return (first.phase == second.phase and first.importance == pytest.approx(second.importance, abs=1e-6)
            and first.probabilities == pytest.approx(second.probabilities, abs=1e-6))


def test_every_frame_has_a_sound_answer(attention):
    for moment in run(attention, crossing()):
        assert sum(moment.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
        assert tuple(moment.probabilities) == PHASES
        assert moment.phase == max(moment.probabilities, key=moment.probabilities.get)
        assert 0.0 <= moment.importance <= 1.0
        assert sum(moment.attention) == pytest.approx(1.0, abs=1e-5)
        assert len(moment.attention) == len(moment.attention_times) <= WINDOW
        assert moment.attention_times[-1] == moment.time


def test_an_answer_uses_this_frame_and_earlier_ones_alone(attention):
    frames = crossing()
    whole = run(attention, frames)
    part = run(attention, [*frames[:9], (1.8, table(5))])
    assert all(same(one, other) for one, other in zip(whole[:9], part[:9], strict=True))


def test_a_still_scene_is_idle_without_an_action(attention):
    moments = run(attention, [(number * 0.2, table()) for number in range(12)])
    assert {moment.phase for moment in moments} == {'idle'}
    assert moments[-1].focus_area is None and moments[-1].importance < 0.2
    assert not any(moment.events for moment in moments)


def test_the_focus_area_lies_on_what_moves(attention):
    moments = run(attention, crossing())
    x0, y0, x1, y1 = moments[-1].focus_area
    left = 20 + 8 * 19
    assert x0 < left + 50 and x1 > left and y0 < 125 < y1
    assert x0 >= 0 and x1 <= 320 and (x1 - x0) * (y1 - y0) < 0.5 * 320 * 240


def test_a_target_region_at_the_action_widens_the_focus_area(attention):
    frames = crossing(12)
    plain = run(attention, frames)[-1].focus_area
    region = FocusRegion('target', 'block', 0.9, (plain[0] + 5, plain[1] + 5, 318.0, 200.0), (0.0, 0.0),
                         np.zeros((0, 0), np.uint8))
    run(attention, frames[:-1])
    assert attention.update(*frames[-1], regions=[region]).focus_area[2] == 318.0


@pytest.mark.parametrize('offset', [-50.0, 7.0], ids=['clock jumps back', 'pause'])
def test_a_jump_or_a_pause_starts_anew(attention, offset):
    frames = crossing()
    fresh = run(attention, frames)
    run(attention, [(time + 100.0, image) for time, image in frames])
    shift = 100.0 + frames[-1][0] + offset
    again = [attention.update(time + shift, image) for time, image in frames]
    assert all(same(one, other) for one, other in zip(fresh, again, strict=True))


def test_a_frame_out_of_order_repeats_the_answer(attention):
    frames = crossing()
    in_order = run(attention, frames)
    attention.reset()
    moments = []
    for time, image in frames:
        moments.append(attention.update(time, image))
        late = attention.update(time - 0.03, image)
        assert late.probabilities == moments[-1].probabilities and late.events == ()
    assert all(same(one, other) for one, other in zip(in_order, moments, strict=True))


def test_another_image_size_starts_anew(attention):
    run(attention, crossing(6))
    assert attention.update(1.4, table(size=(120, 160))).focus_area is None


@pytest.mark.parametrize('glitch', ['black', 'torn', 'white'])
def test_a_frame_that_shows_nothing_of_the_scene_is_left_out(attention, glitch):
    frames = crossing()
    bad = {'black': np.zeros_like(table()), 'torn': table(9), 'white': np.full_like(table(), 255)}[glitch]
    moments = run(attention, [(time, bad if number == 12 else image)
                              for number, (time, image) in enumerate(frames)])
    without = run(attention, [frame for number, frame in enumerate(frames) if number != 12])
    assert same(moments[12], moments[11])
    assert all(same(one, other) for one, other in zip(moments[13:], without[12:], strict=True))


def test_a_camera_cut_starts_anew_without_an_action(attention):
    moments = run(attention, [(number * 0.2, table(0 if number < 10 else 9)) for number in range(60)])
    assert {moment.phase for moment in moments} == {'idle'}
    assert not any(moment.events for moment in moments)
    moving = [(time + 4.0, image) for time, image in crossing()]
    run(attention, [(number * 0.2, table(9)) for number in range(20)])
    again = [attention.update(time, image) for time, image in moving]
    fresh = run(attention, moving[3:])      # the first three are waited for, whether they are a glitch
    assert all(same(one, other) for one, other in zip(again[3:], fresh, strict=True))


@pytest.mark.parametrize('light', [0.6, 0.8, 1.2])
def test_a_jump_of_the_exposure_is_no_action(attention, light):
    lit = np.clip(table() * light, 0, 255).astype(np.uint8)
    moments = run(attention, [(number * 0.2, table() if number < 10 else lit) for number in range(40)])
    assert {moment.phase for moment in moments} == {'idle'}


def test_between_ticks_the_answer_is_repeated_without_its_events(attention):
    attention.reset()
    first = attention.update(0.0, table())
    second = attention.update(0.05, table(7))
    assert second.time == 0.05 and second.probabilities == first.probabilities and second.events == ()


@pytest.mark.parametrize('arguments, text', [
    ((float('nan'), table()), 'time must be finite'),
    ((0.0, table()[..., 0]), 'image must be'),
    ((0.0, table().astype(np.float32)), 'image must be'),
    ((0.0, np.zeros((8, 8, 3), np.uint8)), '16 pixels'),
])
def test_bad_input_is_refused(attention, arguments, text):
    with pytest.raises(ValueError, match=text):
        attention.update(*arguments)


def test_a_map_of_another_shape_is_refused(attention):
    with pytest.raises(ValueError, match='attention map'):
        attention.update(0.0, table(), target_map=np.zeros(5, np.float32))


def test_a_map_without_numbers_is_refused(attention):
    with pytest.raises(ValueError, match='no numbers'):
        attention.update(0.0, table(), destination_map=np.full((3, 4), np.nan, np.float32))


@pytest.mark.parametrize('folder', ['{home}', '~'])
def test_missing_weights_are_named(tmp_path, monkeypatch, folder):
    monkeypatch.setenv('HOME', str(tmp_path))
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / 'none.safetensors'))):
        MomentAttention(Path(folder.format(home=tmp_path)) / 'none.safetensors')


def test_weights_of_another_model_are_refused(tmp_path):
    save_file({'encoder.weight': torch.zeros(2)}, str(tmp_path / 'other.safetensors'))
    with pytest.raises(ValueError, match="other\\.safetensors: no part 'phases'"):
        MomentAttention(tmp_path / 'other.safetensors')


def test_weights_of_another_size_are_refused(tmp_path):
    weights = {f'phases.{name}': tensor for name, tensor in load_part(None, 'phases').items()}
    weights['phases.encoder.mean'] = torch.zeros(3)
    save_file(weights, str(tmp_path / 'older.safetensors'))
    with pytest.raises(ValueError, match=r"older\.safetensors: part 'phases' is of another model: .*mean"):
        MomentAttention(tmp_path / 'older.safetensors')


def test_streaming_gives_what_whole_sequences_give():
    rng = np.random.default_rng(0)
    length = WINDOW + 9
    seen = [Observation(0.2 * step, rng.normal(0, 1, SIZE).astype(np.float32), (0.5, 0.5), None)
            for step in range(length)]
    estimator = AttentionEstimator(failure_rate=TRAINED_FAILURE_RATE)
    streamed = np.stack([estimator.step(observation).probabilities for observation in seen])
    with torch.inference_mode():
        beliefs, _ = estimator.model(torch.from_numpy(np.stack([one.vector for one in seen]))[None],
                                     torch.tensor([[one.time for one in seen]]))
    np.testing.assert_allclose(streamed, beliefs[0].numpy(), atol=2e-4)


def test_what_looks_like_a_failure_is_doubted_where_failures_are_rare():
    rng = np.random.default_rng(1)
    seen = [Observation(0.2 * step, rng.normal(0, 1, SIZE).astype(np.float32), (0.5, 0.5), None)
            for step in range(40)]
    gone = []
    for rate in (0.01, TRAINED_FAILURE_RATE, 0.6):
        estimator = AttentionEstimator(failure_rate=rate)
        estimates = np.stack([estimator.step(observation).probabilities for observation in seen])
        np.testing.assert_allclose(estimates.sum(axis=1), 1.0, atol=1e-5)
        gone.append(estimates[:, PHASES.index('retreat')].sum())
    assert gone[0] < gone[1] < gone[2]
    with pytest.raises(ValueError, match='failure_rate'):
        AttentionEstimator(failure_rate=1.0)


def test_the_rule_goes_through_the_phases():
    moments = run(MomentAttention(estimator=RuleEstimator()), crossing())
    assert [moments[0].phase, moments[-1].phase] == ['idle', 'approach']


def test_watch_needs_a_pipeline_for_an_instruction():
    with pytest.raises(ValueError, match='pipeline'):
        next(watch([], instruction='pick up the cup'))
    seen = list(watch(iter(crossing(4))))
    assert len(seen) == 4 and seen[2][1].time == pytest.approx(0.4)


class Counting:
    """A pipeline that counts how often it looks."""

    def __init__(self):
        self.looks = 0

    def instruct(self, instruction):
        return Query(Instruction(instruction), (), (), None)

    def look(self, image, query, time=None):
        self.looks += 1
        return Look(query, None, ())


def test_only_frames_that_are_due_are_looked_at():
    pipeline = Counting()
    frames = [(number / 30, table()) for number in range(30)]
    moments = [moment for _, moment in watch(frames, instruction='take the cup', pipeline=pipeline)]
    assert len(moments) == 30 and pipeline.looks == 6     # at 0, 0.17, 0.33 ... 0.83 s


@pytest.mark.parametrize('size', [(64, 640), (120, 640), (640, 100), (30, 30)])
def test_images_of_any_shape_are_watched(attention, size):
    for moment in run(attention, [(time / 5, table(time, size)) for time in range(4)]):
        assert moment.phase in PHASES       # OpenCV's flow crashes the process on images too low for it
