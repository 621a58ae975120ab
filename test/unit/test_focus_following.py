"""Regions carried over from image to image."""

import cv2
import numpy as np
import pytest

from vla_attention.focus import FocusRegion, Follower


@pytest.fixture(scope='module')
def scene():
    """A textured table with a textured disc on it, as layers."""
    random = np.random.default_rng(3)
    table = cv2.resize(random.integers(60, 200, (24, 32, 3), np.uint8), (640, 480))
    return table, cv2.resize(random.integers(0, 255, (5, 5, 3), np.uint8), (80, 80))


def _draw(scene, x, y, scale=1.0, table_shift=0):
    """Return the image and the box of the disc at (x, y), the middle."""
    table, thing = scene
    image = np.roll(table, table_shift, 1).copy()
    side = round(80 * scale)
    patch = cv2.resize(thing, (side, side))
    left, top = x - side // 2, y - side // 2
    disc = cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), side // 2, 255, -1) > 0
    image[top:top + side, left:left + side][disc] = patch[disc]
    mask = np.zeros((480, 640), np.uint8)
    mask[top:top + side, left:left + side][disc] = 255
    return image, mask, (float(left), float(top), float(left + side), float(top + side))


def _region(mask, box, role='target', phrase='disc'):
    return FocusRegion(role, phrase, 0.8, box, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), mask, track=4)


def _iou(one, other):
    both = np.logical_and(one > 0, other > 0).sum()
    return both / np.logical_or(one > 0, other > 0).sum()


@pytest.mark.parametrize(('x', 'y', 'scale', 'table_shift'), [
    (330, 240, 1.0, 0), (338, 222, 1.0, 0), (308, 240, 1.0, 10), (320, 250, 1.15, 0), (320, 240, 0.85, 4)])
def test_a_region_goes_where_its_thing_goes(scene, x, y, scale, table_shift):
    image, mask, box = _draw(scene, 320, 240)
    follower = Follower(image, [_region(mask, box)])
    later, true_mask, true_box = _draw(scene, x, y, scale, table_shift)
    (moved,) = follower.move(later)
    assert moved.box == pytest.approx(true_box, abs=2.5)
    assert _iou(moved.mask, true_mask) > 0.93
    assert moved.point == pytest.approx((x, y), abs=2)
    assert (moved.role, moved.phrase, moved.score, moved.track) == ('target', 'disc', 0.8, 4)


def test_a_far_way_is_followed_step_by_step_without_drift(scene):
    image, mask, box = _draw(scene, 100, 240)
    follower = Follower(image, [_region(mask, box)])
    for x in range(110, 350, 10):
        later, _, true_box = _draw(scene, x, 240)
        (moved,) = follower.move(later)
    assert moved.box == pytest.approx(true_box, abs=1.5)


def test_things_of_their_own_motion_and_their_maps(scene):
    image, mask, box = _draw(scene, 320, 240)
    still = np.zeros((480, 640), np.uint8)
    still[60:140, 60:160] = 255
    regions = [_region(mask, box), _region(still, (60.0, 60.0, 160.0, 140.0), 'destination', 'spot')]
    follower = Follower(image, regions)
    later, *_ = _draw(scene, 344, 240)
    moved = follower.move(later)
    assert moved[0].box[0] == pytest.approx(box[0] + 24, abs=1)
    assert moved[1] is regions[1]       # what stands still is handed on as it is
    grid = np.zeros((30, 40), np.float32)
    grid[14, 19] = 1
    carried = follower.carry(grid, 'target', 'disc')
    assert np.unravel_index(carried.argmax(), grid.shape) == (14, 20)
    assert carried[14, 20] == pytest.approx(0.5, abs=0.1)
    assert follower.carry(grid, 'destination', 'spot') is grid
    assert follower.carry(grid, 'target', 'another') is grid


def test_the_box_of_a_long_thing_that_turns_holds_it(scene):
    image, mask, _ = _draw(scene, 320, 240)
    mask[:] = 0
    mask[232:248, 240:400] = 255
    image[mask > 0] = cv2.resize(scene[1], (160, 16)).reshape(-1, 3)
    follower = Follower(image, [_region(mask, (240.0, 232.0, 400.0, 248.0))])
    for angle in (4, 8, 12):
        turn = cv2.getRotationMatrix2D((319.5, 239.5), angle, 1)
        later = cv2.warpAffine(image, turn, (640, 480), borderMode=cv2.BORDER_REFLECT)
        (moved,) = follower.move(later)
    left, top, width, height = cv2.boundingRect(cv2.warpAffine(mask, turn, (640, 480)))
    assert height > 40
    assert moved.box == pytest.approx((left, top, left + width, top + height), abs=2)


def test_what_is_hidden_gone_or_cut_is_lost(scene):
    image, mask, box = _draw(scene, 320, 240)
    follower = Follower(image, [_region(mask, box)])
    table = scene[0]
    assert follower.move(table) is None                                     # gone
    covered = image.copy()
    covered[180:300, 250:390] = 90
    assert follower.move(covered) is None                                   # hidden
    assert follower.move(np.random.default_rng(0).integers(0, 255, image.shape, np.uint8)) is None
    assert follower.move(image[:240]) is None                               # another camera
    assert follower.move(image) is not None                                 # and back again


def test_what_leaves_the_picture_is_lost(scene):
    image, mask, box = _draw(scene, 320, 240)
    follower = Follower(image, [_region(mask, box)])
    ends = [follower.move(np.roll(image, shift, 1) if shift < 270 else
                          np.concatenate([np.full((480, shift, 3), 128, np.uint8), image[:, :-shift]], 1))
            for shift in range(0, 400, 20)]
    assert ends[5] is not None
    assert ends[-1] is None


def test_what_is_bland_or_has_no_mask_cannot_be_followed(scene):
    image, mask, box = _draw(scene, 320, 240)
    plain = np.full_like(image, 128)
    follower = Follower(plain, [_region(mask, box)])
    assert not follower.can
    assert follower.move(plain) is None
    assert not Follower(image, [_region(np.zeros((0, 0), np.uint8), box)]).can


def test_nothing_in_view_stays_nothing(scene):
    image, *_ = _draw(scene, 320, 240)
    assert Follower(image, []).move(image) == []


def test_nothing_in_a_black_or_white_picture_says_nothing_of_the_next(scene):
    image, *_ = _draw(scene, 320, 240)
    for other in (np.zeros_like(image), np.full_like(image, 255)):
        assert Follower(image, []).move(other) is None
        assert Follower(other, []).move(image) is None


def test_nothing_in_a_blurred_picture_says_nothing_of_a_sharp_one(scene):
    image, *_ = _draw(scene, 320, 240)
    image[::8] = 0
    blurred = cv2.blur(image, (61, 61))
    assert Follower(blurred, []).move(image) is None
    assert Follower(image, []).move(blurred) == []
