"""From an instruction to what is looked for, and where that is told."""

import numpy as np
import pytest
from quick_backends import Quick

from vla_attention.grounding import AttentionMaps
from vla_attention.language import Instruction, Step
from vla_attention.pipeline import MOST_PHRASES, Look, Pipeline, Query


class Blind:
    """A backend that encodes phrases and sees nothing."""

    name = 'blind'

    def encode(self, phrases):
        return tuple(phrases)


def steps(count, *, avoid=0):
    return tuple(Step(action='take', target=f'thing {number}', destination=f'place {number}',
                      avoid=number >= count - avoid) for number in range(count))


def test_so_many_things_are_looked_for_and_what_is_to_be_avoided_first_of_all():
    query = Pipeline(Blind()).instruct(Instruction('many', steps=steps(40, avoid=2)))
    assert len(query.phrases) == len(query.roles) == MOST_PHRASES
    assert [query.phrases[index] for index in query.indices('avoid')] == ['thing 38', 'thing 39']
    assert query.phrases[0] == 'thing 0' and 'thing 37' in query.left_out and 'place 0' in query.left_out


def test_a_usual_instruction_leaves_nothing_out():
    query = Pipeline(Blind()).instruct('pick up the cup and put it on the plate, do not touch the knife')
    assert query.phrases == ('cup', 'on the plate', 'knife') and query.left_out == ()


def test_scores_mean_what_those_of_who_answered_mean():
    backend = Blind()
    pipeline = Pipeline(backend)
    assert pipeline._confidence() is None
    backend.answered_by = 'embedded'        # as that of a pool, or its fall-back
    assert pipeline._confidence() is not None


@pytest.fixture
def query():
    phrases = ('cup', 'fork', 'plate')
    instruction = Instruction('...', steps=(Step(action='take', target='cup'),
                                            Step(action='put', target='fork', destination='plate')))
    return Query(instruction, ('target', 'target', 'destination'), phrases, None)


def test_a_step_has_its_own_phrases_or_those_next_to_it(query):
    assert query.current('target', 0) == [0] and query.current('target', 1) == [1]
    assert query.current('target', -1) == [0, 1]
    assert query.current('destination', 0) == [2]       # while the cup is taken, the plate is next
    assert query.current('avoid', 0) == []


def test_the_last_thing_named_counts_to_the_end_and_what_to_avoid_always():
    moves = (Step('take', 'cup', 'tray'), Step('put', 'fork', 'plate'), Step('wave'))
    roles = ('target', 'target', 'destination', 'destination', 'avoid')
    query = Query(Instruction('...', steps=moves), roles, ('cup', 'fork', 'tray', 'plate', 'knife'), None)
    assert query.current('target', 2) == [1] and query.current('destination', 2) == [3]
    assert [query.current('avoid', step) for step in range(-1, 3)] == [[4]] * 4


def test_steps_are_counted_as_the_parse_gives_them():
    spans = (('knife', '', True), ('cup', '', False), ('cup', 'tray', False), ('plate', 'sink', False))
    query = Pipeline(Blind()).instruct(Instruction('...', steps=tuple(
        Step('take', target, place, avoid=avoid) for target, place, avoid in spans)))
    named = [[query.phrases[index] for role in ('target', 'destination')
              for index in query.current(role, step)] for step in range(len(spans))]
    assert named == [['cup', 'tray'], ['cup', 'tray'], ['cup', 'tray'], ['plate', 'sink']]


def test_what_is_not_in_view_has_no_bright_spot(query):
    presence = np.float32([0.9, 0.05, 0.5])
    maps = AttentionMaps(query.phrases, np.ones((3, 2, 2), np.float32), presence, (32, 32))
    look = Look(query, maps, ())
    assert look.attention('target', 0).max() == pytest.approx(0.9)
    assert look.attention('target', 1).max() == pytest.approx(0.05)
    assert look.attention('target', -1).max() == pytest.approx(0.9)
    assert look.attention('avoid', 0) is None and Look(query, None, ()).attention('target', 0) is None


class Middle(Quick):
    """Everything is in the middle of the image."""

    def maps(self, image, count):
        maps = np.zeros((count, 6, 8), np.float32)
        maps[:, 2:4, 2:6] = 1
        return maps


class Two(Quick):
    """Two of everything, of which it is not quite sure."""

    def maps(self, image, count):
        maps = np.zeros((count, 6, 8), np.float32)
        maps[:, 2:4, 1:3] = maps[:, 2:4, 5:7] = 1
        return maps

    def presence(self, phrases):
        return np.full(len(phrases), 0.5, np.float32)


@pytest.mark.parametrize(('options', 'count'), [
    ({}, 2), ({'max_regions': 1}, 1), ({'presence_threshold': 0.51}, 0)])
def test_a_phrase_has_regions_from_the_threshold_on_and_not_more_than_asked_for(options, count):
    image = np.full((96, 128, 3), 90, np.uint8)
    instruction = Instruction('...', steps=(Step(action='take', target='the cups'),))
    pipeline = Pipeline(Two(), **options)
    assert len(pipeline.look(image, pipeline.instruct(instruction)).regions) == count


@pytest.mark.parametrize(('phrase', 'place'), [
    ('between the plate and the book', True), ('접시와 책 사이', True), ('on the plate', False)])
def test_a_place_between_two_things_is_not_cut_out_by_its_colours(phrase, place):
    image = np.full((96, 128, 3), 90, np.uint8)
    image[40:56, 50:70] = (220, 30, 30)     # something that lies in it
    instruction = Instruction('...', steps=(Step(action='put', target='cup', destination=phrase),))
    pipeline = Pipeline(Middle())
    region = pipeline.look(image, pipeline.instruct(instruction)).regions[-1]
    assert region.role == 'destination'
    assert (region.box == (32.0, 32.0, 96.0, 64.0)) == place


class Fickle(Quick):
    """Finds two things, of which now one and now the other is a little better."""

    def attend(self, image, encoded):
        self.asked = getattr(self, 'asked', 0) + 1
        scores = (0.67, 0.6) if self.asked % 2 else (0.58, 0.6)
        boxes = [(20, 20, 60, 60, scores[0]), (100, 20, 140, 60, scores[1])]
        found = np.array(sorted(boxes, key=lambda box: -box[4]), np.float32)
        return AttentionMaps(encoded, np.ones((1, 10, 10), np.float32), self.presence(encoded),
                             image.shape[1::-1], boxes=(found,))


@pytest.mark.parametrize(('times', 'steadiness', 'places'), [
    ((None,) * 6, 0.5, 2), (np.arange(6) * 0.2, 0.0, 2), (np.arange(6) * 0.2, 0.5, 1)])
def test_in_a_stream_what_was_chosen_stays_chosen(times, steadiness, places):
    pipeline = Pipeline(Fickle(), steadiness=steadiness)
    query = pipeline.instruct(Instruction('take it', steps=(Step('take', 'cup'),)))
    image = np.zeros((160, 160, 3), np.uint8)
    looks = [pipeline.look(image, query, time) for time in times]
    assert len({round(look.regions[0].box[0] / 80) for look in looks[2:]}) == places
