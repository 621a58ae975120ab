"""Korean phrases as sequences of words: spacing, counts, clauses, what is said of places; by the lexicon."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vla_attention.language.korean_words import (
    FILLER,
    LINKS,
    MOST,
    TO,
    attribute,
    begins_name,
    compound_kind,
    ends_name,
    is_attributive,
    known,
    stems,
    strip,
    strip_head,
)
from vla_attention.language.lexicon import Lexicon

# "크기가 작은 컵": it is the cup that is small
OWN_LOOKS = frozenset((
    '색', '색깔', '색상', '빛깔', '크기', '사이즈', '키', '길이', '폭', '너비', '두께', '굵기', '높이',
    '모양', '부피'))
ANY_THING = frozenset(('것', '거', '놈', '녀석', '애'))
ALL = frozenset(('모든', '온갖', '각종', '각', '여러', '전체', '나머지', '양쪽'))     # before the noun
EVERY = frozenset(('모두', '전부', '다', '싹', '몽땅', '전체', '죄다', '모조리'))  # behind it
POLITE = frozenset(('좀', '요', '주세요', '부탁해요'))
_ONE = ('한', '하나', '1')
_NUMBERS = (
    '한', '두', '세', '네', '석', '넉', '다섯', '여섯', '일곱', '여덟', '아홉', '열', '몇', '여러', '두어',
    '두세', '서너', '너댓', '반')
_COUNTED = ('하나', '둘', '셋', '넷', '다섯', '여섯', '일곱', '여덟', '아홉', '열')    # without a counter
_COUNTERS = frozenset((
    '개', '권', '장', '자루', '켤레', '쌍', '벌', '대', '송이', '조각', '마리', '명', '분', '알', '쪽', '줄',
    '묶음', '다발', '모', '포기', '톨', '가닥', '토막', '덩이', '덩어리', '방울', '세트', '점', '짝', '그루',
    '꼬집', '줌', '꾸러미', '무더기', '인분', '판', '닢', '개비', '필', '척', '채', '칸', '단', '병', '잔',
    '컵', '캔', '봉지', '박스', '상자', '통', '그릇', '접시', '스푼', '숟가락', '팩', '봉', '갑', '바구니',
    '바가지', '사발', '대접', '공기', '냄비'))
# by themselves they name nothing but how many: any things
_ANY = EVERY | frozenset(('나머지', *_COUNTED))
# what is seen of "물 한 잔" is the glass, of "사과 두 알" the apples
_VESSELS = frozenset((
    '병', '잔', '컵', '캔', '봉지', '박스', '상자', '통', '그릇', '접시', '스푼', '숟가락', '팩', '바구니',
    '사발', '대접', '공기', '냄비'))
_PIECES = frozenset(('조각', '토막', '덩어리', '덩이'))
_BY_COUNTER = {('차', '대'): '자동차', ('차', '잔'): '홍차', ('배', '척'): '보트'}      # homonyms
_NUMBER = rf"(?:\d+|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
# counters that are written together with their number and are then no other word ("두부", "세척", "네모")
_TOGETHER = re.compile(rf'({_NUMBER})(개|권|장|자루|켤레|쌍|마리|명|송이|조각|알|대|병|잔|캔|봉지)(?=의?$)')
_AMOUNT = re.compile(r'(?<=\S)\s+\d+(?:[.,]\d+)?\s?(?:ml|l|g|kg|mg|cc|[µμu]l|밀리리터|마이크로리터'
                     r'|밀리|리터|그램|킬로|인분)\s*$', re.IGNORECASE)
_NTH = re.compile(r'(\d+)\s*번째')
_NTHS = ('', '첫', '두', '세', '네', '다섯', '여섯', '일곱', '여덟', '아홉', '열')
# "앞치마", "뒷면"
_NO_PREFIX = frozenset(('앞', '뒤', '위', '윗', '아래', '아랫', '밑', '먼', '좌', '우', '은', '금'))
# "냉장고 위 칸" is of the fridge
_PARTS = frozenset(('칸', '부분', '면', '단', '층', '끝', '구석', '모서리', '가장자리'))
_ME = frozenset(('나', '저', '내', '우리', '너', '카메라', '로봇', '사람'))
NEAR = frozenset(('가까운', '가까이', '가깝게', '인접한'))
FAR = frozenset(('먼', '멀리', '떨어진'))
_SIDES = frozenset(('왼쪽', '오른쪽', '왼편', '오른편', '좌측', '우측'))
_BESIDE = frozenset(('옆', '옆쪽', '편', '방향', '측면'))
_ON_TOP = frozenset(('위', '안', '속', '옆'))
_CORNERS = frozenset(('앞', '앞쪽', '뒤', '뒤쪽', '위', '위쪽', '아래', '아래쪽'))
# that a thing has or holds another, or lacks it: "뚜껑 없는 병"
_HAVING = frozenset((
    '있는', '없는', '달린', '든', '붙은', '묻은', '담긴', '꽂힌', '찬', '가득한', '열린', '닫힌', '뚫린',
    '빠진', '그려진', '적힌', '씌운', '깨진'))
_CLINGING = (
    '붙', '걸', '묻', '올려', '올린', '올라', '얹', '매달', '달린', '그려', '적힌', '써', '쓰인', '씌', '덮',
    '기대')
_HELD = ('담', '든', '들', '꽂', '넣', '박', '잠', '갇', '끼', '낀')
_STAYING = (
    *_CLINGING, *_HELD, '있', '놓', '둔', '두', '놔', '남', '누', '쓰러', '쌓', '깔', '널', '떨어', '굴러',
    '보이', '거꾸로', '똑바로', '나란히')
# in which a thing is that is said to be 에 there; on all others it is
_HOLLOW = frozenset((
    'box', 'bowl', 'basket', 'bin', 'bucket', 'bag', 'backpack', 'handbag', 'suitcase', 'drawer', 'cabinet',
    'fridge', 'sink', 'pot', 'pan', 'cup', 'mug', 'glass', 'wine glass', 'jar', 'vase', 'pencil case',
    'trash can', 'container', 'tub', 'crate', 'carton', 'oven', 'microwave', 'dishwasher', 'washing machine',
    'toolbox', 'lunch box', 'food container', 'canister', 'bathtub', 'envelope', 'wallet', 'packet',
    'pitcher', 'kettle', 'teapot', 'beaker', 'hand', 'measuring cup', 'tumbler', 'thermos', 'toaster',
    'blender', 'bottle', 'water bottle', 'test tube', 'test tube rack', 'jug', 'strainer', 'bathtub',
    'toilet', 'mailbox', 'folder', 'barrel', 'birdcage', 'canteen', 'cart', 'case', 'cocktail shaker',
    'cooler', 'crucible', 'decanter', 'dish rack', 'dryer', 'first aid kit', 'freezer', 'glasses case',
    'graduated cylinder', 'gravy boat', 'ice tray', 'jerry can', 'locker', 'mortar', 'organizer', 'ramekin',
    'sack', 'safe', 'steamer', 'utensil holder', 'watering can', 'well plate', 'wheelbarrow'))


def words_of(text: str, lexicon: Lexicon) -> tuple[list[str], bool]:
    """Return the words of a phrase, spaced as the lexicon has them, and whether their count asks for several.

    Counts behind the noun ("컵 두 개"), amounts ("우유 150ml") and polite words are left out.
    """
    if '사이' in text:      # "접시, 컵 사이"
        text = re.sub(r'(?<=[가-힣\w])\s*,\s*', ' 및 ', text)
    text = _NTH.sub(_nth, _AMOUNT.sub('', text))
    words = _spaced([word.strip('-') for word in re.findall(r'[\w-]+', text)], lexicon)
    while len(words) > 1 and words[-1] in POLITE:
        words.pop()
    words = [word for word in words if word not in ('', '바로')] or words
    words, several = _uncounted(words, lexicon)
    if len(words) > 1 and words[-1] in _PIECES and not (attribute(words[-2], lexicon)[0] or known(
            ' '.join(words[-2:]), lexicon)) and lexicon.lookup('kinds', words[-2], 'ko'):
        words = words[:-1]      # "케이크 조각"
    return _one_side(words, lexicon), several


def _nth(match: re.Match[str]) -> str:
    number = int(match[1])
    return f'{_NTHS[number]} 번째' if 0 < number < len(_NTHS) else match[0]


def is_verb(word: str, lexicon: Lexicon) -> bool:
    """Tell whether a word says that or how a thing is there: "있는", "담긴", "걸린"."""
    return word in LINKS or word in _HAVING or (is_attributive(word) and not known(word, lexicon)
                                                and not attribute(word, lexicon)[0])


def behind_place(words: Sequence[str], lexicon: Lexicon) -> list[str]:
    """Return what is behind a place with its particle, less what says how a thing is there.

    "거꾸로 놓여 있는 컵" -> "컵". The last word is always left.
    """
    last = 0
    for index in range(min(3, len(words) - 1)):
        if begins_name(words[index:], lexicon):
            break                                   # "전원 장치": no verb, though it ends like one
        if is_verb(words[index], lexicon):
            last = index + 1
        elif attribute(words[index], lexicon)[0] or lexicon.lookup('kinds', words[index], 'ko') is not None:
            break
    return list(words[last:])


def place_at(words: Sequence[str], cut: int, lexicon: Lexicon) -> tuple[str, int]:
    """Return how a thing is said to be somewhere without a word for the place: (relation, end of the place).

    "접시에|담긴 사과", "접시에서 가장|가까운 컵", "나한테|가까운 컵" (relation 'to me'). ('', 0) where not.

    :param cut: index of the word behind.
    """
    word = words[cut]
    end = cut - 1 if cut > 1 and words[cut - 1] in MOST else cut
    place = words[end - 1]
    bare = strip(place, lexicon, TO)
    to = place[len(bare):]
    if not to or (attribute(bare, lexicon)[0] and lexicon.lookup('kinds', bare, 'ko') is None):
        return '', 0
    if word in NEAR and bare in _ME:
        return 'to me', end
    if word in NEAR:
        return ('closest_to' if end < cut else 'next_to'), end
    if word in FAR and to in ('에서', '으로부터', '로부터'):
        return ('farthest_from' if end < cut or words[cut - 1] in MOST else 'far_from'), end
    if to != '에' or end != cut or cut + 1 >= len(words) or bare in lexicon.words['ko']['relations']:
        return '', 0
    verbs = [each for each in words[cut:min(cut + 3, len(words) - 1)] if is_verb(each, lexicon)]
    if (not verbs or bare in FILLER or bare in _PARTS or bare.endswith('째') or attribute(word, lexicon)[0]
            or lexicon.lookup('kinds', word, 'ko') is not None):
        return '', 0
    kind = lexicon.lookup('kinds', bare, 'ko') or compound_kind(bare, lexicon)
    if not kind and not word.startswith(_STAYING):      # "아침에 먹던 약"
        return '', 0
    held = kind in _HOLLOW or (not kind and word.startswith(_HELD))
    return ('in' if held and not word.startswith(_CLINGING) else 'on'), end


def stands_between_nouns(words: Sequence[str], cut: int, lexicon: Lexicon) -> bool:
    """Tell whether a bare word of place has its thing before it and another behind.

    "접시 옆 컵", "책상 위 왼쪽 컵", not "맨 위 서랍", "책상 오른쪽 끝 컵", "냉장고 위 칸".
    """
    before, place, behind = words[cut - 1], words[cut], words[cut + 1:]
    if place == '가' or not behind or behind[-1] in _PARTS or attribute(before, lexicon)[0]:
        return False
    if place not in _ON_TOP and attribute(strip(behind[0], lexicon), lexicon)[0] == 'position':
        return False
    if not (lexicon.lookup('kinds', strip_head(before, lexicon), 'ko') or compound_kind(before, lexicon)
            or ends_name(words[:cut], lexicon)):
        return False
    return (place not in lexicon.words['ko']['positions']
            or strip_head(behind[-1], lexicon) not in ANY_THING)


def less_clauses(words: Sequence[str], lexicon: Lexicon) -> list[str]:
    """Leave out what a thing has, holds or wears: "뚜껑이 빨간 병", "사과가 담긴 접시", "손잡이 없는 컵".

    Of "크기가 작은 컵" the noun alone: it is the cup that is small.
    """
    left = list(words)
    index = 0
    while index < len(left) - 2:
        end = _end_of_clause(left, index, lexicon)
        if left[index][:-1] in OWN_LOOKS and left[index][-1] in '이가':
            left[index:index + 1] = ['키'] if left[index] == '키가' else []     # "키 큰" is not "큰"
        elif end:
            while index and attribute(left[index - 1], lexicon)[0] in ('colour', 'material', 'size'):
                index -= 1          # "빨간 뚜껑이 달린 병": the lid is red
            del left[index:end]
        else:
            index += 1
    return left


def _end_of_clause(words: Sequence[str], index: int, lexicon: Lexicon) -> int:
    """Return where the clause ends whose subject or object is a word; 0 where it is none."""
    word, following = words[index], words[index + 1]
    if attribute(word, lexicon)[0] or word in FILLER or word in LINKS:
        return 0
    if following in _HAVING and following != '있는' and (known(word, lexicon) or not stems(word)):
        return index + 2
    if known(word, lexicon) or word[-1] not in '이가을를':
        return 0
    is_kind = lexicon.lookup('kinds', word[:-1], 'ko') is not None
    for end in range(index + 1, min(index + 4, len(words) - 1)):
        part = words[end]
        if is_attributive(part):
            return end + 1 if is_kind or not attribute(part, lexicon)[0] else 0
        if lexicon.lookup('kinds', part, 'ko') is not None:
            return 0
    return 0


def less_numbers(words: Sequence[str]) -> tuple[list[str], bool]:
    """Leave out how many before a noun: "두 개의 컵", "모든 컵"; also return whether that is several."""
    left, several = list(words), False
    if len(left) > 1 and left[0] in ALL:
        return left[1:], True
    if len(left) > 2 and _is_number(left[0]) and strip(left[1]) in _COUNTERS:
        return left[2:], left[0] not in _ONE
    if len(left) > 1 and _is_number(left[0]) and not left[1].startswith(('번', '째')):
        several = left[0] not in (*_ONE, '네')      # "네 컵" is more often "your cup"
        left = left[1:]
    return left, several


def of_many(words: Sequence[str], lexicon: Lexicon) -> list[str]:
    """Put the thing in the place of "one": "컵 큰 거", "상자 중 제일 큰 것" -> "큰 컵", "제일 큰 상자"."""
    if len(words) < 3 or strip_head(words[-1], lexicon).removesuffix('들') not in ANY_THING:
        return list(words)
    for index in range(len(words) - 2, -1, -1):
        word = strip_head(words[index], lexicon)
        if (attribute(words[index], lexicon)[0] or word in FILLER
                or (is_attributive(word) and words[index - 1] in MOST)):
            continue
        if (lexicon.lookup('kinds', word, 'ko') or compound_kind(word, lexicon)) and index < len(words) - 2:
            return [*words[:index], *words[index + 1:-1], word.removesuffix('들') if word != '들' else word]
        break
    return list(words)


def _is_number(word: str) -> bool:
    return word in _NUMBERS or (word.isdigit() and len(word) < 3 and word[0] != '0')


def _uncounted(words: list[str], lexicon: Lexicon) -> tuple[list[str], bool]:
    """Leave out how many behind a noun; of "물 한 잔" the glass is left, of "두 개" by itself any things."""
    bare = [word if word in _ANY or word in _COUNTERS else strip(word) for word in words]
    if _ANY.issuperset(bare):
        return ['것'], bare[-1] not in _ONE
    if len(words) == 2 and _is_number(words[0]) and bare[1] in _COUNTERS and (
            bare[1] == '개' or bare[1] not in lexicon.words['ko']['kinds']):
        return ['것'], words[0] not in _ONE
    if len(words) > 1 and words[-1] in EVERY:
        return words[:-1], True
    if len(words) > 1 and words[-1] in _COUNTED:
        rest = words[:-2] if len(words) > 2 and strip(words[-2]) == '중' else words[:-1]     # "상자 중 하나"
        return rest, words[-1] not in _ONE
    if len(words) < 3 or not _is_number(words[-2]) or strip_head(words[-1], lexicon) not in _COUNTERS:
        return words, False
    if (words[-3], words[-1]) in _BY_COUNTER:
        words[-3] = _BY_COUNTER[words[-3], words[-1]]
    several, counter, rest = words[-2] not in (*_ONE, '반'), strip_head(words[-1], lexicon), words[:-2]
    if counter in _VESSELS:
        joined = rest[-1] + counter
        if joined in lexicon.words['ko']['kinds']:
            rest = [*rest[:-1], joined]
        elif rest[-1] != counter:
            rest = [counter]
    return rest, several


def _one_side(words: list[str], lexicon: Lexicon) -> list[str]:
    """Join "왼쪽 옆에" to "왼쪽에", and beside a thing "왼쪽 앞에" too: the side says more."""
    joined: list[str] = []
    for word in words:
        bare = strip(word, lexicon)
        if joined and joined[-1] in _SIDES:
            thing = joined[-2:-1] and lexicon.lookup('kinds', strip_head(joined[-2], lexicon), 'ko')
            if bare in _BESIDE or (bare in _CORNERS and bare != word
                                   and thing not in ([], None, 'table', 'desk', 'floor')):
                joined[-1] += word[len(bare):]
                continue
        joined.append(word)
    return joined


def _spaced(words: list[str], lexicon: Lexicon) -> list[str]:
    """Split words that are written together where both parts are known: "빨간컵", "책상위에", "컵두개"."""
    spaced: list[str] = []
    for word in words:
        if any(known(form, lexicon) for form in (word, strip(word), strip_head(word, lexicon))):
            spaced.append(word)
        else:
            spaced += _parts(word, lexicon)
    return spaced


def _parts(word: str, lexicon: Lexicon) -> list[str]:
    kinds, relations = lexicon.words['ko']['kinds'], lexicon.words['ko']['relations']
    counted = _TOGETHER.search(word)
    if counted and (not counted.start() or strip_head(word[:counted.start()], lexicon) in kinds):
        return [part for part in (word[:counted.start()], counted[1], word[counted.end(1):]) if part]
    for most in MOST:
        if word.startswith(most) and attribute(strip(word[len(most):], lexicon), lexicon)[0]:
            return [most, word[len(most):]]
    for cut in range(len(word) - 1, 0, -1):
        first, second = word[:cut], word[cut:]
        if (first not in _NO_PREFIX and attribute(first, lexicon)[0] and strip_head(second, lexicon) in kinds
                and second not in _PARTS):
            return [first, strip_head(second, lexicon)]
        place = strip(second, lexicon)
        if first in kinds and place in relations and place != '가':
            return [first, second]
    return [word]
