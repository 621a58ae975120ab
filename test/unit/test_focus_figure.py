import numpy as np
import pytest

from vla_attention.focus import find_regions
from vla_attention.focus.figure import alike, colours, find_figure
from vla_attention.grounding import AttentionMaps

WIDTH, HEIGHT = 320, 240
FLAT = np.zeros((HEIGHT, WIDTH), np.float32)


def disc(x, y, radius):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (columns - x) ** 2 + (rows - y) ** 2 < radius ** 2


def picture(*parts, ground=(150, 120, 90)):
    """Paint (mask, colour) onto a ground, with noise."""
    image = np.full((HEIGHT, WIDTH, 3), ground, float)
    for mask, colour in parts:
        image[mask] = colour
    return np.clip(image + np.random.default_rng(0).normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def overlap(window, mask, truth):
    x0, y0, x1, y1 = window
    whole = np.zeros(truth.shape, bool)
    whole[y0:y1, x0:x1] = mask
    return (whole & truth).sum() / (whole | truth).sum()


@pytest.mark.parametrize('box', [(85, 65, 175, 155), (70, 50, 190, 170), (100, 80, 160, 140),
                                 (92, 60, 170, 146)])
def test_a_box_too_large_too_small_or_aside_gives_the_same_outline(box):
    truth = disc(130, 110, 40)
    window, mask, _ = find_figure(picture((truth, (30, 60, 200))), box, FLAT)
    assert overlap(window, mask, truth) > 0.9


def test_a_thing_on_a_plate_is_not_the_plate():
    plate, pen = disc(160, 120, 80), np.zeros((HEIGHT, WIDTH), bool)
    pen[108:130, 110:210] = True
    image = picture((plate, (235, 235, 235)), (pen, (20, 120, 40)))
    window, mask, _ = find_figure(image, (104.0, 90.0, 216.0, 148.0), FLAT)
    assert overlap(window, mask, pen) > 0.8


@pytest.mark.parametrize('colour', [(168, 128, 98), (150, 128, 80), (160, 112, 84)])
def test_the_line_follows_edges_where_colours_are_nearly_those_of_the_ground(colour):
    thing = disc(150, 110, 45)
    window, mask, box = find_figure(picture((thing, colour)), (90.0, 60.0, 200.0, 165.0), FLAT)
    assert overlap(window, mask, thing) > 0.95
    assert box == pytest.approx((105, 65, 195, 155), abs=3)


def test_the_map_decides_between_two_things_in_one_box():
    left, right = disc(120, 120, 22), disc(180, 120, 22)
    image = picture((left, (200, 30, 30)), (right, (30, 30, 200)))
    heat = FLAT.copy()
    heat[right] = 1.0
    heat[left] = 0.05
    window, mask, _ = find_figure(image, (95.0, 95.0, 205.0, 145.0), heat)
    assert overlap(window, mask, right) > overlap(window, mask, left)


def test_boxes_of_a_backend_are_drawn_to_the_thing_and_the_point_stays_on_it():
    truth = disc(130, 110, 40)
    image = picture((truth, (30, 60, 200)))
    maps = AttentionMaps(('cup',), np.zeros((1, 15, 20), np.float32), np.ones(1, np.float32), (WIDTH, HEIGHT),
                         boxes=(np.array([[75, 55, 200, 175, 0.8]], np.float32),))
    rough, = find_regions(maps, 0, 'target', plural=False)
    fine, = find_regions(maps, 0, 'target', plural=False, image=image)
    assert rough.box == (75, 55, 200, 175) and fine.score == rough.score
    np.testing.assert_allclose(fine.box, (91, 71, 170, 150), atol=3)
    assert fine.mask[int(fine.point[1]), int(fine.point[0])] == 255


def test_a_picture_of_one_colour_keeps_what_the_map_says():
    maps = AttentionMaps(('cup',), np.zeros((1, 15, 20), np.float32), np.ones(1, np.float32), (WIDTH, HEIGHT),
                         boxes=(np.array([[75, 55, 200, 175, 0.8]], np.float32),))
    region, = find_regions(maps, 0, 'target', plural=False, image=np.full((HEIGHT, WIDTH, 3), 99, np.uint8))
    box = np.array(region.box)
    assert (box[:2] >= (40, 20)).all() and (box[2:] <= (235, 210)).all() and region.mask.any()


@pytest.mark.parametrize('box', [(-20.0, -20.0, 30.0, 30.0), (318.0, 238.0, 320.0, 240.0),
                                 (5.0, 5.0, 5.5, 5.5)])
def test_boxes_at_the_border_and_of_no_size_are_no_fault(box):
    (x0, y0, x1, y1), mask, _ = find_figure(picture(), box, FLAT)
    assert 0 <= x0 < x1 <= WIDTH and 0 <= y0 < y1 <= HEIGHT and mask.shape == (y1 - y0, x1 - x0)


def test_an_image_of_another_size_is_refused():
    maps = AttentionMaps(('cup',), np.ones((1, 15, 20), np.float32), np.ones(1, np.float32), (WIDTH, HEIGHT))
    with pytest.raises(ValueError, match='image has the shape'):
        find_regions(maps, 0, 'target', image=np.zeros((120, 160, 3), np.uint8))


def test_a_thing_goes_on_in_its_own_colours_and_not_in_its_neighbours():
    thing, neighbour = disc(130, 110, 40), disc(205, 110, 34)
    codes = colours(picture((neighbour, (220, 200, 40)), (thing, (30, 60, 200))))
    known = thing & (np.arange(WIDTH) < 130)        # only the left half
    same = alike(codes, known, np.ones(thing.shape, bool))
    assert same[thing].mean() > 0.9 and same[~thing].mean() < 0.05
    right = np.broadcast_to(np.arange(WIDTH) >= 130, thing.shape)
    assert (alike(codes, known, right) == same & right).all()       # nothing is said of what is not asked
    assert not alike(codes, np.zeros_like(thing), right).any()
