"""Depth to boxes, clouds and poses, on ray-cast scenes whose truth is exact."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks._tabletop import Thing, d435, render
from vla_attention.focus import FocusRegion, Intrinsics, approach_pose, decode_depth, lift
from vla_attention.focus.depth import edges
from vla_attention.focus.intrinsics import Camera, Lens, LensError, is_rectified
from vla_attention.focus.plane import fit_plane
from vla_attention.focus.pose import SteadyAxes, quaternion, rotation
from vla_attention.grounding.between import places_between

FOCAL = 615.0
CAMERA = Intrinsics(FOCAL, FOCAL, 319.5, 239.5)
EYE = np.array([0.0, -0.5, 0.5])


def region_of(scene, index, grow=0):
    visible = (scene.instances == 2 + index).astype(np.uint8)
    if grow:
        visible = cv2.dilate(visible, np.ones((2 * grow + 1, 2 * grow + 1), np.uint8))
    x, y, width, height = cv2.boundingRect(visible)
    return FocusRegion('target', 'thing', 1.0, (x, y, x + width, y + height), (x + width / 2, y + height / 2),
                       visible * np.uint8(255))


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


def coloured(scene, *colours):
    """Paint the table grey, and each thing as it is said."""
    image = np.random.default_rng(0).normal(130, 5, (*scene.depth.shape, 3))
    for index, colour in enumerate(colours):
        image[scene.instances == 2 + index] += np.array(colour) - 130
    return np.clip(image, 0, 255).astype(np.uint8)


def seen_in_colour(things, *colours, index=0, **view):
    scene = render(tuple(things), view.pop('eye', EYE), FOCAL, **view)
    depth = d435(scene.depth, np.random.default_rng(1))
    return scene, lift(region_of(scene, index), depth, CAMERA, coloured(scene, *colours))


def overlap(scene, index, mask):
    visible = scene.instances == 2 + index
    return ((mask > 0) & visible).sum() / ((mask > 0) | visible).sum()


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


def test_sizes_and_types_that_do_not_fit_are_named():
    scene = render((Thing('box', np.array([0, 0, 0.04]), np.array([0.1, 0.08, 0.08])),), EYE, FOCAL)
    region = region_of(scene, 0)
    with pytest.raises(ValueError, match='depth is 320x240 and the image 640x480'):
        lift(region, scene.depth[::2, ::2].copy(), CAMERA)
    with pytest.raises(ValueError, match='depth is float64'):
        lift(region, scene.depth.astype(np.float64), CAMERA)
    with pytest.raises(ValueError, match='image has the shape'):
        lift(region, scene.depth, CAMERA, np.zeros((10, 10, 3), np.uint8))


@pytest.mark.parametrize('values, name', [((0, 600, 320, 240), 'fx'), ((600, -1, 320, 240), 'fy'),
                                          ((600, 600, float('nan'), 240), 'cx')])
def test_intrinsics_are_checked(values, name):
    with pytest.raises(ValueError, match=name):
        Intrinsics(*values)


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


def test_no_reading_may_be_0_as_well_as_nan():
    scene = render((Thing('box', np.array([0, 0, 0.04]), np.array([0.1, 0.08, 0.08])),), EYE, FOCAL)
    region = region_of(scene, 0)
    hole = np.zeros(scene.depth.shape, bool)
    x, y = (int(value) for value in region.point)
    hole[y - 15:y + 15, x - 15:x + 15] = True
    nan, zero = (lift(region, np.where(hole, np.float32(none), scene.depth), CAMERA) for none in (np.nan, 0))
    np.testing.assert_array_equal(nan.points, zero.points)
    np.testing.assert_array_equal(nan.center, zero.center)


BENT = Intrinsics(FOCAL, FOCAL, 319.5, 239.5, Lens('plumb_bob', (-0.25, 0.06, 1e-3, -1e-3, 0.0)), (640, 480))


@pytest.mark.parametrize('lens', [BENT.lens, Lens('equidistant', (0.05, 0.01, 0.0, 0.0)),
                                  Lens('rational_polynomial', (0.4, -0.1, 0.0, 0.0, 0.01, 0.6, -0.1, 0.0))],
                         ids=lambda lens: lens.model)
@pytest.mark.parametrize('step', [1, 3])
def test_what_a_lens_bends_is_straightened(lens, step):
    camera = replace(BENT, lens=lens)
    z = np.random.default_rng(0).uniform(0.5, 1.0, (60, 40)).astype(np.float32)
    points = camera.deproject(z, left=500, top=30, step=step).reshape(-1, 3)
    assert np.abs(points - CAMERA.deproject(z, left=500, top=30, step=step).reshape(-1, 3)).max() > 0.01
    columns, rows = camera.project(points)
    at = np.mgrid[:60, :40].reshape(2, -1) * step
    np.testing.assert_allclose(columns, 500 + at[1], atol=0.01)
    np.testing.assert_allclose(rows, 30 + at[0], atol=0.01)
    thinned = camera.thinned(2).project(points)
    np.testing.assert_allclose(thinned[0], columns / 2, atol=1e-6)


def test_a_thing_is_where_it_is_though_the_lens_bends():
    thing = Thing('box', np.array([0.27, 0.18, 0.04]), np.array([0.1, 0.07, 0.08]), 0.4)
    scene = render((thing,), EYE, FOCAL)
    straight = BENT.deproject(np.ones((480, 640), np.float32)) * FOCAL
    depth, instances = (cv2.remap(each.astype(np.float32), straight[..., 0] + np.float32(319.5),
                                  straight[..., 1] + np.float32(239.5), cv2.INTER_NEAREST)
                        for each in (scene.depth, scene.instances))
    seen = replace(scene, depth=depth, instances=instances.astype(int))
    found, pinhole = (lift(region_of(seen, 0), depth, camera) for camera in (BENT, CAMERA))
    assert np.linalg.norm(found.center - scene.center(0)) < 0.006
    assert np.linalg.norm(pinhole.center - scene.center(0)) > 0.012


def info_of(d, model='plumb_bob', size=(640, 480), roi=(0, 0, 0, 0)):
    part = SimpleNamespace(**dict(zip(('x_offset', 'y_offset', 'width', 'height'), roi, strict=True)))
    return SimpleNamespace(header=SimpleNamespace(frame_id='camera'), width=size[0], height=size[1], roi=part,
                           binning_x=0, binning_y=0, distortion_model=model, d=d)


def camera_of(d, **says):
    k, p = [FOCAL, 0, 319.5, 0, FOCAL, 239.5, 0, 0, 1], [500.0, 0, 310, 0, 0, 500, 230, 0, 0, 0, 1, 0]
    info = info_of(d, **says)
    return Camera.of_info(info, k, p, info.d)


def test_a_raw_image_is_of_k_and_its_lens_and_a_rectified_one_of_p():
    raw = camera_of([-0.3, 0.0, 0.0, 0.0, 0.0]).shown('camera', (640, 480))
    assert (raw.fx, raw.cx, raw.size) == (FOCAL, 319.5, (640, 480)) and raw.lens is not None
    for d in ([], [0.0] * 5):
        assert camera_of(d).shown('camera', (640, 480)) == Intrinsics(500, 500, 310, 230, size=(640, 480))
    assert camera_of([0.0] * 4, model='equidistant').shift > 10     # bends without coefficients too
    unsized = camera_of([-0.3, 0, 0, 0, 0], size=(0, 0))
    assert unsized.shown('', (640, 480)) == raw
    with pytest.raises(LensError, match=r'd is .* 4 or 5 or 8'):
        camera_of([0.1] * 3)
    with pytest.raises(LensError, match='d is'):
        camera_of([np.nan] * 5)


def test_what_a_lens_does_is_told_in_pixels():
    assert camera_of([-1e-3, 0, 0, 0, 0]).shift == 0        # too little to be taken into account
    assert 0.5 < camera_of([-0.01, 0, 0, 0, 0]).shift < 3 < 30 < camera_of([-0.3, 0, 0, 0, 0]).shift
    middle = camera_of([-0.3, 0, 0, 0, 0], roi=(240, 180, 160, 120))
    assert middle.shift < 3         # a lens bends little around its axis
    part = middle.shown('camera', (160, 120)).deproject(np.ones((120, 160), np.float32))
    whole = camera_of([-0.3, 0, 0, 0, 0]).shown('', (640, 480)).deproject(np.ones((480, 640), np.float32))
    np.testing.assert_allclose(part, whole[180:300, 240:400], atol=1e-5)


@pytest.mark.parametrize('topic, rectified', [
    ('/camera/image_rect', True), ('/camera/image_rect_color/compressed', True), ('image_raw', False),
    ('/camera/color/image_rect_raw', False)])      # of a RealSense: rectified are its infrared images alone
def test_images_of_image_proc_are_known_by_their_name(topic, rectified):
    assert is_rectified(topic) is rectified


def test_a_part_of_an_image_has_a_camera_of_its_own():
    depth = np.full((480, 640), 0.8, np.float32)
    whole = CAMERA.deproject(depth)
    part = CAMERA.cut((120, 60), (4, 2)).deproject(depth[60:300:2, 120:520:4])
    np.testing.assert_allclose(part, whole[60:300:2, 120:520:4], atol=1e-6)
