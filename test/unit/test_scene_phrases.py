"""What is said of generated scenes is true of them, and of one thing alone."""

from __future__ import annotations

import colorsys
from collections import Counter

import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed (training/requirements.txt)')

from scene_words import ENGLISH_CLAIMS, ENGLISH_RELATIONS, read

from training.scenes.kinds import KINDS
from training.scenes.materials import COLOURS
from training.scenes.phrases import absent_phrases
from training.scenes.referring import Description, Seen, needs, resolve
from training.scenes.scene import SceneObject

pytest_plugins = ['scene_fixtures']
pytestmark = pytest.mark.usefixtures('no_photographs')


def thing(number, kind='cup', colour='red', *, x=0.0, away=0.0, edge=0.1, carrier=0, visible=1.0):
    """Stand a thing at x (share of a picture 100 pixels wide), ``away`` metres from the camera's side.

    The camera is half a metre before x = 0.5.
    """
    pixels = int(200 * edge)
    middle = int(100 * x)
    top = 50 - int(100 * away)
    object_ = SceneObject(number, kind, colour, 'plastic', 'medium',
                          (middle - pixels // 2, top, middle + pixels // 2, top + 30),
                          np.array([x - 0.5, 0.0, away + 0.5]),
                          np.full(3, edge), np.array([0, 0, 0, 1.0]), visible)
    return Seen(object_, KINDS[kind], pixels ** 2, (middle, 50.0), (x, away), carrier)


def has_colour(srgb, name):
    """Tell whether a colour lies within the range that objects of that name are painted from."""
    hue, saturation, value = colorsys.rgb_to_hsv(*srgb)
    (from_hue, to_hue), saturations, values = COLOURS[name]
    return ((360 * hue - from_hue) % 360 <= to_hue - from_hue
            and saturations[0] <= saturation <= saturations[1] and values[0] <= value <= values[1])


def test_phrases_heed_the_boxes_in_the_background(sketches):
    cluttered = 0
    for each in sketches:
        first = len(each.setting.fixed)
        visible = [part.surface.colour ** (1 / 2.2) for number, part in enumerate(each.setting.clutter)
                   if (each.hits.part[each.hits.found] == first + number).sum() > 5]
        cluttered += bool(visible)
        for phrase in each.scene.phrases if visible else ():
            said = read(phrase)
            if not phrase.target_id:
                assert said.kind not in ('box', 'block') or said.colour
            elif said.kind in ('', 'box', 'block') and not said.claims & {'on', 'in'}:
                assert said.colour, phrase
            if said.kind in ('', 'box', 'block') and not said.claims & {'on', 'in'}:
                assert not any(has_colour(srgb, said.colour) for srgb in visible), phrase
            if said.reference and said.reference.kind in ('box', 'block'):
                assert not any(has_colour(srgb, said.reference.colour) for srgb in visible), phrase
    assert cluttered > 5


def test_a_box_is_not_asked_for_as_absent_before_boxes():
    row, rng = (thing(1), thing(2, 'plate', 'blue')), np.random.default_rng(0)
    asked = Counter(phrase.text_en for _ in range(1500) for phrase in absent_phrases(row, rng, 2))
    assert {'box', 'block'} <= set(asked)
    clutter = frozenset({'red', 'brown'})
    asked = Counter(phrase.text_en for _ in range(1500) for phrase in absent_phrases(row, rng, 2, clutter))
    assert not [text for text in asked if text.split()[-1] in ('box', 'block')]
    # a box in view is asked for in a colour that neither it nor those behind it have
    row = (thing(1, 'box', 'blue'),)
    asked = {phrase.text_en for _ in range(1500) for phrase in absent_phrases(row, rng, 2, clutter)}
    boxes = {text for text in asked if text.split()[-1] == 'box'}
    assert 'green box' in boxes and not boxes & {'red box', 'brown box', 'blue box', 'box'}


class TestReferring:
    pair = (thing(1, x=0.2), thing(2, x=0.7), thing(3, 'plate', 'blue', x=0.5, away=0.3))

    def test_kind_and_colour(self):
        assert resolve(Description(kind='plate'), self.pair, 100) == 3
        assert resolve(Description(kind='cup'), self.pair, 100) == 0
        assert resolve(Description(colour='blue'), self.pair, 100) == 3
        assert needs(Description(kind='plate', colour='blue'), 3, self.pair, 100) == ()
        assert needs(Description(kind='plate'), 3, self.pair, 100) == ('kind',)

    def test_position(self):
        assert resolve(Description(kind='cup', position='leftmost'), self.pair, 100) == 1
        assert resolve(Description(kind='cup', position='right'), self.pair, 100) == 2
        close = (thing(1, x=0.50), thing(2, x=0.52))
        assert resolve(Description(kind='cup', position='leftmost'), close, 100) == 0

    def test_depth_order(self):
        rows = (thing(1, x=0.5, away=0.0), thing(2, x=0.5, away=0.3))
        assert resolve(Description(kind='cup', position='nearest'), rows, 100) == 1
        assert resolve(Description(kind='cup', position='farthest'), rows, 100) == 2

    def test_depth_order_on_the_table_and_from_the_lens_must_agree(self):
        aside = (thing(1, x=0.0, away=0.0), thing(2, x=0.5, away=0.1))    # 0.71 m and 0.60 m from the lens
        assert resolve(Description(kind='cup', position='nearest'), aside, 100) == 0
        assert resolve(Description(kind='cup', position='farthest'), aside, 100) == 0
        third = (thing(1, x=0.1, away=0.0), thing(2, x=0.5, away=0.4), thing(3, x=0.5, away=0.1))
        assert resolve(Description(kind='cup', position='nearest'), third, 100) == 0
        assert resolve(Description(kind='cup', position='farthest'), third, 100) == 2

    def test_boxes_in_the_background_may_be_meant(self):
        tray = thing(9, 'tray', 'grey', x=0.8)
        row = (thing(1, x=0.2), thing(2, 'box', 'blue', x=0.5), thing(3, 'die', 'white', carrier=9), tray)
        red = frozenset({'red', 'pink'})
        for description, alone, before_boxes in (
                (Description(kind='box'), 2, 0), (Description(kind='box', colour='blue'), 2, 2),
                (Description(colour='red'), 1, 0), (Description(colour='blue'), 2, 2),
                (Description(kind='cup'), 1, 1), (Description(kind='cup', colour='red'), 1, 1),
                (Description(relation='on', reference=tray), 3, 3)):
            assert resolve(description, row, 100) == alone
            assert resolve(description, row, 100, red) == before_boxes
        assert needs(Description(kind='box', colour='blue'), 2, row, 100) == ()
        assert needs(Description(kind='box', colour='blue'), 2, row, 100, red) == ('colour',)

    def test_size(self):
        sizes = (thing(1, x=0.2, edge=0.05), thing(2, x=0.7, edge=0.1))
        assert resolve(Description(kind='cup', size='large'), sizes, 100) == 2
        assert resolve(Description(kind='cup', size='small'), sizes, 100) == 1
        alike = (thing(1, x=0.2, edge=0.100), thing(2, x=0.7, edge=0.105))
        assert resolve(Description(kind='cup', size='large'), alike, 100) == 0

    def test_ordinal_and_hidden_things(self):
        row = (thing(1, x=0.2), thing(2, x=0.5), thing(3, x=0.8))
        assert resolve(Description(kind='cup', ordinal=(2, 'left')), row, 100) == 2
        assert resolve(Description(kind='cup', ordinal=(1, 'right')), row, 100) == 3
        hidden = (*row[:2], thing(3, x=0.8, visible=0.1))
        assert resolve(Description(kind='cup', ordinal=(2, 'left')), hidden, 100) == 0

    def test_relation(self):
        reference = thing(9, 'laptop', 'grey', x=0.5)
        scene = (thing(1, x=0.2), thing(2, x=0.8), reference)
        left = Description(kind='cup', relation='left_of', reference=reference)
        assert resolve(left, scene, 100) == 1
        assert needs(left, 1, scene, 100) == ('relation',)
        doubtful = (*scene, thing(3, x=0.3, away=0.3))
        assert resolve(left, doubtful, 100) == 0
        carried = (thing(1, x=0.2, carrier=9), thing(2, x=0.8), reference)
        assert resolve(Description(kind='cup', relation='on', reference=reference), carried, 100) == 1

    def test_a_confusable_kind_makes_a_name_unclear(self):
        assert resolve(Description(kind='cup'), (thing(1), thing(2, 'mug')), 100) == 0


class View:
    """Where the things of a scene are, measured in its picture and its labels."""

    def __init__(self, scene):
        self.scene = scene
        self.width = scene.image.shape[1]

    def x(self, entry):
        """Return the column of the middle of what is seen."""
        return np.nonzero(self.scene.instances == entry.id)[1].mean()

    def world(self, entry):
        return self.scene.camera_pose[:3, :3] @ entry.center + self.scene.camera_pose[:3, 3]

    def ahead(self, entry):
        """Return metres over the table, the way that the camera looks."""
        way = self.scene.camera_pose[:2, 2]
        return (self.world(entry) - self.scene.camera_pose[:3, 3])[:2] @ way / np.linalg.norm(way)

    def beside(self, entry, other):
        return np.linalg.norm((self.world(entry) - self.world(other))[:2])

    def named(self, said):
        return [entry for entry in self.scene.objects
                if said.kind in ('', entry.kind) and said.colour in ('', entry.colour)]

    def first(self, target, group, value):
        """Tell whether the target has the least value, and no other the same."""
        return all(value(target) < value(other) for other in group if other is not target)

    def holds(self, claim, target, group, other):
        """Tell whether a claim is true of the target among those that share its name."""
        first = self.first
        if ' from the ' in claim:
            sign = 1 if claim.endswith('left') else -1
            return sorted(group, key=lambda entry: sign * self.x(entry))[int(claim[0]) - 1] is target
        checks = {
            'leftmost': lambda: first(target, group, self.x),
            'rightmost': lambda: first(target, group, lambda entry: -self.x(entry)),
            'left': lambda: self.x(target) < self.width / 2 and first(target, group, self.x),
            'right': lambda: self.x(target) > self.width / 2 and first(target, group, lambda e: -self.x(e)),
            'middle': lambda: len(group) == 3 and sorted(group, key=self.x)[1] is target,
            'nearest': lambda: (first(target, group, self.ahead)
                                and first(target, group, lambda entry: np.linalg.norm(entry.center))),
            'farthest': lambda: (first(target, group, lambda entry: -self.ahead(entry))
                                 and first(target, group, lambda entry: -np.linalg.norm(entry.center))),
            'large': lambda: first(target, group, lambda entry: -entry.size.prod()),
            'small': lambda: first(target, group, lambda entry: entry.size.prod()),
            'left of': lambda: self.x(target) < self.x(other),
            'right of': lambda: self.x(target) > self.x(other),
            'behind': lambda: self.ahead(target) > self.ahead(other),
            'in front of': lambda: self.ahead(target) < self.ahead(other),
            'next to': lambda: self.beside(target, other) < (target.size.max() + other.size.max()) / 2 + 0.05,
            'on': lambda: (other.kind in ('plate', 'tray', 'book', 'cutting board')
                           and self.beside(target, other) < other.size[:2].max() / 2),
            'in': lambda: (other.kind in ('bowl', 'basket', 'pan')
                           and self.beside(target, other) < other.size[:2].max() / 2),
        }
        return checks[claim]()


def test_words_in_both_languages_fit_the_scene(sketches):
    """Swapped sides, sizes or numbers in a template are lies about the picture."""
    found = Counter()
    for each in sketches:
        view = View(each.scene)
        there = {entry.id: entry for entry in each.scene.objects}
        for phrase in each.scene.phrases:
            said = read(phrase)
            if not phrase.target_id:
                assert not said.claims and not view.named(said), phrase
                continue
            target, group = there[phrase.target_id], view.named(said)
            assert target in group, phrase
            assert bool(said.claims) == bool({'size', 'position', 'relation', 'ordinal'} & set(phrase.needs)
                                             or len(group) > 1), phrase
            others = view.named(said.reference) if said.reference else [None]
            assert len(others) == 1, phrase
            for claim in said.claims:
                found[claim] += 1
                assert view.holds(claim, target, group, others[0]), (each.scene.seed, claim, phrase)
    assert set(found) == set(ENGLISH_CLAIMS) | set(ENGLISH_RELATIONS)
