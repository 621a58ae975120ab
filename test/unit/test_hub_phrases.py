"""What models are asked for, in which language, and how their answers become attention."""

from __future__ import annotations

import numpy as np
import pytest

from vla_attention.grounding.assemble import Evidence, assemble, calibrate
from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.hub_candidates import MAX_CANDIDATES, boxes_of_map, distinct_boxes
from vla_attention.grounding.phrase_tree import plant
from vla_attention.grounding.translate import model_text, wants_translation
from vla_attention.language.phrase_parser import parse_phrase

GRID = (30, 40)


def asked(text, translate=True):
    return model_text(parse_phrase(text), translate=translate)


@pytest.mark.parametrize(('phrase', 'text'), [
    ('the dark green mug', 'dark green mug'), ('red mug left of the laptop', 'red mug'),
    ('the largest box', 'box'), ('second wooden bowl from the left', 'wooden bowl'),
    ('striped mug on the left', 'striped mug'), ('the left side', ''), ('cups', 'cups'),
    ('빨간 머그잔', 'red mug'), ('노트북 왼쪽에 있는 빨간 머그잔', 'red mug'), ('가장 큰 상자', 'box'),
    ('파란 접시 위', 'blue plate'), ('왼쪽에서 두 번째 나무 그릇', 'wooden bowl'), ('가운데', ''),
])
def test_english_that_a_model_is_asked_for(phrase, text):
    assert asked(phrase).text == text and not asked(phrase).unknown


@pytest.mark.parametrize(('phrase', 'text'), [
    ('빨간 머그잔', '빨간 머그잔'), ('노트북 왼쪽에 있는 빨간 머그잔', '빨간 머그잔'),
    ('가장 큰 상자', '상자'), ('red mug', 'red mug')])
def test_korean_that_a_multilingual_model_is_asked_for(phrase, text):
    assert asked(phrase, translate=False).text == text


def test_unknown_korean_words_are_kept_and_reported():
    found = asked('빨간 뿡뿡이')
    assert found.text == 'red 뿡뿡이' and found.unknown == ('뿡뿡이',)
    tree = plant(['빨간 뿡뿡이', '노트북'], translate=True)
    assert tree.untranslated == {'빨간 뿡뿡이': ('뿡뿡이',)}


def test_who_gets_a_translation():
    assert wants_translation('auto', multilingual=False) and not wants_translation('auto', multilingual=True)
    assert wants_translation('always', multilingual=True)
    assert not wants_translation('never', multilingual=False)
    with pytest.raises(BackendError, match='translate must be'):
        wants_translation('perhaps', multilingual=True)


def test_each_text_is_asked_for_once():
    tree = plant(['red mug left of the laptop', '빨간 머그잔', 'laptop', '가운데'], translate=True)
    assert tree.texts == ('red mug', 'laptop')
    assert [node.text for node in tree.nodes] == [0, 0, 1, -1]
    assert tree.nodes[0].references[0].text == 1
    assert plant(['red mug'], translate=True, with_words=True).texts == ('red mug', 'red', 'mug')


@pytest.mark.parametrize('phrase', ['cup between the plate and the book', '접시와 책 사이에 있는 컵'])
def test_between_has_two_references(phrase):
    tree = plant([phrase], translate=True)
    assert tree.texts == ('cup', 'plate', 'book')
    assert [node.text for node in tree.nodes[0].references] == [1, 2]


def test_calibration_puts_the_threshold_at_a_half():
    scores = calibrate(np.array([0.0, 0.1, 0.3, 1.0]), 0.1)
    assert scores[1] == pytest.approx(0.5) and (np.diff(scores) > 0).all()
    assert scores[0] >= 0 and scores[3] <= 1


def test_candidates_of_a_map():
    scores = np.zeros(GRID, np.float32)
    scores[5:10, 5:10], scores[20:25, 30:38], scores[0, 0] = 0.8, 0.4, 0.1
    found = boxes_of_map(scores, (640, 480))
    np.testing.assert_allclose(found, [[80, 80, 160, 160, 0.8], [480, 320, 608, 400, 0.4]], atol=1e-4)
    assert boxes_of_map(np.zeros(GRID, np.float32), (640, 480)).shape == (0, 5)


def test_each_thing_is_a_candidate_once():
    rng = np.random.default_rng(0)
    centres = np.array([[100, 100], [400, 300]]).repeat(200, axis=0) + rng.normal(0, 3, (400, 2))
    boxes = np.column_stack([centres - 40, centres + 40, rng.uniform(0.1, 0.9, 400)])
    found = distinct_boxes(boxes, (640, 480))
    assert len(found) == 2 and found[0, 4] >= found[1, 4]
    left, ones = np.arange(100) * 6, np.ones(100)
    spread = np.column_stack([left, 0 * ones, left + 5, 5 * ones, ones])
    assert len(distinct_boxes(spread, (640, 480))) == MAX_CANDIDATES
    assert distinct_boxes(np.array([[700, 10, 800, 20, 0.9]]), (640, 480)).shape == (0, 5)


def seen(tree, things, own_boxes=True, size=(640, 480)):
    """Make evidence of things: {text: [(x0, y0, x1, y1, score)]}."""
    boxes, maps = [], np.zeros((len(tree.texts), *GRID), np.float32)
    for index, text in enumerate(tree.texts):
        rows = np.array(things.get(text, []), np.float32).reshape(-1, 5)
        boxes.append(rows[np.argsort(-rows[:, 4])])
        for x0, y0, x1, y1, score in rows:
            maps[index, int(y0 // 16):int(y1 // 16), int(x0 // 16):int(x1 // 16)] = score
    presence = np.array([rows[0, 4] if len(rows) else 0 for rows in boxes], np.float32)
    return Evidence(maps, tuple(boxes), presence, own_boxes)


LEFT, RIGHT = (64, 192, 128, 272, 0.7), (480, 192, 544, 272, 0.8)
LAPTOP = (240, 160, 400, 320, 0.9)
GREY = np.full((480, 640, 3), 128, np.uint8)


@pytest.mark.parametrize(('phrase', 'x'), [
    ('mug left of the laptop', 64), ('mug right of the laptop', 480), ('노트북 왼쪽에 있는 머그잔', 64),
    ('노트북 오른쪽에 있는 머그잔', 480), ('the leftmost mug', 64), ('맨 오른쪽 머그잔', 480), ('mug', 480),
    ('second mug from the right', 64), ('왼쪽에서 두 번째 머그잔', 480)])
def test_the_instruction_chooses_among_the_model_s_candidates(phrase, x):
    tree = plant([phrase], translate=True)
    maps = assemble(tree, seen(tree, {'mug': [LEFT, RIGHT], 'laptop': [LAPTOP]}), GREY)
    assert maps.boxes[0][0, 0] == x and len(maps.boxes[0]) == 2
    peak = np.unravel_index(maps.maps[0].argmax(), GRID)
    assert x <= peak[1] * 16 + 8 <= x + 64
    assert maps.presence[0] == pytest.approx(0.8, abs=0.05)


def test_a_colour_is_looked_for_in_the_pixels():
    image = GREY.copy()
    image[192:272, 64:128], image[192:272, 480:544] = (210, 20, 20), (20, 40, 210)
    for phrase, x in (('red mug', 64), ('파란 머그잔', 480)):
        tree = plant([phrase], translate=True)
        maps = assemble(tree, seen(tree, {text: [LEFT, RIGHT] for text in tree.texts}), image)
        assert maps.boxes[0][0, 0] == x
        assert maps.heads['colour'][0][12:17, x // 16:x // 16 + 4].mean() > 0.9
        assert maps.heads['colour'][0][0, 0] < 0.1


def test_a_reference_out_of_view_lessens_presence():
    tree = plant(['mug left of the laptop'], translate=True)
    there = assemble(tree, seen(tree, {'mug': [LEFT], 'laptop': [LAPTOP]}), GREY)
    gone = assemble(tree, seen(tree, {'mug': [LEFT]}), GREY)
    assert gone.presence[0] < 0.6 * there.presence[0]


def test_a_relation_to_a_thing_that_has_a_relation_itself():
    plates = [(80, 300, 160, 340, 0.8), (480, 300, 560, 340, 0.8)]
    cups = [(100, 240, 140, 310, 0.8), (500, 240, 540, 310, 0.9)]
    tree = plant(['cup on the plate left of the laptop'], translate=True)
    maps = assemble(tree, seen(tree, {'cup': cups, 'plate': plates, 'laptop': [LAPTOP]}), GREY)
    assert maps.boxes[0][0, 0] == 100


def test_a_place_without_a_thing_is_judged_patch_by_patch():
    tree = plant(['가운데', 'the left side'], translate=True)
    maps = assemble(tree, seen(tree, {}), GREY)
    assert maps.presence.tolist() == [1, 1]
    row, column = np.unravel_index(maps.maps[0].argmax(), GRID)
    assert 13 <= row <= 16 and 18 <= column <= 21
    assert maps.maps[1][:, 0].min() > 1.5 * maps.maps[1][:, 39].max()


def test_nothing_found_is_an_empty_answer():
    tree = plant(['red mug left of the laptop'], translate=True)
    maps = assemble(tree, seen(tree, {}), GREY)
    assert maps.presence[0] == 0 and maps.maps[0].max() == 0 and maps.boxes[0].shape == (0, 5)


def test_no_phrases():
    tree = plant([], translate=True)
    maps = assemble(tree, seen(tree, {}), GREY)
    assert maps.maps.shape == (0, *GRID) and maps.presence.shape == (0,)


def test_furthest_to_a_side_is_that_extreme_and_not_the_back():
    assert parse_phrase('potato furthest to the left').position == 'leftmost'
    assert parse_phrase('the farthest to the right mug').position == 'rightmost'
