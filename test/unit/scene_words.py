"""What the phrases of a scene say, read in both languages without the templates that wrote them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from training.scenes.kinds import KINDS
from training.scenes.materials import COLOURS
from training.scenes.phrases import ENGLISH, KOREAN

# What words claim of a thing. Relations come first: they part the thing from what it is related to.
ENGLISH_RELATIONS = {
    'left of': ' (?:to the )?left of the ',
    'right of': ' (?:to the )?right of the ',
    'behind': ' behind the ',
    'in front of': ' in front of the ',
    'next to': ' (?:next to|beside) the ',
    'on': ' on (?:top of )?the (?!left$|right$)',
    'in': ' (?:in|inside) the (?!middle$)',
}
KOREAN_RELATIONS = {
    'left of': '왼쪽', 'right of': '오른쪽', 'behind': '뒤', 'in front of': '앞', 'next to': '옆',
    'on': '위', 'in': '안',
}
ENGLISH_CLAIMS = {
    'leftmost': '^leftmost | furthest to the left$',
    'rightmost': '^rightmost | furthest to the right$',
    'left': '^left | on the left$',
    'right': '^right | on the right$',
    'middle': '^(middle|center) | in the middle$',
    'nearest': '^(closest|nearest|front) ',
    'farthest': '^(farthest|furthest) | at the back$',
    'large': '^(big|large|biggest|largest) ',
    'small': '^(small|little|smallest) ',
    '1 from the left': '^first .* from the left$',
    '2 from the left': '^second .* from the left$',
    '3 from the left': '^third .* from the left$',
    '1 from the right': '^first .* from the right$',
    '2 from the right': '^second .* from the right$',
    '3 from the right': '^third .* from the right$',
}
KOREAN_CLAIMS = {
    'leftmost': '^(가장|맨) 왼쪽(에 있는)? ',
    'rightmost': '^(가장|맨) 오른쪽(에 있는)? ',
    'left': '^왼쪽(에 있는)? ',
    'right': '^오른쪽(에 있는)? ',
    'middle': '^(가운데|중간)(에 있는)? ',
    'nearest': '^(가장 가까운|제일 가까이 있는|맨 앞에 있는) ',
    'farthest': '^(가장 먼|제일 멀리 있는|맨 뒤에 있는) ',
    'large': '^(큰|커다란|가장 큰|제일 큰) ',
    'small': '^(작은|조그만|가장 작은|제일 작은) ',
    '1 from the left': '^왼쪽에서 첫 번째 ',
    '2 from the left': '^왼쪽에서 두 번째 ',
    '3 from the left': '^왼쪽에서 세 번째 ',
    '1 from the right': '^오른쪽에서 첫 번째 ',
    '2 from the right': '^오른쪽에서 두 번째 ',
    '3 from the right': '^오른쪽에서 세 번째 ',
}
KOREAN_HUES = {
    'red': '빨간|붉은', 'orange': '주황', 'yellow': '노란', 'green': '초록|녹색', 'blue': '파란|푸른',
    'purple': '보라', 'pink': '분홍|핑크', 'brown': '갈색', 'black': '검은|검정|까만', 'white': '하얀|흰',
    'grey': '회색|은색',
}
OTHER_HUES = {'gray': 'grey', 'silver': 'grey'}
ENGLISH_KINDS = {name: kind for kind in KINDS for name in (kind, *ENGLISH.get(kind, ()))}
KOREAN_KINDS = {name: kind for kind in KINDS for name in (KINDS[kind].ko, *KOREAN.get(kind, ()))}
ENGLISH_KINDS |= dict.fromkeys(('object', 'thing'), '')
KOREAN_KINDS |= dict.fromkeys(('물건', '것', '물체'), '')


@dataclass(frozen=True)
class Said:
    """What a text names: '' where it says nothing of it."""

    kind: str
    colour: str
    claims: frozenset
    reference: Said | None = None


def read(phrase):
    """Read both texts; they must say the same."""
    english, korean = read_english(phrase.text_en), read_korean(phrase.text_ko)
    assert english == korean, phrase
    return english


def read_english(text):
    for claim, words in ENGLISH_RELATIONS.items():
        parts = re.split(words, text)
        if len(parts) == 2:
            said, reference = read_english(parts[0]), read_english(parts[1])
            return Said(said.kind, said.colour, said.claims | {claim}, reference)
    claims = {claim for claim, words in ENGLISH_CLAIMS.items() if re.search(words, text)}
    for claim in claims:
        text = re.sub(ENGLISH_CLAIMS[claim].replace(' .* ', ' | '), '', text)
    first, _, rest = text.partition(' ')
    colour = OTHER_HUES.get(first, first)
    if rest and colour in COLOURS:
        return Said(ENGLISH_KINDS[rest], colour, frozenset(claims))
    return Said(ENGLISH_KINDS[text], '', frozenset(claims))


def read_korean(text):
    for claim, word in KOREAN_RELATIONS.items():
        parts = re.split(f'(?<!^가장)(?<!^맨) {word}(?:에 있는|의) ', text)
        if len(parts) == 2:
            reference, said = read_korean(parts[0]), read_korean(parts[1])
            return Said(said.kind, said.colour, said.claims | {claim}, reference)
    claims = {claim for claim, words in KOREAN_CLAIMS.items() if re.search(words, text)}
    for claim in claims:
        text = re.sub(KOREAN_CLAIMS[claim], '', text)
    first, _, rest = text.partition(' ')
    colours = [colour for colour, words in KOREAN_HUES.items() if re.match(words, first)]
    if rest and colours:
        return Said(KOREAN_KINDS[rest], colours[0], frozenset(claims))
    return Said(KOREAN_KINDS[text], '', frozenset(claims))
