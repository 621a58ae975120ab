"""Hollow things, and things with a handle, on ray-cast scenes whose truth is exact."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks._tabletop import Thing, d435, render
from vla_attention.focus import FocusRegion, Intrinsics, lift
from vla_attention.focus.footprint import footprint

FOCAL = 615.0
CAMERA = Intrinsics(FOCAL, FOCAL, 319.5, 239.5)
WALLS = 24          # short boxes that make a pot's wall


def pot(radius, height):
    """Return its wall, of short boxes that stand in a ring."""
    turns = np.arange(WALLS) * 2 * np.pi / WALLS
    return [Thing('box', np.array([radius * np.cos(turn), radius * np.sin(turn), height / 2]),
                  np.array([0.004, 2 * np.pi * radius / WALLS + 0.001, height]), turn) for turn in turns]


def seen(things, eye):
    """Return the scene, and the one thing that all parts make, in space."""
    scene = render(tuple(things), np.array(eye), FOCAL)
    mask = (scene.instances > 1).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    region = FocusRegion('target', 'pot', 1.0, (x, y, x + width, y + height), (x + width / 2, y + height / 2),
                         mask * np.uint8(255))
    return scene, lift(region, d435(scene.depth, np.random.default_rng(1)), CAMERA)


def overlap(scene, mask):
    visible = scene.instances > 1
    return ((mask > 0) & visible).sum() / ((mask > 0) | visible).sum()


def test_a_pot_seen_over_its_rim_has_its_far_wall_too():
    scene, region = seen(pot(0.1, 0.12), (0.0, -0.7, 0.3))
    np.testing.assert_allclose(region.size[:2], 0.204, rtol=0.08)
    assert overlap(scene, region.mask) > 0.9


def test_a_pot_seen_from_above_is_as_high_as_its_rim():
    bottom = Thing('cylinder', np.array([0.0, 0.0, 0.003]), np.array([0.16, 0.16, 0.006]))
    scene, region = seen([*pot(0.08, 0.12), bottom], (0.02, -0.03, 0.95))
    middle = scene.center(WALLS) + (0.06 - 0.003) * scene.axes(WALLS)[:, 2]
    assert np.linalg.norm(region.center - middle) < 0.005
    np.testing.assert_allclose(region.size, [0.164, 0.164, 0.12], atol=0.008)
    assert overlap(scene, region.mask) > 0.9


def disc_and_handle(angle, handle=(0.03, 0.07)):
    """Return points (N, 2) of a disc of 80 mm with a handle of 12 mm, which reaches 30 mm farther."""
    x, y = (each.ravel() for each in np.meshgrid(*[np.arange(-0.08, 0.08, 0.002)] * 2))
    points = np.stack([x, y], axis=1)
    disc = np.hypot(x, y) < 0.04
    arm = (x > handle[0]) & (x < handle[1]) & (np.abs(y) < 0.006)
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, s], [-s, c]])
    return points[disc] @ turn, points[arm] @ turn


@pytest.mark.parametrize('angle', [0.0, 0.3, 0.8, 2.0])
def test_a_handle_lies_along_the_longer_side_and_does_not_widen_the_shorter(angle):
    disc, handle = disc_and_handle(angle)
    middle, sides, turn = footprint(np.concatenate([disc, handle]), np.empty((0, 2)), 0.002)
    assert abs(np.sin(turn - angle)) < np.sin(np.radians(3))
    np.testing.assert_allclose(sides, [0.11, 0.08], atol=0.003)
    np.testing.assert_allclose(middle, [0.015 * np.cos(angle), 0.015 * np.sin(angle)], atol=0.002)


def test_no_handle_is_guessed_where_none_is_seen():
    disc, handle = disc_and_handle(0.8)
    _, sides, _ = footprint(disc, handle, 0.002)
    np.testing.assert_allclose(sides, 0.08, atol=0.003)


def test_corners_are_no_handles():
    x, y = (each.ravel() for each in np.meshgrid(np.arange(-50, 50, 2), np.arange(-40, 40, 2)))
    c, s = np.cos(0.5), np.sin(0.5)
    points = 1e-3 * np.stack([x, y], axis=1) @ np.array([[c, s], [-s, c]])
    _, sides, turn = footprint(points, np.empty((0, 2)), 0.002)
    np.testing.assert_allclose(sides, [0.098, 0.078], atol=0.001)
    assert abs(np.sin(turn - 0.5)) < np.sin(np.radians(1))
