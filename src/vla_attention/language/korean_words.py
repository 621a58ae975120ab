"""Single Korean words of phrases: particles, inflected and derived attributes, compounds; by the lexicon."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from vla_attention.language.lexicon import ATTRIBUTES, Lexicon

MOST = ('맨', '가장', '제일', '젤', '최고로')
# what only says that a thing is where it is
LINKS = frozenset((
    '있는', '놓인', '놓여', '들어', '담긴', '있던', '놓여있는', '들어있는', '보이는', '쪽의', '쪽', '편',
    '방향', '위치한'))
# where, no list knows
ELSEWHERE = ('밖', '바깥', '바깥쪽', '맞은편', '건너편', '반대편', '반대쪽', '저편', '한쪽', '곳', '데')
FILLER = frozenset((
    '그', '저', '이', '진한', '연한', '밝은', '어두운', '짙은', '옅은', '된', '한', '모양', '모양의', '색깔',
    '색상의', '색깔의', '쪽', '놓인', '다른', '바로', '색', '색상', '만든', '만들어진', '내', '제', '우리',
    '저희', '네', '니', '중', '아무', '또', '아주', '매우', '엄청', '되게', '진짜', '좀', '조금', '약간',
    '굉장히', '정말', '꽤', '훨씬', '더', '무지', '너무', '완전', '저쪽', '이쪽', '그쪽', '여기', '저기',
    '거기', *MOST, *ELSEWHERE))
_PARTICLES = (
    '에서부터', '으로부터', '로부터', '에다가', '에게서', '한테서', '에서', '으로', '에다', '에게', '한테',
    '부터', '까지', '하고', '이랑', '보다', '의', '에', '로', '을', '를', '은', '는', '이', '가', '와', '과')
# these end many nouns too ("포도", "소나무"): taken off where a known word is left alone
_DOUBTFUL = (
    '께서', '이요', '이나', '이라도', '라도', '마다', '뿐', '께', '도', '만', '랑', '나', '요', '좀', '야',
    '들')
TO = ('으로부터', '로부터', '에서', '에게', '한테', '이랑', '하고', '에', '와', '과', '랑')
_BEHIND_CONSONANT = frozenset(('을', '은', '이', '과', '으로', '이랑', '으로부터', '이나', '이라도', '이요'))
_BEHIND_VOWEL = frozenset(('를', '는', '가', '와', '랑', '나', '라도'))
_FINAL_L = 8
_SHADES = re.compile(r'(?:진|연|새|샛|시|싯|꽃|형광|파스텔|다크|라이트)')
_HUE = re.compile(r'(?:색빛|빛깔|색깔|색상|계열|색|빛|톤)$')
SUPERLATIVES = {'large': 'largest', 'small': 'smallest', 'tall': 'tallest', 'short': 'shortest',
                 'long': 'longest', 'wide': 'widest', 'narrow': 'narrowest', 'thick': 'thickest',
                 'thin': 'thinnest', 'left': 'leftmost', 'right': 'rightmost', 'top': 'topmost',
                 'bottom': 'bottommost', 'front': 'frontmost', 'back': 'backmost'}
# last parts of compounds that are short but clear; longer ones are any kind's name
_SHORT_HEADS = frozenset('병컵캔통잔칼팬펜책솔공꽃빵함')
_ALIKE = {'함': 'bin', '나무': 'tree'}      # what they are as a last part
# "바가지", "시약병", "아주머니", "차가운", "까지도"
_NO_HEADS = frozenset((
    '가지', '보드', '기타', '물통', '물병', '약병', '약통', '수통', '주머니', '가운', '지도', '탱크', '유자',
    '사자', '젠가', '나시'))
_LONGEST = 3        # words of a name
_FINAL_N = 4


def known(word: str, lexicon: Lexicon) -> bool:
    """Tell whether a word is in the lexicon as it is, or says nothing."""
    return (word in FILLER or any(word in table for table in lexicon.words['ko'].values())
            or (word.isascii() and any(lexicon.lookup(field, word, 'ko') is not None
                                       for field in ('kinds', *ATTRIBUTES))))


def stems(word: str, particles: Sequence[str] = _PARTICLES) -> list[str]:
    """Return what is left of a word without a particle that may stand behind it, the shortest first.

    "통로" is no "통" with 로, which does not stand behind a consonant.
    """
    return sorted((word[:-len(particle)] for particle in particles
                   if word.endswith(particle) and len(word) > len(particle)
                   and _may_stand_behind(word[:-len(particle)], particle)), key=len)


def _may_stand_behind(stem: str, particle: str) -> bool:
    if not '가' <= stem[-1] <= '힣':
        return True
    final = (ord(stem[-1]) - 0xAC00) % 28
    if particle in ('로', '로부터'):
        return final in (0, _FINAL_L)
    return not ((particle in _BEHIND_CONSONANT and not final) or (particle in _BEHIND_VOWEL and final))


def strip(word: str, lexicon: Lexicon | None = None, particles: Sequence[str] = _PARTICLES) -> str:
    """Take a case particle off, unless the lexicon has the word as it is ("가위", "과자")."""
    if lexicon is not None and known(word, lexicon):
        return word
    return next(iter(stems(word, particles)), word)


def strip_place(word: str, lexicon: Lexicon) -> str:
    """Take off what leads from a thing to the word of place behind it: "접시의 옆", "접시보다 왼쪽"."""
    return strip(word, lexicon, (*TO, '의', '보다'))


def is_plural(word: str, lexicon: Lexicon) -> bool:
    """Tell whether a noun asks for all of them: "컵들", "컵들을"; "샌들" is one thing."""
    forms = (word, *stems(word, (*_PARTICLES, '도', '만')))
    return any(form.endswith('들') and not known(form, lexicon) for form in forms)


def strip_head(word: str, lexicon: Lexicon, before: Sequence[str] = ()) -> str:
    """Take particles and the plural ending off the head noun where the rest is a known word or compound.

    :param before: words before it, with which it may be a name: "계란 프라이를".
    """
    forms = [word]
    for form in forms:
        if known(form, lexicon) or ends_name([*before, form], lexicon):
            return form
        if len(forms) < 12:
            forms += [each for each in reversed(stems(form, (*_PARTICLES, *_DOUBTFUL))) if each not in forms]
    return next((form for form in forms if compound_kind(form, lexicon)), word)


def ends_name(words: Sequence[str], lexicon: Lexicon) -> bool:
    """Tell whether the last words together are a name, though the very last is none: "계란 프라이"."""
    return any(' '.join(words[-count:]) in lexicon.words['ko']['kinds']
               for count in range(2, min(_LONGEST, len(words)) + 1))


def begins_name(words: Sequence[str], lexicon: Lexicon) -> bool:
    """Tell whether the first words together are a name: "전원 장치 두 개"."""
    return any(' '.join(words[:count]) in lexicon.words['ko']['kinds']
               for count in range(2, min(_LONGEST, len(words)) + 1))


def compound_kind(word: str, lexicon: Lexicon) -> str:
    """Return the kind of an unknown compound by its last part: "국그릇", "십자드라이버"; '' of others."""
    table = lexicon.words['ko']['kinds']
    for start in range(1, len(word)):
        part = word[start:]
        clear = part not in _NO_HEADS if len(part) > 1 else part in _SHORT_HEADS
        if clear and (part in table or part in _ALIKE):
            return lexicon.compound(word[:start], part, 'ko') or str(_ALIKE.get(part) or table[part])
    return ''


def attribute(word: str, lexicon: Lexicon) -> tuple[str, Any]:
    """Return (field, value) of a word that says what a thing is like, inflected ones included; ('', None).

    "빨간", "작고", "빨간색인", "연초록", "금빛", and with the word before them "제일 두꺼운", "가장 멀리".
    """
    first, _, rest = word.partition(' ')
    if first in MOST and rest:
        field, value = attribute(rest, lexicon)
        return (field, SUPERLATIVES[value]) if value in SUPERLATIVES else _plain(word, lexicon)
    found = _plain(word, lexicon)
    if not found[0] and ' ' not in word and lexicon.lookup('kinds', word, 'ko') is None:
        found = next((other for form in _forms(word) if (other := _plain(form, lexicon))[0]), found)
        if not found[0]:
            colour = _shade(word, lexicon)
            found = ('colour', colour) if colour else found
    return found


def _plain(word: str, lexicon: Lexicon) -> tuple[str, Any]:
    return lexicon.attribute(word.lower(), 'en' if word.isascii() else 'ko')


def _forms(word: str) -> list[str]:
    """Return the forms before a noun of "작고", "크며", "빨갛고", "두껍고", "빨간색이고", "빨간색인"."""
    if word.endswith(('이고', '이며')):
        return [word[:-2]]
    if word.endswith('인'):
        return [word[:-1]]
    stem = word[:-1]
    if word[-1:] not in ('고', '며') or word == '그리고' or not stem or not '가' <= stem[-1] <= '힣':
        return []
    final = (ord(stem[-1]) - 0xAC00) % 28
    open_stem = chr(ord(stem[-1]) - final)
    return [stem + '은', stem[:-1] + chr(ord(open_stem) + _FINAL_N), stem[:-1] + open_stem + '운']


def _shade(word: str, lexicon: Lexicon) -> str:
    """Return the colour of a derived word: "연초록", "진분홍색", "황금빛", "회색빛"; '' of any other."""
    table = lexicon.words['ko']['colours']
    stem = _HUE.sub('', word)
    for form in (stem, f'{stem}색'):
        for bare in (form, _SHADES.sub('', form, count=1)):
            if len(bare) > 1 and bare in table and (form == stem or stem != word):    # "남은" is not "남색"
                return str(table[bare])
    return ''


def is_attributive(word: str) -> bool:
    """Tell whether a word may be a verb or adjective before a noun: it ends in ㄴ ("놓인", "굴러다니는")."""
    return bool(word) and '가' <= word[-1] <= '힣' and (ord(word[-1]) - 0xAC00) % 28 == _FINAL_N
