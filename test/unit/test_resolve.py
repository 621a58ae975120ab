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
    stray[0, 4] = 0.15      # nor by a part
    scores = resolve(phrase(ordinal=2), stray, image_size=SIZE)
    np.testing.assert_allclose(scores[1:], resolve(phrase(ordinal=2), ROW, image_size=SIZE), atol=1e-6)
    doubtful = ROW.copy()
    doubtful[1, 4] = 0.5        # but one that is nearly as sure as the best counts in full
    assert resolve_parts(phrase(ordinal=3), doubtful, image_size=SIZE).space[2] > 0.99


def test_a_stray_box_of_low_score_is_no_measure_of_size():
    tiny = [(x, 40, 4, 4, 0.05) for x in (100, 200, 300)]
    things = boxes((100, 240, 30, 30), (250, 240, 60, 60), (400, 240, 120, 120), *tiny)
    assert best(phrase(size='medium'), things) == 1
    assert resolve_parts(phrase(size='smallest'), things, image_size=SIZE).size[0] == 1


def test_the_left_one_of_two_that_both_stand_right():
    both = resolve_parts(phrase(position='left'), boxes((420, 200, 40, 40), (600, 200, 40, 40)),
                         image_size=SIZE).space
    assert both[0] > 0.6 > 3 * both[1]
    alone = resolve_parts(phrase(position='left'), boxes((600, 200, 40, 40)), image_size=SIZE).space
    assert alone[0] < 0.1       # there is no other that it could be left of
    assert best(phrase(position='left'), boxes((120, 60, 40, 40), (160, 440, 40, 40))) == 0


@pytest.mark.parametrize('position', sorted(POSITIONS))
def test_a_thing_that_reaches_out_of_the_image_is_at_its_border(position):
    out = boxes((-30, 500, 100, 60), (320, 240, 40, 40))
    inside = boxes((0, 480, 100, 60), (320, 240, 40, 40))
    np.testing.assert_allclose(*(resolve(phrase(position=position), each, image_size=SIZE)
                                 for each in (out, inside)), atol=1e-6)


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


@pytest.mark.parametrize(('position', 'answer'), [
    ('top', 0), ('topmost', 0), ('back', 0), ('backmost', 0),
    ('bottom', 2), ('bottommost', 2), ('front', 2), ('frontmost', 2)])
def test_the_back_is_at_the_top_and_the_front_at_the_bottom(position, answer):
    column = boxes((320, 60, 40, 40), (320, 200, 40, 40), (320, 420, 40, 40))
    assert best(phrase(position=position), column) == answer
    if position in ('top', 'bottom', 'back', 'front'):
        second = boxes((320, 60, 40, 40), (320, 160, 40, 40), (320, 300, 40, 40), (320, 420, 40, 40))
        assert best(phrase(position=position, ordinal=2), second) == (1 if answer == 0 else 2)


def test_an_edge_is_any_side_and_a_corner_is_two():
    three = boxes((320, 240, 40, 40), (320, 30, 40, 40), (610, 450, 40, 40))
    edge, corner = (resolve(phrase(position=name), three, image_size=SIZE) for name in ('edge', 'corner'))
    assert edge[1] > 3 * edge[0] and edge[2] > 3 * edge[0]
    assert corner[2] > 3 * corner[0] and corner[2] > 3 * corner[1]


@pytest.mark.parametrize(('size', 'answer'), [
    ('largest', 2), ('large', 2), ('smallest', 0), ('small', 0), ('tallest', 3), ('tall', 3), ('shortest', 0),
    ('widest', 2), ('narrowest', 3), ('longest', 2), ('medium', 1)])
def test_sizes(size, answer):
    four = boxes((100, 240, 30, 30), (250, 240, 60, 70), (400, 240, 160, 100), (550, 240, 20, 140))
    assert best(phrase(size=size), four) == answer


@pytest.mark.parametrize(('size', 'answer'), [
    ('wide', 1), ('narrow', 3), ('short', 1), ('long', 2), ('longest', 2), ('thick', 0), ('thickest', 0),
    ('thin', 3), ('thinnest', 3)])
def test_a_thing_is_long_along_its_longer_side_and_thick_along_the_other(size, answer):
    four = boxes((100, 240, 90, 100), (250, 240, 160, 30), (400, 240, 60, 240), (550, 240, 20, 110))
    assert best(phrase(size=size), four) == answer


def test_second_largest_is_an_ordinal_along_size():
    four = boxes((100, 240, 90, 90), (300, 240, 30, 30), (500, 240, 60, 60), (600, 240, 45, 45))
    assert best(phrase(size='largest', ordinal=2), four) == 2
    assert best(phrase(size='smallest', ordinal=2), four) == 3
    assert best(phrase(size='largest', ordinal=2, position='right'), four[:3]) == 0   # counted from the right


def test_the_second_of_the_large_ones_is_counted_from_the_left():
    row = boxes((100, 240, 80, 80), (250, 240, 20, 20), (400, 240, 80, 80), (550, 240, 80, 80))
    assert best(phrase(size='large', ordinal=3), row) == 2


def test_largest_is_the_largest_of_its_kind_and_colour():
    two = boxes((100, 240, 200, 200, 0.1), (400, 240, 60, 60), (550, 240, 40, 40))
    assert best(phrase(size='largest'), two) == 1
    red = phrase(size='largest', colours=('red',))
    assert best(red, two[1:], colours=np.array([0.05, 0.9])) == 1
    parts = resolve_parts(red, two[1:], image_size=SIZE, colours=np.array([0.05, 0.9]))
    assert parts.size[1] == 1       # what is of another colour is no rival in size


def test_the_left_one_of_those_in_the_relation():
    """What is not on the tray is not counted: the left cup on it may be the rightmost but one."""
    tray = boxes((500, 260, 200, 120))
    row = boxes((60, 240, 30, 40), (180, 240, 30, 40), (440, 250, 30, 40), (560, 250, 30, 40))
    assert best(phrase(relation='on', position='leftmost'), row, references=tray) == 2
    assert best(phrase(relation='on', ordinal=2), row, references=tray) == 3


def test_a_thing_with_two_boxes_is_counted_once():
    twice = np.vstack([ROW[:2], boxes((252, 242, 44, 62, 0.7), (250, 250, 30, 30, 0.7)), ROW[2:]])
    assert best(phrase(ordinal=3), twice) == 4
    assert best(phrase(ordinal=4), twice) == 5
    assert (resolve_parts(phrase(ordinal=2), twice, image_size=SIZE).space[1:4] > 0.99).all()
    overlapping = boxes((100, 240, 60, 60), (135, 240, 60, 60), (170, 240, 60, 60))     # a heap of three
    assert best(phrase(ordinal=2), overlapping) == 1


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
    ('edge_of', (245, 240, 20, 20), (120, 240, 20, 20)),
    ('left_of', (150, 240, 40, 60), (150, 420, 40, 60)),   # straight beside, not aslant
    ('left_of', (150, 240, 40, 60), (295, 240, 40, 60)),   # what is before it is not beside it
    ('behind', (330, 190, 60, 40), (330, 230, 60, 200)),   # told from the bases, not the tops
    ('on', (320, 155, 40, 60), (320, 60, 40, 60)),       # not in the air above
    ('on', (320, 260, 40, 60), (320, 160, 150, 270)),    # what hides it stands before it
    ('in', (320, 240, 30, 30), (390, 290, 30, 30)),      # what holds things may be round
    ('in', (320, 240, 40, 40), (320, 240, 40, 300)),
    ('under', (320, 330, 60, 40), (450, 330, 60, 40)),
    ('under', (320, 330, 60, 40), (320, 460, 60, 40)),
    ('next_to', (450, 240, 40, 40), (320, 370, 40, 40)),  # as far in pixels, but farther on the table
    ('closest_to', (320, 250, 40, 40), (380, 290, 40, 40)),  # both on it
    ('closest_to', (430, 260, 40, 60), (470, 260, 40, 60)),
    ('farthest_from', (470, 260, 40, 60), (430, 260, 40, 60)),
])
def test_relations(relation, wanted, other):
    candidates = boxes(other, wanted)
    scores = resolve(phrase(relation=relation), candidates, image_size=SIZE, references=LAPTOP)
    assert scores[1] > 1.3 * scores[0]


@pytest.mark.parametrize(('relation', 'reference', 'middle', 'end'), [
    ('above', (320, 400, 500, 80), (320, 250, 40, 40), (520, 250, 40, 40)),
    ('left_of', (500, 240, 80, 400), (300, 240, 40, 40), (300, 80, 40, 40)),
    ('behind', (320, 400, 500, 80), (320, 250, 40, 40), (520, 250, 40, 40))])
def test_beside_the_end_of_a_long_thing_is_beside_it(relation, reference, middle, end):
    scores = resolve(phrase(relation=relation), boxes(middle, end), image_size=SIZE,
                     references=boxes(reference))
    assert scores[1] > 0.9 * scores[0]


def test_what_holds_a_thing_is_not_in_it():
    around = resolve(phrase(relation='in'), boxes((320, 240, 220, 170)), image_size=SIZE, references=LAPTOP)
    assert around[0] < 0.05


def test_of_two_things_that_lie_straight_beside_it_the_nearer_is_meant():
    row = boxes((20, 240, 40, 60), (150, 240, 40, 60))
    assert best(phrase(relation='left_of'), row, references=LAPTOP) == 1


def test_near_reaches_farther_than_next_to():
    aside = boxes((560, 260, 40, 60))
    near, next_to = (resolve(phrase(relation=name), aside, image_size=SIZE, references=LAPTOP)[0]
                     for name in ('near', 'next_to'))
    assert near > 1.3 * next_to


def test_between_two_references_that_stand_aslant():
    ends = boxes((120, 80, 40, 40), (520, 400, 40, 40))
    candidates = boxes((320, 80, 40, 40), (320, 240, 40, 40), (520, 80, 40, 40))
    scores = resolve(phrase(relation='between'), candidates, image_size=SIZE, references=ends)
    assert scores[1] > 1.5 * max(scores[0], scores[2])


def test_between_two_references():
    ends = boxes((100, 240, 40, 60), (500, 240, 40, 60))
    candidates = boxes((300, 250, 40, 60), (580, 240, 40, 60), (300, 60, 40, 60), (100, 240, 40, 60))
    scores = resolve(phrase(relation='between'), candidates, image_size=SIZE, references=ends)
    assert scores.argmax() == 0
    assert scores[0] > 2 * scores[1:].max()


def test_the_surer_reference_decides():
    references = boxes((100, 240, 60, 60, 0.9), (540, 240, 60, 60, 0.2))
    candidates = boxes((180, 240, 40, 40), (620, 240, 40, 40))
    for sure, unsure in ((0, 1), (1, 0)):       # whichever comes first
        order = [sure, unsure]
        for relation in ('next_to', 'closest_to'):
            assert best(phrase(relation=relation), candidates[order], references=references[order]) == sure
    assert best(phrase(relation='farthest_from'), candidates, references=references) == 1
    assert best(phrase(relation='farthest_from'), candidates, references=references[::-1]) == 1
    near_unsure = boxes((320, 240, 40, 40, 0.9), (600, 240, 40, 40, 0.9), (40, 240, 40, 40, 0.1))
    pairs = boxes((180, 240, 40, 40), (460, 240, 40, 40))       # between the last two, and the first two
    assert best(phrase(relation='between'), pairs, references=near_unsure) == 1


def test_closest_and_farthest_among_those_that_could_be_meant():
    candidates = boxes((450, 240, 40, 40, 0.05), (500, 240, 40, 40), (600, 240, 40, 40),
                       (20, 20, 20, 20, 0.05))
    closest, farthest = (resolve_parts(phrase(relation=name), candidates, image_size=SIZE, references=LAPTOP)
                         for name in ('closest_to', 'farthest_from'))
    assert closest.space[1] == 1 and farthest.space[2] == 1
    itself = resolve_parts(phrase(relation='closest_to'), LAPTOP, image_size=SIZE, references=LAPTOP)
    assert itself.space.tolist() == [1]


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
    no_chance = resolve_parts(wanted, ROW, image_size=SIZE, references=boxes((320, 240, 40, 40, 0.0)))
    assert (no_chance.space == NOT_FOUND).all() and 0 < NOT_FOUND < 1


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
