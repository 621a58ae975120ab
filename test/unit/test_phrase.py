"""Referring phrases taken apart, in both languages."""

import pytest

from vla_attention.language import parse_phrase
from vla_attention.language.lexicon import FIELDS, Lexicon, load_lexicon
from vla_attention.language.phrase_parser import things_of


@pytest.mark.parametrize(('english', 'korean', 'kind', 'fields'), [
    ('the red cup', '빨간 컵', 'cup', {'colours': ('red',)}),
    ('a blue mug', '파란색 머그잔', 'mug', {'colours': ('blue',)}),
    ('the largest box', '가장 큰 상자', 'box', {'size': 'largest'}),
    ('the second bottle from the left', '왼쪽에서 두 번째 병', 'bottle', {'ordinal': 2, 'position': 'left'}),
    ('the can on the right', '오른쪽 캔', 'can', {'position': 'right'}),
    ('the leftmost can', '맨 왼쪽에 있는 캔', 'can', {'position': 'leftmost'}),
    ('the top left block', '왼쪽 위 블록', 'block', {'position': 'top_left'}),
    ('the mustard bottle', '머스타드 병', 'mustard', {}),
    ('the wooden bowl', '나무 그릇', 'bowl', {'material': 'wood'}),
    ('on the blue plate', '파란 접시 위', 'plate', {'relation': 'on', 'colours': ('blue',)}),
    ('next to the cup', '컵 옆', 'cup', {'relation': 'next_to'}),
    ('the orange thing', '주황색 것', 'object', {'colours': ('orange',)}),
    ('in the middle', '가운데', '', {'position': 'middle'}),
])
def test_both_languages_mean_the_same(english, korean, kind, fields):
    for text in (english, korean):
        phrase = parse_phrase(text)
        assert phrase.kind == kind, text
        assert {name: getattr(phrase, name) for name in fields} == fields, text
        assert phrase.reference is None


@pytest.mark.parametrize(('english', 'korean', 'relation', 'kind', 'reference'), [
    ('cup left of the laptop', '노트북 왼쪽에 있는 컵', 'left_of', 'cup', 'laptop'),
    ('the red ball behind the plate', '접시 뒤의 빨간 공', 'behind', 'ball', 'plate'),
    ('yellow cup on the black box', '검은색 상자 위의 노란 컵', 'on', 'cup', 'box'),
    ('the corn in the pot', '냄비 안에 있는 옥수수', 'in', 'corn', 'pot'),
])
def test_relations(english, korean, relation, kind, reference):
    for text in (english, korean):
        phrase = parse_phrase(text)
        assert (phrase.relation, phrase.kind, phrase.reference.kind) == (relation, kind, reference), text


def test_orange_is_a_fruit_and_a_colour():
    assert parse_phrase('orange').kind == 'orange'
    phrase = parse_phrase('the orange orange')
    assert (phrase.kind, phrase.colours) == ('orange', ('orange',))


def test_the_head_of_a_compound():
    assert parse_phrase('a slice of chocolate cake').kind == 'cake'
    assert parse_phrase('bowl of fruit').kind == 'bowl'
    assert parse_phrase('can of tomato sauce').kind == 'tomato sauce'
    assert parse_phrase('the mug right behind the canister').relation == 'behind'


@pytest.mark.parametrize('text', ['between the plate and the red book', '접시와 빨간 책 사이',
                                  'in between the plate and the red book', '접시하고 빨간 책 사이에'])
def test_a_place_between_two_things_is_neither(text):
    phrase = parse_phrase(text)
    assert (phrase.noun, phrase.kind, phrase.relation, phrase.colours) == ('', '', 'between', ())
    plate, book = things_of(phrase.reference.text, phrase.language)
    assert (plate.kind, plate.colours, book.kind, book.colours) == ('plate', (), 'book', ('red',))


def test_things_that_are_named_together():
    def kinds(text, language='en'):
        return [phrase.kind for phrase in things_of(text, language)]
    assert kinds('the cup and the plate') == ['cup', 'plate']
    assert kinds('the salt and pepper and the plate') == ['salt and pepper', 'plate']
    assert kinds('cup left of the book and the plate') == ['cup', 'plate']
    assert kinds('the cup') == kinds('사과', 'ko') == kinds('노랑 컵', 'ko') == []
    assert kinds('사과와 노랑 컵', 'ko') == ['apple', 'cup']


def test_an_unknown_noun_is_kept():
    phrase = parse_phrase('the silver widget')
    assert (phrase.kind, phrase.noun, phrase.colours) == ('', 'widget', ('grey',))
    assert phrase.unknown == ('widget',)


def test_plural_words():
    assert parse_phrase('the cups').plural
    assert not parse_phrase('the cup').plural


def test_another_language_is_refused():
    with pytest.raises(ValueError, match='language'):
        parse_phrase('la tasse', 'fr')


def test_every_kind_is_found_by_its_names_in_both_languages():
    lexicon = load_lexicon()
    assert len(lexicon.names) >= 400
    for kind, names in lexicon.names.items():
        assert lexicon.lookup('kinds', kind, 'en') == kind
        assert names['ko'], f'{kind} has no Korean name'


def test_a_lexicon_that_leads_nowhere_is_refused():
    tables = {name: {} for name in FIELDS}
    tables['kinds'] = {'cup': {'like': ['chalice']}}
    with pytest.raises(ValueError, match='chalice'):
        Lexicon(tables)


@pytest.mark.parametrize('text, plural', [
    ('컵들', True), ('모든 컵', True), ('컵들을', True), ('샌들', False), ('샌들을', False), ('핸들', False),
    ('샌들들', True)])
def test_a_korean_noun_that_ends_like_a_plural_is_one(text, plural):
    assert parse_phrase(text).plural is plural
