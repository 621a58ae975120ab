"""Depth to boxes, clouds and poses, on ray-cast scenes whose truth is exact."""

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from things_in_depth import CAMERA, EYE, FOCAL, coloured, overlap, region_of

from benchmarks._tabletop import Thing, d435, render
from vla_attention.focus import FocusRegion, approach_pose, lift
from vla_attention.focus.plane import fit_plane
from vla_attention.focus.pose import SteadyAxes, quaternion, rotation
from vla_attention.grounding.between import places_between


def on_thing(scene, index, points):
    columns = np.round(points[:, 0] / points[:, 2] * FOCAL + 319.5).astype(int)
    rows = np.round(points[:, 1] / points[:, 2] * FOCAL + 239.5).astype(int)
    return (scene.instances[rows, columns] == 2 + index).mean()


def lifted(things, index=0, grow=6, noise=True, **view):
    scene = render(tuple(things), view.pop('eye', EYE), FOCAL, **view)
    depth = d435(scene.depth, np.random.default_rng(1)) if noise else scene.depth
    return scene, lift(region_of(scene, index, grow), depth, CAMERA)


@pytest.mark.parametrize('yaw', [0.0, 0.5, 1.2, 2.6])
def test_a_box_has_its_centre_size_and_yaw(yaw):
    thing = Thing('box', np.array([0.02, 0.03, 0.04]), np.array([0.14, 0.07, 0.08]), yaw)
    scene, region = lifted([thing])
    assert np.linalg.norm(region.center - scene.center(0)) < 0.008
    np.testing.assert_allclose(region.size, thing.size, rtol=0.12)
    axes = rotation(region.orientation)
    assert abs(axes[:, 0] @ scene.axes(0)[:, 0]) > np.cos(np.radians(4))
    assert axes[:, 2] @ scene.axes(0)[:, 2] > np.cos(np.radians(2))
    assert on_thing(scene, 0, region.points) > 0.95
    visible = scene.instances == 2
    assert ((region.mask > 0) & visible).sum() / ((region.mask > 0) | visible).sum() > 0.9


@pytest.mark.parametrize('thing', [
    Thing('cylinder', np.array([0.0, 0.0, 0.06]), np.array([0.08, 0.08, 0.12])),
    Thing('ball', np.array([0.0, 0.0, 0.04]), np.array([0.08, 0.08, 0.08]))], ids=['cylinder', 'ball'])
def test_the_hidden_side_is_guessed(thing):
    scene, region = lifted([thing])
    assert np.linalg.norm(region.center - scene.center(0)) < 0.008
    np.testing.assert_allclose(np.sort(region.size), np.sort(thing.size), rtol=0.15)


def test_what_is_in_front_is_cut_away():
    far = Thing('box', np.array([0.0, 0.08, 0.06]), np.array([0.16, 0.06, 0.12]))
    near = Thing('cylinder', np.array([0.01, -0.1, 0.08]), np.array([0.03, 0.03, 0.16]))
    scene = render((far, near), EYE, FOCAL)
    region = region_of(scene, 0)
    hull = cv2.convexHull(cv2.findNonZero(region.mask))
    whole = cv2.fillConvexPoly(region.mask.copy(), hull, 255)       # the outline runs over what is in front
    assert (scene.instances[whole > 0] == 3).mean() > 0.05
    answer = lift(replace(region, mask=whole), d435(scene.depth, np.random.default_rng(1)), CAMERA)
    assert on_thing(scene, 0, answer.points) > 0.95
    np.testing.assert_allclose(answer.size, far.size, rtol=0.2)


def test_a_wall_behind_is_not_the_table():
    wall = Thing('box', np.array([0.0, 0.2, 0.3]), np.array([1.2, 0.02, 0.6]))
    cup = Thing('cylinder', np.array([0.0, 0.1, 0.05]), np.array([0.07, 0.07, 0.1]))
    scene, region = lifted([cup, wall], eye=np.array([0.0, -0.5, 0.3]), look_at=np.array([0, 0.1, 0.05]))
    assert rotation(region.orientation)[:, 2] @ scene.axes(0)[:, 2] > np.cos(np.radians(4))
    assert np.linalg.norm(region.center - scene.center(0)) < 0.012


def test_a_block_on_a_block_does_not_reach_the_table_and_nothing_in_the_air_does():
    lower = Thing('box', np.array([0.0, 0.0, 0.03]), np.array([0.12, 0.12, 0.06]))
    upper = Thing('box', np.array([0.0, 0.0, 0.08]), np.array([0.05, 0.05, 0.04]), 0.3)
    scene, region = lifted([upper, lower], grow=0)
    assert region.size[2] < 0.06
    held = Thing('box', np.array([0.0, 0.0, 0.22]), np.array([0.08, 0.05, 0.05]), 0.3)
    scene, region = lifted([held])
    np.testing.assert_allclose(region.size[2], 0.05, atol=0.015)
    assert np.linalg.norm(region.center - scene.center(0)) < 0.012


@pytest.mark.parametrize('eye', [(0.0, -0.15, 0.75), (0.04, -0.02, 0.7)], ids=['steep', 'straight above'])
@pytest.mark.parametrize('shape, size', [('box', (0.14, 0.1, 0.11)), ('cylinder', (0.08, 0.08, 0.1)),
                                         ('box', (0.06, 0.05, 0.03))], ids=['box', 'can', 'flat'])
def test_a_thing_whose_top_alone_is_seen_reaches_down_to_what_it_stands_on(shape, size, eye):
    thing = Thing(shape, np.array([0.02, 0.01, size[2] / 2]), np.array(size), 0.9)
    scene, region = lifted([thing], eye=np.array(eye))
    assert np.linalg.norm(region.center - scene.center(0)) < 0.004
    np.testing.assert_allclose(region.size[2], thing.size[2], atol=0.005)


def test_a_block_on_a_block_seen_from_above_reaches_down_to_that_block():
    lower = Thing('box', np.array([0.0, 0.0, 0.03]), np.array([0.16, 0.16, 0.06]))
    upper = Thing('box', np.array([0.0, 0.0, 0.085]), np.array([0.05, 0.05, 0.05]), 0.3)
    scene, region = lifted([upper, lower], grow=0, eye=np.array([0.02, -0.04, 0.75]))
    np.testing.assert_allclose(region.size[2], 0.05, atol=0.006)
    assert np.linalg.norm(region.center - scene.center(0)) < 0.005


def seen_in_colour(things, *colours, index=0, **view):
    scene = render(tuple(things), view.pop('eye', EYE), FOCAL, **view)
    depth = d435(scene.depth, np.random.default_rng(1))
    return scene, lift(region_of(scene, index), depth, CAMERA, coloured(scene, *colours))


@pytest.mark.parametrize('other', [
    Thing('box', np.array([0.0, 0.0, 0.085]), np.array([0.05, 0.04, 0.05])),
    Thing('box', np.array([0.08, 0.0, 0.03]), np.array([0.08, 0.06, 0.06]))], ids=['upon it', 'beside it'])
def test_a_neighbour_of_another_colour_that_touches_is_not_the_thing(other):
    thing = Thing('box', np.array([0.0, 0.0, 0.03]), np.array([0.08, 0.06, 0.06]))
    scene, region = seen_in_colour((thing, other), (200, 40, 40), (40, 60, 200))
    assert overlap(scene, 0, region.mask) > 0.9 and on_thing(scene, 0, region.points) > 0.95
    assert np.linalg.norm(region.center - scene.center(0)) < 0.008
    np.testing.assert_allclose(region.size, thing.size, atol=0.012)


def test_no_plane_leans_from_the_table_to_the_box_that_a_thing_stands_on():
    lower = Thing('box', np.array([0.0, 0.0, 0.05]), np.array([0.18, 0.12, 0.1]), 0.4)
    upper = Thing('box', np.array([0.01, 0.0, 0.125]), np.array([0.07, 0.05, 0.05]), 0.9)
    for azimuth in np.arange(0, 6.2, 0.8):
        eye = np.array([0.55 * np.cos(azimuth), 0.55 * np.sin(azimuth), 0.55])
        scene, region = seen_in_colour((upper, lower), (200, 40, 40), (40, 60, 200), eye=eye)
        assert rotation(region.orientation)[:, 2] @ scene.axes(0)[:, 2] > np.cos(np.radians(3))
        assert np.linalg.norm(region.center - scene.center(0)) < 0.012


def test_a_plane_lies_in_the_surface_at_its_points():
    steps = np.zeros((40, 60, 3), np.float32)
    steps[..., 0], steps[..., 1] = np.meshgrid(np.arange(60) * 0.005, np.arange(40) * 0.005)
    steps[..., 2] = 1 - 0.02 * (np.arange(60) // 10)        # stairs towards the camera
    points = steps.reshape(-1, 3)[::3]
    facing = np.tile(np.float32([0, 0, -1]), (len(points), 1))
    leaning = fit_plane(points, np.ones(len(points)), points[:0], 0.012)
    assert abs(leaning.normal[0]) > 0.2
    flat = fit_plane(points, np.ones(len(points)), points[:0], 0.012, facing)
    assert flat is None or abs(flat.normal[0]) < 0.11


def test_a_sheet_on_the_table_is_flat():
    sheet = Thing('box', np.array([0.0, 0.0, 0.0005]), np.array([0.2, 0.14, 0.001]), 0.4)
    _, region = lifted([sheet], grow=0)
    assert region.center is not None and region.size[2] < 0.012
    np.testing.assert_allclose(region.size[:2], [0.2, 0.14], rtol=0.1)


def test_a_place_between_two_things_is_the_table_there():
    things = [Thing('box', np.array([x, 0.02, 0.04]), np.array([0.08, 0.08, 0.08])) for x in (-0.13, 0.13)]
    scene = render(tuple(things), EYE, FOCAL)
    boxes = np.array([[*region_of(scene, index).box, 0.9] for index in (0, 1)], float)
    x0, y0, x1, y1 = (float(round(value)) for value in places_between(boxes[:1], boxes[1:])[0, :4])
    mask = np.zeros(scene.depth.shape, np.uint8)
    mask[int(y0):int(y1), int(x0):int(x1)] = 255
    middle = (x0 + x1) / 2, (y0 + y1) / 2
    place = FocusRegion('destination', 'between the boxes', 0.9, (x0, y0, x1, y1), middle, mask)
    place = lift(place, d435(scene.depth, np.random.default_rng(1)), CAMERA)
    along, up = scene.axes(0)[:, 0], scene.axes(0)[:, 2]
    from_middle = place.center - (scene.center(0) + scene.center(1)) / 2
    assert abs(from_middle @ up + 0.04) < 0.005 and abs(from_middle @ along) < 0.01
    assert place.size[2] < 0.01
    np.testing.assert_allclose(abs(rotation(approach_pose(place).orientation)[:, 2] @ up), 1, atol=2e-3)


def test_colours_come_with_points():
    scene = render((Thing('box', np.array([0, 0, 0.04]), np.array([0.1, 0.08, 0.08])),), EYE, FOCAL)
    image = np.zeros((480, 640, 3), np.uint8)
    image[scene.instances == 2] = (10, 200, 30)
    region = lift(region_of(scene, 0), scene.depth, CAMERA, image)
    assert region.colors.shape == region.points.shape and region.points.dtype == np.float32
    assert (region.colors == (10, 200, 30)).all() and np.isfinite(region.points).all()


def test_a_pose_comes_down_and_closes_over_the_shorter_side():
    thing = Thing('box', np.array([0.0, 0.0, 0.04]), np.array([0.16, 0.05, 0.08]), 0.7)
    scene, region = lifted([thing])
    axes = rotation(approach_pose(region).orientation)
    assert axes[:, 2] @ scene.axes(0)[:, 2] < -np.cos(np.radians(3))        # z goes into the table
    assert abs(axes[:, 1] @ scene.axes(0)[:, 1]) > np.cos(np.radians(4))    # y is across the 5 cm
    assert np.linalg.det(axes) == pytest.approx(1)
    assert approach_pose(region_of(scene, 0)) is None


def test_a_box_keeps_its_axes_from_frame_to_frame():
    thing = Thing('box', np.array([0.0, 0.0, 0.04]), np.array([0.08, 0.08, 0.08]), 0.3)
    _, region = lifted([thing])
    turned = rotation(region.orientation)
    quarter = np.stack([turned[:, 1], -turned[:, 0], turned[:, 2]], axis=1)
    other = replace(region, orientation=quaternion(quarter), size=region.size[[1, 0, 2]])
    steady = SteadyAxes()
    steady.turn([region], ['target/1'])
    again, new = steady.turn([other, other], ['target/1', 'target/2'])
    assert abs(again.orientation @ region.orientation) > 0.999
    np.testing.assert_allclose(again.size, region.size)
    np.testing.assert_array_equal(new.orientation, other.orientation)


def test_a_region_at_the_border_still_has_a_box():
    thing = Thing('box', np.array([0.0, 0.0, 0.04]), np.array([0.14, 0.07, 0.08]))
    _, region = lifted([thing], look_at=np.array([0.33, 0.0, 0.0]))
    assert region.box[0] == 0 and region.center is not None and (region.size < 0.16).all()


def test_without_a_plane_there_is_a_box_all_the_same():
    depth = np.full((480, 640), np.nan, np.float32)
    depth[200:280, 300:360] = 0.7
    mask = np.isfinite(depth) * np.uint8(255)
    region = lift(FocusRegion('target', 'thing', 1.0, (300, 200, 360, 280), (330, 240), mask), depth, CAMERA)
    assert region.center[2] == pytest.approx(0.7, abs=0.01) and (region.size[:2] < 0.1).all()


def test_a_plane_is_found_among_outliers():
    rng = np.random.default_rng(0)
    points = rng.uniform((-0.3, -0.3, 0.7), (0.3, 0.3, 1.3), (400, 3))
    points[:250, 2] = 1.0 + 0.2 * points[:250, 0] + rng.normal(0, 0.001, 250)
    plane = fit_plane(points.astype(np.float32), np.ones(400), np.empty((0, 3), np.float32), 0.005)
    normal = np.array([0.2, 0, -1]) / np.hypot(0.2, 1)
    assert plane.normal @ normal > 0.9995 and 0.0005 < plane.spread < 0.002
    assert fit_plane(points[:5], np.ones(5), points[:0], 0.005) is None


def test_quaternions_turn_back_into_rotations():
    rng = np.random.default_rng(0)
    for _ in range(50):
        matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        matrix *= np.sign(np.linalg.det(matrix))
        np.testing.assert_allclose(rotation(quaternion(matrix)), matrix, atol=1e-9)
    with pytest.raises(ValueError, match='no direction'):
        rotation(np.zeros(4))
