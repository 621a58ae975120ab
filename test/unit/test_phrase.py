"""Referring phrases taken apart, in both languages."""

import unicodedata

import pytest

from vla_attention.grounding.colour import COLOURS
from vla_attention.grounding.resolve import POSITIONS, RELATIONS, SIZES
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
    # the lamp is no table, the arm not the robot that looks
    ('the cup in front of the desk lamp', '스탠드 앞에 있는 컵', 'in_front_of', 'cup', 'lamp'),
    ('the cup closest to the robot arm', '로봇 팔에서 가장 가까운 컵', 'closest_to', 'cup', 'robot arm'),
    ('the power supply left of the plate', '접시 왼쪽에 있는 전원 장치', 'left_of', 'power supply', 'plate'),
    ('the cup next to the air purifier', '공기 청정기 옆 컵', 'next_to', 'cup', 'humidifier'),
    ('the apple in the sack', '포대에 담긴 사과', 'in', 'apple', 'sack'),
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
    assert len(lexicon.names) >= 800
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


def meaning(phrase):
    """Return what a phrase says, whatever language it is in."""
    reference = None if phrase.reference is None else meaning(phrase.reference)
    return (phrase.kind, phrase.plural, phrase.colours, phrase.material, phrase.size, phrase.ordinal,
            phrase.position, phrase.relation, reference)


@pytest.mark.parametrize(('korean', 'english'), [
    # how many
    ('컵 두 개', 'two cups'), ('컵 2개', '2 cups'), ('컵두개', 'two cups'), ('두 개의 컵', 'two cups'),
    ('사과 하나', 'one apple'),
    ('책 세 권', 'three books'), ('연필 네 자루', 'four pencils'), ('사과 두 알', 'two apples'),
    ('종이 두 장', 'two sheets of paper'),
    ('고양이 두 마리', 'two cats'), ('빨간 컵 세 개', 'three red cups'), ('컵 모두', 'all the cups'),
    ('각 컵', 'every cup'),
    ('컵 큰 거 하나', 'one large cup'), ('상자 중에서 제일 큰 것', 'the largest of the boxes'),
    ('상자 중 하나', 'one of the boxes'),
    ('배 두 개', 'two pears'), ('배 한 척', 'one boat'), ('차 두 대', 'two cars'),
    ('물 한 잔', 'a glass of water'),
    ('두 개', 'two'), ('네 개를', 'four of them'), ('하나', 'one of them'), ('둘 다', 'both'),
    ('나머지를', 'the rest'), ('전부', 'everything'), ('두 마리를', 'two of those'),
    ('두 송이', 'two things'),
    # particles
    ('컵도', 'the cup'), ('컵만', 'the cup'), ('컵부터', 'the cup'), ('컵들을', 'the cups'),
    ('컵 좀', 'the cup'),
    ('접시 위에다가', 'on the plate'), ('왼쪽으로부터 두 번째 컵', 'second cup from the left'),
    ('접시 쪽으로', 'the plate'),
    ('빨간 공기 청정기를', 'red air purifier'), ('고무줄들', 'the rubber bands'),
    ('유리병들도', 'the glass jars'),
    # spacing
    ('책상위에 있는 컵', 'cup on the desk'), ('접시옆', 'next to the plate'), ('상자안에', 'in the box'),
    ('맨왼쪽 컵', 'the leftmost cup'),
    ('왼쪽에서 2번째 컵', '2nd cup from the left'), ('왼쪽에서 여섯 번째 컵', 'sixth cup from the left'),
    # places without a particle, and without a word for the place
    ('접시 옆 컵', 'cup next to the plate'), ('접시 왼쪽 컵', 'cup left of the plate'),
    ('상자 안 빨간 컵', 'red cup in the box'),
    ('접시 바로 옆에 있는 컵', 'cup right next to the plate'),
    ('접시의 오른쪽 옆에 있는 컵', 'cup right of the plate'),
    ('접시보다 왼쪽에 있는 컵', 'cup left of the plate'), ('바구니에 담긴 사과', 'apple in the basket'),
    ('접시에 담긴 사과', 'apple on the plate'), ('벽에 걸려 있는 시계', 'clock on the wall'),
    ('바닥에 굴러다니는 공', 'ball on the floor'),
    ('책상 위에 거꾸로 놓인 컵', 'cup on the desk'), ('접시에서 가장 가까운 컵', 'cup closest to the plate'),
    ('접시와 가까운 컵', 'cup near the plate'), ('접시에서 제일 먼 컵', 'cup farthest from the plate'),
    ('나와 가장 가까운 컵', 'cup closest to me'),
    ('책과 컵 가운데에 있는 펜', 'pen between the book and the cup'),
    ('컵라면 옆 젓가락', 'chopsticks next to the cup noodles'),
    ('책상 오른쪽 끝에 있는 컵', 'cup at the right end of the desk'),
    ('접시 뒤편의 컵', 'cup beyond the plate'), ('식탁 왼쪽', 'the left side of the table'),
    # what a thing has, holds or wears is not the thing
    ('뚜껑이 빨간 병', 'bottle with a red lid'), ('빨간 뚜껑이 달린 병', 'bottle with a red lid'),
    ('컵이 놓인 접시', 'plate with a cup on it'),
    ('물이 가득 담긴 컵', 'cup full of water'), ('손잡이 없는 컵', 'cup without a handle'),
    ('모자를 쓴 인형', 'doll wearing a hat'),
    ('크기가 작은 컵', 'small cup'), ('키가 큰 병', 'tall bottle'),
    ('상자 밖에 있는 컵', 'cup outside the box'),
    # inflected and derived attributes
    ('작고 빨간 컵', 'small red cup'), ('빨갛고 큰 컵', 'large red cup'),
    ('두껍고 빨간 책', 'thick red book'), ('빨간색인 컵', 'cup that is red'),
    ('연초록 컵', 'light-green cup'), ('진분홍색 컵', 'pink cup'), ('황금빛 열쇠', 'golden key'),
    ('회색빛 상자', 'grey-colored box'),
    ('제일 커다란 상자', 'the largest box'), ('젤 작은 상자', 'the smallest box'),
    ('가장 두꺼운 책', 'the thickest book'),
    ('두 번째로 큰 컵', 'the second largest cup'), ('제일 앞에 있는 컵', 'the nearest cup'),
    ('가까운 컵', 'the near cup'),
    ('유리로 만든 컵', 'cup made of glass'), ('중간 크기의 상자', 'the medium-sized box'),
    ('저쪽에 있는 컵', 'cup over there'),
    ('푸른색 접시', 'blue plate'), ('하늘색 접시', 'sky blue plate'), ('왼쪽에 있는 컵', 'cup on your left'),
    # both alphabets
    ('red 컵', 'red cup'), ('빨간 Box', 'red box'), ('tv 리모컨', 'tv remote'), ('ＴＶ', 'tv'),
])
def test_korean_means_what_english_means(korean, english):
    assert meaning(parse_phrase(korean)) == meaning(parse_phrase(english))
    assert not parse_phrase(korean).unknown
    assert meaning(parse_phrase(unicodedata.normalize('NFD', korean))) == meaning(parse_phrase(korean))


@pytest.mark.parametrize(('text', 'kind'), [
    ('국그릇', 'bowl'), ('십자드라이버', 'screwdriver'), ('딸기우유', 'milk'),
    ('교통카드를', 'business card'), ('병뚜껑들', 'lid'),
    ('페트병', 'bottle'), ('서류함', 'bin'), ('소나무', 'tree'), ('시약병', 'bottle'),
    ('폐기물통', 'container'),
    ('바가지', 'scoop'), ('통로', ''), ('구덩이', ''), ('두더지', ''), ('앞치마', 'apron'),
    ('아주머니', ''), ('차가운', ''), ('생수통', 'container')])
def test_a_korean_compound_is_what_its_last_part_is(text, kind):
    assert parse_phrase(text).kind == kind


@pytest.mark.parametrize(('text', 'kind', 'position'), [
    ('cup from the box', 'cup', ''), ('cup across from the plate', 'cup', ''),
    ('bowl containing apples', 'bowl', ''),
    ('box labelled fragile', 'box', ''), ('cup 3', 'cup', ''), ('box no. 2', 'box', ''),
    ('cup here', 'cup', ''),
    ("the cup that's on the left", 'cup', 'left'), ('cup on the other side', 'cup', ''),
    ('two slices of pizza', 'pizza', ''),
    ('the left one of the cups', 'cup', 'left'), ('three children', 'person', ''), ('clothes', 'shirt', ''),
    ('the item at the very top', 'object', 'topmost'), ('first-aid kit', 'first aid kit', ''),
    ('the cup in front of the table', 'cup', 'front'),
    ('the corner of the table', '', 'corner'), ('red labelled box', 'box', '')])
def test_english_heads(text, kind, position):
    phrase = parse_phrase(text)
    assert (phrase.kind, phrase.position, phrase.ordinal, phrase.relation) == (kind, position, 0, '')


def test_part_of_a_thing_is_not_beside_it():
    assert parse_phrase('냉장고 위 칸').relation == ''
    assert parse_phrase('맨 위 서랍').position == 'topmost'


def test_a_time_is_no_place():
    assert parse_phrase('아침에 먹던 약').reference is None


def test_what_the_lexicon_calls_looks_and_places_is_what_grounding_knows():
    lexicon = load_lexicon()
    for language in ('en', 'ko'):
        words = lexicon.words[language]
        assert set(words['colours'].values()) == set(COLOURS)
        assert set(words['sizes'].values()) == SIZES
        assert set(words['positions'].values()) <= POSITIONS
        assert set(words['relations'].values()) <= RELATIONS


@pytest.mark.parametrize(('korean', 'english'), [
    ('랩탑', 'laptop'), ('티브이', 'tv'), ('USB 메모리', 'usb drive'), ('케이블선', 'cable'),
    ('밧데리', 'battery'), ('타올', 'towel'),
    ('걸레', 'rag'), ('봉지', 'bag'), ('병따개', 'bottle opener'), ('택배', 'parcel'),
    ('포스트잇', 'sticky note'),
    ('글라스', 'glass'), ('뺀찌', 'pliers'),
    ('네임펜', 'marker'), ('인두기', 'soldering iron'), ('안전모', 'hard hat'), ('쓰레빠', 'slipper'),
    ('파레트', 'pallet'), ('블럭', 'block'),
    ('케익', 'cake'), ('도너츠', 'donut'), ('인형', 'doll'), ('주전자', 'kettle'), ('컵받침', 'coaster'),
    ('토끼 인형', 'toy rabbit'),
    ('콜라캔', 'coke can'), ('설탕 상자', 'sugar box'), ('설탕상자', 'sugar box'),
    ('토마토소스 캔', 'can of tomato sauce'), ('별 블록', 'star block'), ('삼각형 블록', 'triangle block'),
    ('케이크 조각', 'slice of cake'), ('나무토막', 'wooden block'),
    ('나무 상자', 'wooden box'), ('오렌지 주스', 'orange juice'),
    ('식세기', 'dishwasher'),
    # whose last word alone is another thing
    ('물뿌리개', 'watering can'), ('방열판', 'heat sink'), ('돋보기', 'magnifying glass'),
    ('랩', 'plastic wrap'), ('케이블 타이', 'zip tie'), ('에어컨', 'air conditioner'),
    ('육각 렌치', 'allen key'),
    ('드릴 비트', 'drill bit'), ('비누 받침', 'soap dish'), ('침낭', 'sleeping bag'),
    ('메스실린더', 'graduated cylinder'),
    ('빨래집게', 'clothespin'), ('바코드', 'barcode label'), ('캔버스', 'canvas'), ('눈사람', 'snowman'),
    ('핀셋', 'tweezers'), ('지렛대', 'crowbar'), ('호미', 'hoe'), ('종', 'bell'), ('물', 'water'),
    ('돌', 'pebble'), ('떡', 'rice cake'), ('QR 코드', 'aruco marker')])
def test_everyday_words_of_both_languages(korean, english):
    found, wanted = parse_phrase(korean), parse_phrase(english)
    assert found.kind
    assert (found.kind, found.colours, found.material) == (wanted.kind, wanted.colours, wanted.material)
