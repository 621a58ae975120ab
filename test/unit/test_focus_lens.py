"""Cameras: their intrinsics, what a lens bends, and parts of an image."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from things_in_depth import CAMERA, EYE, FOCAL, region_of

from benchmarks._tabletop import Thing, render
from vla_attention.focus import Intrinsics, lift
from vla_attention.focus.intrinsics import Camera, Lens, LensError, is_rectified


@pytest.mark.parametrize('values, name', [((0, 600, 320, 240), 'fx'), ((600, -1, 320, 240), 'fy'),
                                          ((600, 600, float('nan'), 240), 'cx')])
def test_intrinsics_are_checked(values, name):
    with pytest.raises(ValueError, match=name):
        Intrinsics(*values)


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
