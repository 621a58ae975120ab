"""Depth as cameras give it: with holes, too little of it, in other units, of another size."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from things_in_depth import CAMERA, EYE, FOCAL, coloured, overlap, region_of

from benchmarks._tabletop import Thing, d435, render
from vla_attention.focus import decode_depth, lift
from vla_attention.focus.depth import edges


@pytest.mark.parametrize('valid', [
    lambda row, column: (row % 2 == 0) & (column % 2 == 0), lambda row, column: (row + column) % 2 == 0],
    ids=['every fourth', 'every second'])
def test_depth_of_a_coarser_camera_has_holes_and_things_all_the_same(valid):
    thing = Thing('box', np.array([0.0, 0.0, 0.025]), np.array([0.05, 0.04, 0.05]), 0.4)
    scene = render((thing,), EYE, FOCAL)
    depth = d435(scene.depth, np.random.default_rng(1))
    depth[~valid(*np.indices(depth.shape))] = np.nan
    region = lift(region_of(scene, 0), depth, CAMERA)
    assert region.no_3d == '' and np.linalg.norm(region.center - scene.center(0)) < 0.005
    assert overlap(scene, 0, region.mask) > 0.85


def test_black_spots_stay_in_the_outline_that_colours_drew():
    thing = Thing('box', np.array([0.0, 0.0, 0.04]), np.array([0.12, 0.1, 0.08]), 0.4)
    scene = render((thing,), EYE, FOCAL)
    depth = d435(scene.depth, np.random.default_rng(1))
    spots = cv2.GaussianBlur(np.random.default_rng(2).normal(size=depth.shape), (0, 0), 4)
    depth[(scene.instances == 2) & (spots > np.quantile(spots, 0.6))] = np.nan
    region = lift(region_of(scene, 0), depth, CAMERA, coloured(scene, (200, 40, 40)))
    assert overlap(scene, 0, region.mask) > 0.9


def all_but_one_point(depth, mask):
    return np.where(mask & (np.cumsum(mask).reshape(mask.shape) > 1), np.float32(np.nan), depth)


@pytest.mark.parametrize('spoil, reason', [
    (lambda depth, mask: np.full_like(depth, np.nan), '0 of'),
    (lambda depth, mask: np.zeros_like(depth), '0 of'), (all_but_one_point, '1 of')],
    ids=['nan', 'zero', 'one point'])
def test_too_little_depth_leaves_2d_and_says_why(spoil, reason):
    scene = render((Thing('box', np.array([0, 0, 0.04]), np.array([0.1, 0.08, 0.08])),), EYE, FOCAL)
    region = region_of(scene, 0)
    answer = lift(region, spoil(scene.depth, region.mask > 0).astype(np.float32), CAMERA)
    assert answer.no_3d.startswith(reason) and answer.center is None and answer.points is None
    assert answer.box == region.box and (answer.mask == region.mask).all()


def test_sizes_and_types_that_do_not_fit_are_named():
    scene = render((Thing('box', np.array([0, 0, 0.04]), np.array([0.1, 0.08, 0.08])),), EYE, FOCAL)
    region = region_of(scene, 0)
    with pytest.raises(ValueError, match='depth is 320x240 and the image 640x480'):
        lift(region, scene.depth[::2, ::2].copy(), CAMERA)
    with pytest.raises(ValueError, match='depth is float64'):
        lift(region, scene.depth.astype(np.float64), CAMERA)
    with pytest.raises(ValueError, match='image has the shape'):
        lift(region, scene.depth, CAMERA, np.zeros((10, 10, 3), np.uint8))


def test_depth_is_read_by_its_type():
    depth = decode_depth(np.array([[0, 1500, 65535]], np.uint16))
    np.testing.assert_allclose(depth, [[np.nan, 1.5, 65.535]])
    metres = np.array([[0, -1, np.inf, np.nan, 0.5]], np.float32)
    np.testing.assert_allclose(decode_depth(metres), [[np.nan] * 4 + [0.5]])
    assert metres[0, 1] == -1       # the argument stays as it is
    with pytest.raises(ValueError, match='float64'):
        decode_depth(np.zeros((2, 2)))
    with pytest.raises(ValueError, match='shape'):
        decode_depth(np.zeros((2, 2, 3), np.float32))


def test_jumps_are_edges_and_a_steep_table_is_not():
    steep = np.repeat(np.linspace(0.5, 1.1, 200, dtype=np.float32)[:, None], 100, axis=1)
    assert not edges(steep, 1 / FOCAL)[0].any()
    steep[:, 50:] += 0.05
    jumps, near = edges(steep, 1 / FOCAL)
    assert (jumps.sum(axis=1) == 2).all() and (jumps & near == jumps & (np.arange(100) == 49)).all()


@pytest.mark.parametrize('none', [0, -1, np.inf])
def test_no_reading_may_be_other_than_nan(none):
    scene = render((Thing('box', np.array([0, 0, 0.04]), np.array([0.1, 0.08, 0.08])),), EYE, FOCAL)
    region = region_of(scene, 0)
    hole = np.zeros(scene.depth.shape, bool)
    x, y = (int(value) for value in region.point)
    hole[y - 15:y + 15, x - 15:x + 15] = True
    nan, other = (lift(region, np.where(hole, np.float32(each), scene.depth), CAMERA)
                  for each in (np.nan, none))
    np.testing.assert_array_equal(nan.points, other.points)
    np.testing.assert_array_equal(nan.center, other.center)
