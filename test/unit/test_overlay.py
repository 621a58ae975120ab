"""Labels, points and the phase on an image: each can be read, whatever else is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from vla_attention.focus.region import FocusRegion
from vla_attention.view import overlay
from vla_attention.view.overlay import ROLE_COLOURS, draw_heat, draw_overlay
from vla_attention.view.text import draw_text, text_size

GRAY = np.full((480, 640, 3), 128, np.uint8)
LONG = 'the small red mug to the left of the blue plate behind the laptop that stands on the table, '


def region(box, role='target', phrase='red mug', score=0.87, point=None, image=GRAY):
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return FocusRegion(role, phrase, score, box, point or middle, np.zeros(image.shape[:2], np.uint8))


@pytest.fixture
def labels_of(monkeypatch):
    """Draw, and return the text and the rectangle of each label in the order in which they are written."""
    def draw(image, regions, **keywords):
        written = []

        def record(canvas, text, position, size, colour):
            x, y = position[0] - 3, position[1] - 3
            width, height = text_size(text, size)
            written.append((text, (x, y, x + width + 7, y + height + 7)))
            draw_text(canvas, text, position, size, colour)

        monkeypatch.setattr(overlay, 'draw_text', record)
        picture = draw_overlay(image, regions, **keywords)
        return [each for each in written if each[0] != keywords.get('phase')], picture
    return draw


def meet(first, second):
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def apart(rectangles):
    return not any(meet(first, second) for number, first in enumerate(rectangles)
                   for second in rectangles[:number])


def inside(rectangle, width=640, height=480):
    return rectangle[0] >= 0 and rectangle[1] >= 0 and rectangle[2] <= width and rectangle[3] <= height


@pytest.mark.parametrize('boxes', [
    [(100, 100, 200, 200)] * 3,                                                 # one thing, three roles
    [(100, 100, 200, 200), (110, 105, 210, 190), (90, 98, 190, 210)],
    [(5, 2, 300, 478), (5, 2, 300, 478), (200, 2, 630, 478)],                   # neither above nor below
    [(500, 2, 638, 60), (520, 2, 638, 70), (540, 2, 638, 80), (100, 440, 300, 479)],
    [(40 * number, 100, 40 * number + 200, 300) for number in range(12)],
])
def test_no_label_hides_another_or_leaves_the_image(labels_of, boxes):
    roles = ['target', 'destination', 'avoid'] * 4
    labels, _ = labels_of(GRAY, [region(box, role) for box, role in zip(boxes, roles, strict=False)])
    rectangles = [rectangle for _, rectangle in labels]
    assert len(labels) == len(boxes)
    assert apart(rectangles) and all(map(inside, rectangles))


def test_a_label_stands_above_its_box_else_below_else_inside(labels_of):
    ways = [(100, 200, 200, 300), (100, 5, 200, 300), (100, 5, 200, 478)]
    (_, above), (_, below), (_, within) = (labels_of(GRAY, [region(box)])[0][0] for box in ways)
    assert above[0] == below[0] == within[0] == 100
    assert above[3] - 1 == 200 and below[1] - 1 == 300 and within[1] == 5


def test_the_most_important_get_their_place_first(labels_of):
    box = (100, 200, 200, 300)
    labels, _ = labels_of(GRAY, [region(box, 'avoid', 'knife'), region(box, 'destination', 'plate'),
                                 region(box, 'target', 'mug', 0.9), region(box, 'target', 'cup', 0.8)])
    assert [text for text, _ in labels] == ['mug 0.90', 'cup 0.80', 'plate 0.87', 'knife 0.87']
    assert labels[0][1][3] - 1 == 200, 'above its box'


def test_where_no_place_is_left_the_least_important_labels_are_left_out(labels_of):
    small = np.full((60, 120, 3), 128, np.uint8)
    regions = [region((10, 10, 50, 50), role, role, image=small)
               for role in ('avoid', 'target', 'destination')]
    labels, _ = labels_of(small, regions)
    assert labels[0][0].startswith('target') and len(labels) < 3
    assert apart([rectangle for _, rectangle in labels])


def test_points_are_seen_and_labels_keep_away_from_them(labels_of):
    # the destination's point is where the target's label would stand, the target's where the other's would
    target = region((100, 200, 300, 300), point=(150.0, 205.0))
    destination = region((100, 195, 300, 320), 'destination', 'plate', point=(140.0, 190.0))
    labels, picture = labels_of(GRAY, [target, destination])
    for each in (target, destination):
        x, y = map(int, each.point)
        assert tuple(picture[y, x]) == ROLE_COLOURS[each.role]
        assert (picture[y - 8:y + 9, x - 8:x + 9] == 255).all(2).sum() > 10, 'the white ring'
        assert not any(meet((x - 7, y - 7, x + 8, y + 8), rectangle) for _, rectangle in labels)


def test_a_point_is_drawn_over_a_label_that_has_no_other_place(labels_of):
    def drawn(width):
        image = np.full((30, width, 3), 128, np.uint8)
        cup = region((60, 5, 62, 25), phrase='cup', point=(30.0, 12.0), image=image)
        labels, picture = labels_of(image, [cup])
        return meet(labels[0][1], (30, 12, 31, 13)), picture[8:17, 26:35].astype(int)

    (narrow, over), (wide, alone) = drawn(62), drawn(300)
    assert narrow and not wide
    assert (abs(over - alone).max(2) < 60).mean() > 0.7, 'ring and dot, wherever they are'


@pytest.mark.parametrize('width', [640, 160, 80, 56])
def test_a_long_label_loses_of_its_phrase_and_not_its_score(labels_of, width):
    image = np.full((120, width, 3), 128, np.uint8)
    (label,), _ = labels_of(image, [region((10, 50, 60, 90), phrase=LONG * 2, image=image)])
    text, rectangle = label
    assert text.endswith('0.87') and inside(rectangle, width, 120)
    assert width < 80 or (text.startswith('t') and text.endswith('… 0.87'))


def test_labels_stay_above_the_phase(labels_of):
    boxes = [(50, 5, 200, 479), (60, 2, 200, 470), (300, 445, 500, 479), (520, 300, 600, 460)]
    plain = draw_overlay(GRAY, phase='approach', importance=0.5)
    top = int(np.flatnonzero((plain != GRAY).any((1, 2)))[0])
    labels, _ = labels_of(GRAY, [region(box) for box in boxes], phase='approach', importance=0.5)
    assert len(labels) == 4 and all(rectangle[3] <= top for _, rectangle in labels)


@pytest.mark.parametrize('size', [(24, 32), (48, 64), (64, 96), (12, 12), (1, 1), (120, 90)])
def test_a_bar_without_room_is_left_out(size):
    image = np.full((*size, 3), 128, np.uint8)
    without, little, much = (draw_overlay(image, phase='approach', importance=value)
                             for value in (None, 0.0, 1.0))
    width = text_size('approach', 14)[0]
    if size[1] - 8 - (width + 18) < 20:
        assert (without == much).all() and (without == little).all()
    else:
        assert (little != much).any() and (without != little).any()
    assert (without[-1] != image[-1]).any(), 'the phase is on a ground of its own'


@pytest.mark.parametrize('size', [(1, 1), (8, 300), (300, 8), (20, 20)])
def test_tiny_images_and_boxes_beside_the_image_are_drawn(size):
    image = np.full((*size, 3), 128, np.uint8)
    regions = [region(box, role, image=image) for box in ((-900, -900, -800, -800), (900, 900, 990, 990),
                                                          (2, 2, 5, 5)) for role in ROLE_COLOURS]
    assert draw_overlay(image, regions, phase='move', importance=0.5).shape == image.shape


@pytest.mark.parametrize('role', ['target', 'destination', 'avoid'])
def test_box_outline_and_point_are_drawn_where_the_thing_is_in_the_colour_of_its_role(role):
    mask = np.zeros((240, 320), np.uint8)
    mask[130:160, 100:180] = 255
    thing = FocusRegion(role, 'cup', 0.8, (80.0, 110.0, 200.0, 180.0), (150.0, 145.0), mask, 0)
    drawn = draw_overlay(np.full((240, 320, 3), 90, np.uint8), [thing])
    colour = {'target': (0, 158, 115), 'destination': (0, 114, 178), 'avoid': (213, 94, 0)}[role]
    for x, y in ((80, 150), (200, 150), (140, 180), (140, 160), (150, 145)):
        assert np.abs(drawn[y - 1:y + 2, x - 1:x + 2].astype(int) - colour).sum(axis=2).min() < 60, (x, y)
    assert (drawn[20:100, :60] == 90).all() and (drawn[190:, :] == 90).all()


def test_heat_is_yellow_where_attention_is_and_blue_elsewhere():
    attention = np.zeros((6, 8), np.float32)
    attention[:, 4:] = 5.0      # too much counts as 1
    drawn = draw_heat(np.full((96, 128, 3), 100, np.uint8), attention)
    red, green, blue = (int(value) for value in drawn[48, 120])
    assert min(red, green) > blue + 50
    assert int(drawn[48, 8, 2]) > int(drawn[48, 8, 0]) and drawn[48, 8].max() < 120
    assert np.abs(drawn[48, 120].astype(int) - 100).sum() > np.abs(drawn[48, 8].astype(int) - 100).sum()
