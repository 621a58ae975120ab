"""The resolver chooses among candidates as a person who looks at the image would."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_attention.grounding.resolve import (
    NOT_FOUND,
    POSITIONS,
    RELATIONS,
    SIZES,
    resolve,
    resolve_parts,
)
from vla_attention.language.lexicon import load_lexicon
from vla_attention.language.phrase import Phrase

SIZE = (640, 480)
MIRRORED = {'left': 'right', 'leftmost': 'rightmost', 'top_left': 'top_right', 'bottom_left': 'bottom_right',
            'left_of': 'right_of'}
MIRRORED |= {right: left for left, right in MIRRORED.items()}


def boxes(*rows, score=0.8):
    """Make candidates of (centre x, centre y, width, height[, score])."""
    out = []
    for x, y, w, h, *own in rows:
        out.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2, own[0] if own else score))
    return np.array(out).reshape(-1, 5)


def best(phrase, candidates, **options):
    return int(resolve(phrase, candidates, image_size=SIZE, **options).argmax())


def phrase(**fields):
    return Phrase('the thing', **fields)


ROW = boxes((100, 240, 40, 60), (250, 240, 40, 60), (400, 240, 40, 60), (550, 240, 40, 60))
LAPTOP = boxes((320, 240, 160, 120))


@pytest.mark.parametrize(('fields', 'answer'), [
    ({'position': 'left'}, 0), ({'position': 'leftmost'}, 0), ({'position': 'rightmost'}, 3),
    ({'ordinal': 2}, 1), ({'ordinal': 3, 'position': 'left'}, 2), ({'ordinal': 2, 'position': 'right'}, 2),
    ({'ordinal': -1}, 3), ({'ordinal': -2}, 2), ({'ordinal': 4}, 3),
    ({'ordinal': -1, 'position': 'right'}, 0),
])
def test_ordinals_and_extremes_count_along_the_row(fields, answer):
    assert best(phrase(**fields), ROW) == answer


def test_a_stray_box_of_low_score_does_not_shift_the_count():
    stray = np.vstack([boxes((30, 240, 40, 60, 0.05)), ROW])
    assert best(phrase(ordinal=2), stray) == 2      # still the second real one
    assert best(phrase(position='leftmost'), stray) == 1


def test_the_left_one_of_two_that_both_stand_right():
    assert best(phrase(position='left'), boxes((420, 200, 40, 40), (600, 200, 40, 40))) == 0


def test_the_middle_one_of_three():
    centred = boxes((100, 240, 40, 40), (330, 240, 40, 40), (560, 240, 40, 40))
    aside = boxes((430, 240, 40, 40), (500, 240, 40, 40), (570, 240, 40, 40))
    assert best(phrase(position='middle'), centred) == 1
    assert best(phrase(position='middle'), aside) == 1


@pytest.mark.parametrize(('position', 'answer'), [
    ('top_left', 0), ('top_right', 1), ('bottom_left', 2), ('bottom_right', 3), ('back', None),
    ('middle', 4)])
def test_corners(position, answer):
    five = boxes((60, 60, 40, 40), (580, 60, 40, 40), (60, 420, 40, 40), (580, 420, 40, 40),
                 (320, 240, 40, 40))
    got = best(phrase(position=position), five)
    assert got == answer if answer is not None else got in (0, 1)


@pytest.mark.parametrize(('size', 'answer'), [
    ('largest', 2), ('large', 2), ('smallest', 0), ('small', 0), ('tallest', 3), ('tall', 3), ('shortest', 0),
    ('widest', 2), ('narrowest', 3), ('longest', 2), ('medium', 1)])
def test_sizes(size, answer):
    four = boxes((100, 240, 30, 30), (250, 240, 60, 70), (400, 240, 160, 100), (550, 240, 20, 140))
    assert best(phrase(size=size), four) == answer


def test_second_largest_is_an_ordinal_along_size():
    three = boxes((100, 240, 90, 90), (300, 240, 30, 30), (500, 240, 60, 60))
    assert best(phrase(size='largest', ordinal=2), three) == 2


def test_largest_is_the_largest_of_its_kind_and_colour():
    two = boxes((100, 240, 200, 200, 0.1), (400, 240, 60, 60), (550, 240, 40, 40))
    assert best(phrase(size='largest'), two) == 1
    red = phrase(size='largest', colours=('red',))
    assert best(red, two[1:], colours=np.array([0.05, 0.9])) == 1


def test_true_areas_win_over_boxes():
    near_small, far_large = (200, 400, 100, 100), (400, 100, 50, 50)
    two = boxes(near_small, far_large)
    assert best(phrase(size='largest'), two) == 0
    assert best(phrase(size='largest'), two, areas=np.array([0.01, 0.09])) == 1


@pytest.mark.parametrize(('relation', 'wanted', 'other'), [
    ('left_of', (150, 260, 40, 60), (500, 260, 40, 60)),
    ('left_of', (150, 260, 40, 60), (310, 420, 40, 60)),
    ('right_of', (500, 260, 40, 60), (150, 260, 40, 60)),
    ('above', (320, 100, 40, 60), (320, 400, 40, 60)),
    ('below', (320, 400, 40, 60), (320, 100, 40, 60)),
    ('behind', (330, 170, 60, 60), (330, 380, 60, 60)),
    ('in_front_of', (330, 330, 60, 60), (330, 170, 60, 60)),
    ('on', (320, 250, 40, 60), (450, 250, 40, 60)),
    ('on', (320, 155, 40, 60), (320, 320, 40, 60)),      # on its upper edge, not in front of it
    ('in', (320, 250, 40, 40), (420, 250, 60, 60)),
    ('under', (320, 330, 60, 40), (320, 150, 60, 40)),
    ('next_to', (430, 260, 40, 60), (600, 260, 40, 60)),
    ('next_to', (430, 260, 40, 60), (330, 250, 40, 60)),   # what lies on it is not beside it
    ('near', (430, 260, 40, 60), (620, 60, 40, 60)),
    ('far_from', (620, 60, 40, 60), (430, 260, 40, 60)),
    ('edge_of', (245, 240, 20, 20), (320, 240, 20, 20)),
    ('closest_to', (430, 260, 40, 60), (470, 260, 40, 60)),
    ('farthest_from', (470, 260, 40, 60), (430, 260, 40, 60)),
])
def test_relations(relation, wanted, other):
    candidates = boxes(other, wanted)
    scores = resolve(phrase(relation=relation), candidates, image_size=SIZE, references=LAPTOP)
    assert scores[1] > 1.3 * scores[0]


def test_between_two_references():
    ends = boxes((100, 240, 40, 60), (500, 240, 40, 60))
    candidates = boxes((300, 250, 40, 60), (580, 240, 40, 60), (300, 60, 40, 60), (100, 240, 40, 60))
    scores = resolve(phrase(relation='between'), candidates, image_size=SIZE, references=ends)
    assert scores.argmax() == 0
    assert scores[0] > 2 * scores[1:].max()


def test_the_surer_reference_decides():
    references = boxes((100, 240, 60, 60, 0.9), (540, 240, 60, 60, 0.2))
    candidates = boxes((180, 240, 40, 40), (620, 240, 40, 40))
    assert best(phrase(relation='next_to'), candidates, references=references) == 0
    assert best(phrase(relation='closest_to'), candidates, references=references) == 0


def test_a_reference_is_not_related_to_itself():
    both = np.vstack([LAPTOP, boxes((450, 240, 40, 40))])
    for relation in sorted(RELATIONS - {'between', 'far_from', 'farthest_from', 'closest_to'}):
        parts = resolve_parts(phrase(relation=relation), both, image_size=SIZE, references=LAPTOP)
        assert parts.space[0] < 0.05, relation


def test_a_reference_that_is_missing():
    wanted = phrase(relation='left_of')
    assert (resolve_parts(wanted, ROW, image_size=SIZE).space == 1).all()
    unseen = resolve_parts(wanted, ROW, image_size=SIZE, references=np.zeros((0, 5)))
    assert (unseen.space == NOT_FOUND).all()


def test_parts_are_separable_and_neutral_where_nothing_is_asked():
    parts = resolve_parts(phrase(), ROW, image_size=SIZE, references=LAPTOP, colours=np.zeros(4))
    assert np.allclose(parts.kind, 0.8)
    for part in (parts.colour, parts.size, parts.space):
        assert (part == 1).all() and part.dtype == np.float32
    assert np.allclose(parts.score, 0.8)


@pytest.mark.parametrize('fields', [
    *({'position': name} for name in sorted(POSITIONS)), *({'size': name} for name in sorted(SIZES)),
    *({'relation': name} for name in sorted(RELATIONS)), {'ordinal': 2}])
def test_no_candidates_and_one_candidate(fields):
    none = resolve(phrase(**fields), np.zeros((0, 5)), image_size=SIZE, references=LAPTOP)
    assert none.shape == (0,) and none.dtype == np.float32
    one = resolve(phrase(**fields), boxes((200, 200, 50, 50)), image_size=SIZE, references=LAPTOP)
    assert np.isfinite(one).all() and 0 <= one[0] <= 1


def test_every_word_of_the_lexicon_can_be_resolved():
    words = load_lexicon().words
    for language in ('en', 'ko'):
        assert set(words[language]['relations'].values()) <= RELATIONS
        assert set(words[language]['positions'].values()) <= POSITIONS
        assert set(words[language]['sizes'].values()) <= SIZES


box = st.tuples(st.floats(10, 630), st.floats(10, 470), st.floats(4, 200), st.floats(4, 200),
                st.floats(0.01, 1))
some_boxes = st.lists(box, min_size=1, max_size=6).map(lambda rows: boxes(*rows))
fields = st.fixed_dictionaries({}, optional={
    'position': st.sampled_from(sorted(POSITIONS)), 'size': st.sampled_from(sorted(SIZES)),
    'relation': st.sampled_from(sorted(RELATIONS)), 'ordinal': st.sampled_from([-2, -1, 1, 2, 3])})


def mirror(rows):
    flipped = rows.copy()
    flipped[:, 0], flipped[:, 2] = SIZE[0] - rows[:, 2], SIZE[0] - rows[:, 0]
    return flipped


@settings(max_examples=150, deadline=None, derandomize=True)
@given(some_boxes, some_boxes, fields)
def test_mirroring_the_image_swaps_left_and_right(candidates, references, asked):
    if 'ordinal' in asked and asked.get('position') not in MIRRORED:
        asked['position'] = 'left'      # a plain ordinal counts from the left, which has no mirror image
    asked = phrase(**asked)
    swapped = replace(asked, position=MIRRORED.get(asked.position, asked.position),
                      relation=MIRRORED.get(asked.relation, asked.relation))
    here = resolve(asked, candidates, image_size=SIZE, references=references)
    there = resolve(swapped, mirror(candidates), image_size=SIZE, references=mirror(references))
    np.testing.assert_allclose(here, there, atol=1e-4)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(some_boxes, some_boxes, fields, st.randoms(use_true_random=False))
def test_bounded_and_blind_to_the_order_and_scale(candidates, references, asked, random):
    asked = phrase(**asked)
    scores = resolve(asked, candidates, image_size=SIZE, references=references)
    assert scores.shape == (len(candidates),) and np.isfinite(scores).all()
    assert (scores >= 0).all() and (scores <= 1).all()
    order = list(range(len(candidates)))
    random.shuffle(order)
    shuffled = resolve(asked, candidates[order], image_size=SIZE, references=references)
    np.testing.assert_allclose(shuffled, scores[order], atol=1e-5)
    double = [2, 2, 2, 2, 1]
    scaled = resolve(asked, candidates * double, image_size=(1280, 960), references=references * double)
    np.testing.assert_allclose(scaled, scores, atol=1e-3)


@pytest.mark.parametrize(('change', 'message'), [
    ({'candidates': np.zeros((3, 4))}, 'candidates must be'),
    ({'candidates': np.array([[0, 0, 1, np.nan, 1]])}, 'not finite'),
    ({'candidates': np.array([[5, 0, 1, 1, 1.0]])}, 'x1 < x0'),
    ({'candidates': np.array([[0, 0, 1, 1, 1.5]])}, 'scores of candidates'),
    ({'references': np.zeros((1, 4))}, 'references must be'),
    ({'colours': np.zeros(3)}, 'colours must be'),
    ({'colours': np.full(4, 2.0)}, 'colours must lie'),
    ({'areas': np.zeros(3)}, 'areas must be'),
    ({'image_size': (0, 480)}, 'image_size'),
    ({'phrase': Phrase('x', relation='astride')}, "relation is 'astride'"),
    ({'phrase': Phrase('x', position='yonder')}, "position is 'yonder'"),
    ({'phrase': Phrase('x', size='huger')}, "size is 'huger'"),
])
def test_bad_input_is_named(change, message):
    options = {'phrase': Phrase('x', relation='on', colours=('red',)), 'candidates': ROW, 'image_size': SIZE}
    options |= change
    with pytest.raises(ValueError, match=message):
        resolve(**options)
