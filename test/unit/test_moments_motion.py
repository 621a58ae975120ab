"""What moves, where the tip of the arm is and which way it goes: what phases are told from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from moving_pictures import table

from vla_attention.moments.action import Action, ActionFilter, ActionFinder, look, mirrored
from vla_attention.moments.cues import ATTENTION_GRID, CHANNELS, GRID, Token, make_token
from vla_attention.moments.motion import MotionTracker
from vla_attention.moments.trajectory import FEATURES, SCALARS, Trajectory
from vla_attention.moments.weights import load_part


def test_a_fast_turn_of_the_camera_goes_on():
    big, tracker = table(3, (300, 600)), MotionTracker()
    for number in range(6):
        image = np.ascontiguousarray(big[20:260, 50 * number:50 * number + 320])
        assert tracker.goes_on(image)
        tracker.update(number * 0.2, image)


def token_at(number):
    return Token(number * 0.2, 0.2, np.full((len(CHANNELS), *GRID), 128, np.uint8), 0.0, (0.8, 0.6),
                 np.zeros((2, *ATTENTION_GRID), np.uint8))


def told(observation):
    return dict(zip(SCALARS, observation.vector[:len(SCALARS)].tolist(), strict=True))


def test_attention_maps_are_told_relative_to_the_tip():
    target = np.zeros((15, 20), np.float32)
    target[3, 16] = 1.0
    token = make_token(MotionTracker().update(0.0, table()), target)
    values = told(Trajectory().read(token, Action((0.5, 0.5), 1.0, np.zeros(FEATURES, np.float32))))
    assert values['target_known'] == 1.0 and values['destination_known'] == 0.0
    assert values['target_x'] > 0.4 and values['target_y'] < -0.3


def test_the_way_of_the_tip_is_told():
    trajectory = Trajectory()
    seen = []
    for number in range(30):    # stands, goes right for two seconds, stands
        x = 0.2 + 0.04 * min(max(number - 8, 0), 10)
        action = Action((x, 0.5), 1.0, np.zeros(FEATURES, np.float32))
        seen.append(told(trajectory.read(token_at(number), action)))
    assert seen[14]['velocity_x'] > 0.5 and seen[14]['velocity_y'] == 0.0 and not seen[14]['stopped']
    assert seen[14]['way_x_0.8'] == pytest.approx(4 * 0.8 * 0.04 * 4)
    assert seen[29]['stopped'] and seen[29]['still'] > 0.5
    assert seen[14]['stop_0'] > 0.3 and seen[29]['stop_0'] == pytest.approx(0.0, abs=0.1)


def test_the_place_of_the_tip_is_kept_through_a_moment_of_doubt():
    follow, features = ActionFilter(), np.zeros((FEATURES, 12, 16), np.float32)

    def heat(row, column):
        logits = np.full(GRID, -8.0, np.float32)
        logits[row, column] = 4.0
        return logits
    for _ in range(5):
        action = follow.step(heat(10, 8), features)
    assert action.point == pytest.approx((8.5 / 32, 10.5 / 24), abs=0.01) and action.certainty > 0.9
    doubt = follow.step(np.zeros(GRID, np.float32), features)
    assert doubt.point == pytest.approx(action.point, abs=0.02) and doubt.certainty < action.certainty
    for _ in range(4):
        action = follow.step(heat(3, 28), features)
    assert action.point == pytest.approx((28.5 / 32, 3.5 / 24), abs=0.01)


def test_a_camera_that_moves_is_not_taken_for_a_mover():
    big = table(3, (300, 400))
    tracker = MotionTracker()
    shares = []
    for number in range(8):
        image = np.ascontiguousarray(big[20 + number:260 + number, 20 + 2 * number:340 + 2 * number])
        maps = tracker.update(number * 0.2, image)
        shares.append(float((maps.speed > 0).mean()))
    assert maps.camera > 0 and max(shares) < 0.05


def test_what_a_mover_leaves_behind_is_fresh():
    tracker = MotionTracker()
    for number in range(14):    # a block comes in, stands, is left
        image = table()
        image[100:140, 150:190] = (20, 200, 60)
        if number < 3:
            image = table()
        maps = tracker.update(number * 0.2, image)
        if number == 6:
            middle = maps.fresh[56:64, 80:90].mean()
    assert middle > 0.8 and maps.fresh.mean() == 0


def test_left_and_right_are_looked_at_alike():
    finder = ActionFinder().eval()
    finder.load_state_dict(load_part(None, 'finder'))
    maps = np.random.default_rng(3).integers(0, 256, (2, len(CHANNELS), *GRID))
    maps = torch.from_numpy(maps.astype(np.float32))
    maps[:, 0] = maps[:, 0].clamp(min=1)    # the flow is 1..255 around 128
    torch.testing.assert_close(mirrored(mirrored(maps)), maps)
    heat, features = look(finder, maps)
    turned, _ = look(finder, mirrored(maps))
    np.testing.assert_allclose(turned[..., ::-1], heat, atol=1e-3)
    assert features.shape == (2, FEATURES, GRID[0] // 2, GRID[1] // 2)
    alone = finder(maps)[0].detach().numpy()
    assert np.abs(alone - finder(mirrored(maps))[0].detach().numpy()[..., ::-1]).max() > 0.1   # not by itself
