"""What models are asked for, in which language, and how their answers become attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vla_attention.grounding import assemble as assembling
from vla_attention.grounding.assemble import Evidence, assemble, calibrate
from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.between import places_between, resolve_between
from vla_attention.grounding.hub_candidates import MAX_CANDIDATES, boxes_of_map, distinct_boxes
from vla_attention.grounding.phrase_tree import NOTHING, PLACE, plant
from vla_attention.grounding.resolve import resolve
from vla_attention.grounding.translate import model_text, wants_translation
from vla_attention.language.phrase_parser import parse_phrase
from vla_attention.pipeline import Pipeline

GRID = (30, 40)


def asked(text, translate=True):
    return model_text(parse_phrase(text), translate=translate)


@pytest.mark.parametrize(('phrase', 'text'), [
    ('the dark green mug', 'dark green mug'), ('red mug left of the laptop', 'red mug'),
    ('the largest box', 'box'), ('second wooden bowl from the left', 'wooden bowl'),
    ('striped mug on the left', 'striped mug'), ('the left side', ''), ('cups', 'cups'),
    ('빨간 머그잔', 'red mug'), ('노트북 왼쪽에 있는 빨간 머그잔', 'red mug'), ('가장 큰 상자', 'box'),
    ('파란 접시 위', 'blue plate'), ('왼쪽에서 두 번째 나무 그릇', 'wooden bowl'), ('가운데', ''),
    # what leads to a thing
    ('to the sink', 'sink'), ('towards the box', 'box'), ('towards the red box', 'red box'),
    ('across the table', 'table'), ('out of the drawer', 'drawer'), ('to its box', 'box'),
    ('up on the shelf', 'shelf'), ('back on the shelf', 'shelf'), ('off the table', 'table'),
    ('away from the edge', ''), ('to me', 'me'), ('from the top drawer', 'drawer'), ('into the box', 'box'),
    ('towards the cup left of the plate', 'cup'), ('to the left of the plate', 'plate'),
    ('back to the left of the plate', 'plate'), ('to the left', ''), ('right next to the plate', 'plate'),
    ('down jacket', 'down jacket'), ('these cups', 'cups'), ('the mug to the left', 'mug'),
    # which thing, but not what
    ('the largest', 'object'), ('second from the left', 'object'), ('red', 'red object'),
    ('빨간', 'red object'), ('유리', 'glass object'), ('red on the left', 'red object'),
    ('두 번째', 'object'), ('up there', 'object'),
    # no word at all
    ('🙂', ''), ('...', ''), ('', ''),
])
def test_english_that_a_model_is_asked_for(phrase, text):
    assert asked(phrase).text == text and not asked(phrase).unknown


@pytest.mark.parametrize(('phrase', 'text'), [
    ('빨간 머그잔', '빨간 머그잔'), ('노트북 왼쪽에 있는 빨간 머그잔', '빨간 머그잔'),
    ('가장 큰 상자', '상자'), ('red mug', 'red mug'), ('빨간', '빨간 물체'), ('유리', '유리 물체'),
    ('두 번째', '물체')])
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
    assert [node.text for node in tree.nodes] == [0, 0, 1, PLACE]
    assert tree.nodes[0].references[0].text == 1
    assert plant(['red mug'], translate=True, with_words=True).texts == ('red mug', 'red', 'mug')


def test_a_word_of_the_way_leaves_no_relation_behind():
    tree = plant(['up on the shelf'], translate=True)
    assert tree.texts == ('shelf',) and tree.nodes[0].references == ()


@pytest.mark.parametrize('phrase', ['cup between the plate and the book', '접시와 책 사이에 있는 컵'])
def test_between_has_two_references(phrase):
    tree = plant([phrase], translate=True)
    assert tree.texts == ('cup', 'plate', 'book')
    assert [node.text for node in tree.nodes[0].references] == [1, 2]


@pytest.mark.parametrize(('phrase', 'texts'), [
    ('cup between the salt and pepper and the plate', ['salt and pepper', 'plate']),
    ('cup between the plate and the salt and pepper', ['plate', 'salt and pepper']),
    ('cup between the plate and the book and the bowl', ['plate', 'book', 'bowl']),
    ('cup between the zorb and the blick', ['zorb', 'blick']),
    ('사과 접시와 노랑 책 사이에 있는 컵', ['plate', 'yellow book'])])
def test_between_knows_things_whose_name_says_and(phrase, texts):
    tree = plant([phrase], translate=True)
    assert [tree.texts[node.text] for node in tree.nodes[0].references] == texts


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


class Answers:
    """A backend that has answered already."""

    name = 'answers'

    def __init__(self, maps):
        self.maps = maps


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


def test_a_place_without_a_thing_is_judged_once_for_all_images(monkeypatch):
    """1,200 cells are each compared with all others, which takes longer than a frame may."""
    judged = []
    monkeypatch.setattr(assembling, 'resolve_parts',
                        lambda *args, whole=assembling.resolve_parts, **options:
                        judged.append(args[0].text) or whole(*args, **options))
    assembling._judged_cells.cache_clear()
    tree = plant(['가운데', 'on the left'], translate=True)
    first, again = (assemble(tree, seen(tree, {}), image) for image in (GREY, GREY // 2))
    other = assemble(tree, seen(tree, {}), GREY[:, :320])
    assert judged == ['가운데', 'on the left'] * 2 and other.image_size == (320, 480)
    np.testing.assert_array_equal(first.maps, again.maps)
    cells = np.array([(x, y, x + 16, y + 16, 1) for y in range(0, 480, 16) for x in range(0, 640, 16)], float)
    for index, node in enumerate(tree.nodes):
        wanted = resolve(node.phrase, cells, image_size=(640, 480)).reshape(GRID)
        np.testing.assert_allclose(first.heads['space'][index], wanted, atol=1e-6)
        np.testing.assert_allclose(first.maps[index], wanted / wanted.max(), atol=1e-6)
        assert first.words[index].shape == (0, *GRID) and first.boxes[index].shape == (0, 5)


def test_which_without_what_is_looked_for_among_objects():
    things = {'object': [LEFT, (480, 192, 600, 300, 0.6)]}
    for phrase, x in (('the largest', 480), ('second from the left', 480), ('the smallest', 64)):
        tree = plant([phrase], translate=True)
        maps = assemble(tree, seen(tree, things), GREY)
        assert maps.boxes[0][0, 0] == x and maps.presence[0] == pytest.approx(0.7, abs=0.01)
        assert assemble(tree, seen(tree, {}), GREY).presence[0] == 0


@pytest.mark.parametrize('phrase', ['🙂', '...', ''])
def test_no_word_at_all_is_not_in_view(phrase):
    tree = plant([phrase, 'mug'], translate=True)
    evidence = seen(tree, {'mug': [LEFT]})
    maps = assemble(tree, replace(evidence, masks=evidence.maps, heads={'own': evidence.maps}), GREY)
    assert tree.nodes[0].text == NOTHING
    assert maps.presence.tolist() == [0, pytest.approx(0.7)]
    for values in (maps.maps, maps.masks, maps.heads['own']):
        assert values[0].max() == 0 < values[1].max()
    assert maps.boxes[0].shape == (0, 5)


@pytest.mark.parametrize(('phrase', 'text'), [
    ('mug left of the laptop', 'mug'), ('노트북 왼쪽에 있는 머그잔', 'mug'), ('red mug', 'red mug'),
    ('mug on the laptop', 'mug')])
def test_a_thing_of_the_kind_that_is_not_the_one_meant_is_not_in_view(phrase, text):
    """The only mug stands at the right, and is blue."""
    image = GREY.copy()
    image[192:272, 480:544] = (20, 40, 210)
    tree = plant([phrase], translate=True)
    maps = assemble(tree, seen(tree, {text: [RIGHT], 'laptop': [LAPTOP]}), image)
    assert maps.presence[0] < 0.1 and maps.boxes[0][0, 4] < 0.1
    pipeline = Pipeline(Answers(maps))
    assert pipeline._regions(maps, ['target'], image) == []


@pytest.mark.parametrize(('phrase', 'text'), [
    ('mug', 'mug'), ('blue mug', 'blue mug'), ('mug on the right', 'mug'), ('mug right of the laptop', 'mug'),
    ('the largest mug', 'mug'), ('the last mug', 'mug')])
def test_the_one_meant_is_as_surely_in_view_as_the_model_says(phrase, text):
    image = GREY.copy()
    image[192:272, 480:544] = (20, 40, 210)
    tree = plant([phrase], translate=True)
    maps = assemble(tree, seen(tree, {text: [RIGHT], 'laptop': [(*LAPTOP[:4], 1.0)]}), image)
    assert maps.presence[0] == pytest.approx(0.8) and maps.boxes[0][0, 4] == pytest.approx(0.8)
    assert len(Pipeline(Answers(maps))._regions(maps, ['target'], image)) == 1


@pytest.mark.parametrize('phrase', ['between the plate and the book', 'in between the plate and the book',
                                    '접시와 책 사이', '접시와 책 사이에', '접시랑 책 사이에'])
@pytest.mark.parametrize('own_boxes', [True, False])
def test_a_place_between_two_things_is_between_them(phrase, own_boxes):
    plate, book = (64, 200, 164, 280, 0.9), (440, 200, 540, 300, 0.8)
    tree = plant([phrase], translate=True)
    assert tree.texts == ('plate', 'book')
    evidence = seen(tree, {'plate': [plate, (300, 20, 340, 60, 0.1)], 'book': [book]}, own_boxes)
    maps = assemble(tree, replace(evidence, masks=evidence.maps), GREY)
    assert maps.presence[0] == pytest.approx(0.8)
    if own_boxes:
        np.testing.assert_allclose(maps.boxes[0][0], [164, 200, 440, 280, np.sqrt(0.72)], atol=1e-3)
    for values in (maps.maps[0], maps.masks[0]):
        assert values[13:17, 11:27].min() == pytest.approx(1)
        assert values[13:17, :10].max() == 0 and values[13:17, 28:].max() == 0
    region, = Pipeline(Answers(maps))._regions(maps, ['destination'], GREY)
    assert 164 <= region.point[0] <= 440 and 200 <= region.point[1] <= 280
    gone = assemble(tree, seen(tree, {'book': [book]}, own_boxes), GREY)
    assert gone.presence[0] == 0 and gone.maps[0].max() == 0


def test_places_between_things_that_touch_or_share_a_box():
    one = np.array([[100, 100, 200, 200, 0.5]], float)
    beside, same = one + np.array([100, 0, 100, 0, 0]), one.copy()
    np.testing.assert_allclose(places_between(one, beside), [[187.5, 100, 212.5, 200, 0.5]])
    assert places_between(one, same)[0, 4] == 0
    assert places_between(one, one[:0]).shape == (0, 5)
    slanting = places_between(one, one + np.array([200, 300, 200, 300, 0]))
    np.testing.assert_allclose(slanting, [[200, 200, 300, 400, 0.5]])


def test_the_best_places_between_are_first_and_few():
    many = np.array([(x, 0, x + 10, 10, score) for x, score in ((0, 0.1), (20, 0.3), (40, 0.9), (60, 0.5))])
    found = places_between(many, np.array([[200, 0, 210, 10, 0.4], [300, 0, 310, 10, 0.8]]))
    assert found[:, 0].min() == 30 and len(found) == 6      # of the worst of the four there is none
    assert (np.diff(found[:, 4]) <= 0).all() and found[0, [0, 2]].tolist() == [50, 300]


def test_places_between_stay_in_the_image_and_are_chosen_by_what_the_phrase_says():
    left, amid, right = (np.array([[x, 100, x + 40, 140, 0.8]], float) for x in (60, 300, 540))
    three = parse_phrase('between the cup and the plate and the book')
    places, _ = resolve_between(three, [left, amid, right], (640, 480))
    assert sorted(places[:, 0].tolist()) == [100, 340]      # between the first two, and the last two
    for side, x in (('left', 100), ('right', 340)):
        places, parts = resolve_between(replace(three, position=side), [left, amid, right], (640, 480))
        assert places[parts.score.argmax(), 0] == x
    at_border = [np.array([box], float) for box in ((560, 0, 640, 100, 0.8), (636, 200, 640, 300, 0.8))]
    places, _ = resolve_between(three, at_border, (640, 480))
    assert places[0, 2] == 640 and places[0, 3] == 200


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
