"""Referring phrases in English and Korean, written from the truth of a scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .kinds import KINDS
from .referring import BACKGROUND_KINDS, NO_CLUTTER, Description, Seen, confusable, needs, resolve
from .scene import ScenePhrase

MIN_SHARE = 0.0006  # of the picture's area: a target smaller than this is not asked for
MIN_VISIBLE = 0.35
MAX_PHRASES = 12
CLEAR_COLOUR = 0.6  # share of phrases that may name a colour that is not needed

KOREAN_COLOURS = {
    'red': ('빨간', '빨간색', '붉은'),
    'orange': ('주황색', '주황'),
    'yellow': ('노란', '노란색'),
    'green': ('초록색', '녹색', '초록'),
    'blue': ('파란', '파란색', '푸른'),
    'purple': ('보라색', '보라'),
    'pink': ('분홍색', '핑크색'),
    'brown': ('갈색',),
    'black': ('검은', '검정', '검은색', '까만'),
    'white': ('하얀', '흰', '흰색', '하얀색'),
    'grey': ('회색',),
}
ENGLISH_COLOURS = {'grey': ('grey', 'gray')}
SILVER = ('silver', '은색')  # what a grey thing of metal may be called too
# further names; the kind's own name comes first
ENGLISH = {
    'phone': ('smartphone', 'cell phone'),
    'remote control': ('remote',),
    'computer mouse': ('mouse',),
    'die': ('dice',),
    'tape': ('roll of tape',),
    'mug': ('coffee mug',),
    'pan': ('frying pan',),
    'can': ('tin can',),
    'toy car': ('car',),
    'clock': ('alarm clock',),
    'padlock': ('lock',),
    'lamp': ('desk lamp',),
    'glass': ('drinking glass',),
}
KOREAN = {
    'phone': ('핸드폰', '스마트폰'),
    'mug': ('머그컵', '머그'),
    'knife': ('나이프',),
    'spoon': ('스푼',),
    'remote control': ('리모콘',),
    'screwdriver': ('스크루드라이버',),
    'wrench': ('스패너',),
    'can': ('깡통',),
    'box': ('박스',),
    'toy car': ('자동차', '장난감 차'),
    'clock': ('탁상시계',),
    'lamp': ('램프', '스탠드'),
    'glass': ('유리컵',),
    'sponge': ('수세미',),
    'bell pepper': ('파프리카',),
    'egg': ('계란',),
    'laptop': ('노트북 컴퓨터',),
    'candle': ('초',),
    'brush': ('브러시',),
    'bowl': ('사발',),
    'headphones': ('헤드셋',),
    'tray': ('트레이',),
    'pan': ('팬', '후라이팬'),
}
SIZE_WORDS = {
    'large': (('big', '큰'), ('large', '커다란'), ('biggest', '가장 큰'), ('largest', '제일 큰')),
    'small': (('small', '작은'), ('little', '조그만'), ('smallest', '가장 작은'), ('smallest', '제일 작은')),
}
# English after the noun; Korean before it
POSITION_WORDS = {
    'left': (('{} on the left', '왼쪽에 있는 {}'), ('left {}', '왼쪽 {}')),
    'right': (('{} on the right', '오른쪽에 있는 {}'), ('right {}', '오른쪽 {}')),
    'middle': (
        ('{} in the middle', '가운데에 있는 {}'),
        ('middle {}', '가운데 {}'),
        ('center {}', '중간에 있는 {}'),
    ),
    'leftmost': (
        ('leftmost {}', '가장 왼쪽 {}'),
        ('leftmost {}', '가장 왼쪽에 있는 {}'),
        ('{} furthest to the left', '맨 왼쪽에 있는 {}'),
    ),
    'rightmost': (
        ('rightmost {}', '가장 오른쪽 {}'),
        ('rightmost {}', '가장 오른쪽에 있는 {}'),
        ('{} furthest to the right', '맨 오른쪽에 있는 {}'),
    ),
    'nearest': (
        ('closest {}', '가장 가까운 {}'),
        ('nearest {}', '제일 가까이 있는 {}'),
        ('front {}', '맨 앞에 있는 {}'),
    ),
    'farthest': (
        ('farthest {}', '가장 먼 {}'),
        ('{} at the back', '맨 뒤에 있는 {}'),
        ('furthest {}', '제일 멀리 있는 {}'),
    ),
}
RELATION_WORDS = {
    'left_of': (('{} left of the {}', '{1} 왼쪽에 있는 {0}'), ('{} to the left of the {}', '{1} 왼쪽의 {0}')),
    'right_of': (
        ('{} right of the {}', '{1} 오른쪽에 있는 {0}'),
        ('{} to the right of the {}', '{1} 오른쪽의 {0}'),
    ),
    'behind': (('{} behind the {}', '{1} 뒤에 있는 {0}'), ('{} behind the {}', '{1} 뒤의 {0}')),
    'in_front_of': (
        ('{} in front of the {}', '{1} 앞에 있는 {0}'),
        ('{} in front of the {}', '{1} 앞의 {0}'),
    ),
    'next_to': (('{} next to the {}', '{1} 옆에 있는 {0}'), ('{} beside the {}', '{1} 옆의 {0}')),
    'on': (('{} on the {}', '{1} 위에 있는 {0}'), ('{} on top of the {}', '{1} 위의 {0}')),
    'in': (('{} in the {}', '{1} 안에 있는 {0}'), ('{} inside the {}', '{1} 안의 {0}')),
}
ORDINALS = {2: ('second', '두 번째'), 3: ('third', '세 번째'), 1: ('first', '첫 번째')}
SIDES = {'left': '왼쪽', 'right': '오른쪽'}


def write_phrases(
    seen: Sequence[Seen],
    size: tuple[int, int],
    rng: np.random.Generator,
    clutter: frozenset[str] = NO_CLUTTER,
) -> list[ScenePhrase]:
    """Write up to :data:`MAX_PHRASES` phrases: each fits exactly one thing, or nothing in view.

    :param size: width and height of the picture in pixels.
    :param clutter: names of the colours of plain boxes that the background shows, of which no label tells.
    """
    width, height = size
    options: dict[tuple[str, ...], list[tuple[Description, int]]] = {}
    for thing in seen:
        if thing.pixels < MIN_SHARE * width * height or thing.object.visible < MIN_VISIBLE:
            continue
        for description in describe(thing, seen, width, clutter):
            if resolve(description, seen, width, clutter) != thing.object.id:
                continue
            needed = needs(description, thing.object.id, seen, width, clutter)
            said = set(description.says())
            spare = said - set(needed)
            if spare <= {'kind'} or (spare <= {'kind', 'colour'} and rng.uniform() < CLEAR_COLOUR * 0.3):
                options.setdefault(needed, []).append((description, thing.object.id))
    phrases: list[ScenePhrase] = []
    used: set[str] = set()
    groups = list(options)
    while groups and len(phrases) < MAX_PHRASES - 2:
        # needs are drawn evenly: plain phrases would drown those that need colour, size or place
        needed = groups[int(rng.integers(len(groups)))]
        description, target = options[needed].pop(int(rng.integers(len(options[needed]))))
        if not options[needed]:
            groups.remove(needed)
        english, korean = in_words(description, seen, width, rng, clutter)
        if english not in used:
            used.add(english)
            phrases.append(ScenePhrase(english, korean, target, needed))
    return [*phrases, *absent_phrases(seen, rng, 2, clutter)]


def describe(
    thing: Seen, seen: Sequence[Seen], width: int, clutter: frozenset[str] = NO_CLUTTER
) -> Iterator[Description]:
    """Yield what may be said of a thing, whether or not it is clear."""
    kind, colour = thing.object.kind, thing.object.colour
    bases = [Description(kind=kind), Description(colour=colour), Description(kind=kind, colour=colour)]
    yield from bases
    # what is alone already needs no size, place or relation
    shared = [base for base in bases if sum(_like(other, base) for other in seen) > 1]
    for base in shared:
        for size in ('large', 'small'):
            yield _with(base, size=size)
        for position in POSITION_WORDS:
            yield _with(base, position=position)
        for number in ORDINALS:
            for side in SIDES:
                yield _with(base, ordinal=(number, side))
    references = [
        other
        for other in seen
        if other is not thing
        and other.object.visible > MIN_VISIBLE
        and (
            resolve(Description(kind=other.object.kind), seen, width, clutter) == other.object.id
            or resolve(Description(kind=other.object.kind, colour=other.object.colour), seen, width, clutter)
            == other.object.id
        )
    ]
    for reference in references:
        for relation in RELATION_WORDS:
            for base in shared:
                yield _with(base, relation=relation, reference=reference)
            if relation in ('on', 'in', 'next_to'):
                yield Description(relation=relation, reference=reference)


def _like(thing: Seen, base: Description) -> bool:
    return base.kind in ('', thing.object.kind) and base.colour in ('', thing.object.colour)


def in_words(
    description: Description,
    seen: Sequence[Seen],
    width: int,
    rng: np.random.Generator,
    clutter: frozenset[str] = NO_CLUTTER,
) -> tuple[str, str]:
    """Say a description in English and in Korean."""
    english, korean = _noun(description.kind, rng)
    if description.colour:
        metal = _material_of(description, seen, width) == 'metal'
        english, korean = _coloured(description.colour, english, korean, rng, metal=metal)
    if description.size:
        word = _pick(SIZE_WORDS[description.size], rng)
        english, korean = f'{word[0]} {english}', f'{word[1]} {korean}'
    if description.position:
        word = _pick(POSITION_WORDS[description.position], rng)
        english, korean = word[0].format(english), word[1].format(korean)
    if description.ordinal[0]:
        number, side = description.ordinal
        english = f'{ORDINALS[number][0]} {english} from the {side}'
        korean = f'{SIDES[side]}에서 {ORDINALS[number][1]} {korean}'
    if description.reference is not None:
        other = description.reference.object
        base_en, base_ko = _noun(other.kind, rng)
        if resolve(Description(kind=other.kind), seen, width, clutter) != other.id or rng.uniform() < 0.25:
            base_en, base_ko = _coloured(other.colour, base_en, base_ko, rng)
        word = _pick(RELATION_WORDS[description.relation], rng)
        english, korean = word[0].format(english, base_en), word[1].format(korean, base_ko)
    return english, korean


def absent_phrases(
    seen: Sequence[Seen], rng: np.random.Generator, count: int, clutter: frozenset[str] = NO_CLUTTER
) -> list[ScenePhrase]:
    """Name things that are not in view: other kinds, or a kind in view in a colour that it does not have."""
    phrases = []
    there = {thing.object.kind for thing in seen}
    background = BACKGROUND_KINDS if clutter else ()
    free = [
        name
        for name in KINDS
        if name not in there and name not in background and not any(confusable(name, kind) for kind in there)
    ]
    for _ in range(count):
        if seen and rng.uniform() < 0.35:
            kind = sorted(there)[int(rng.integers(len(there)))]
            like = {
                thing.object.colour
                for thing in seen
                if thing.object.kind == kind or confusable(thing.object.kind, kind)
            }
            if kind in background:
                like |= clutter
            colours = [
                colour for colour in KINDS[kind].colours if colour not in like and not _near(colour, like)
            ]
            if not colours:
                continue
            colour = _pick(colours, rng)
        else:
            kind = free[int(rng.integers(len(free)))]
            colour = ''
            if rng.uniform() < 0.4:
                colour = _pick(KINDS[kind].colours, rng)
        english, korean = _noun(kind, rng)
        if colour:
            english, korean = _coloured(colour, english, korean, rng)
        phrases.append(ScenePhrase(english, korean, 0, ()))
    return phrases


def _near(colour: str, others: set[str]) -> bool:
    """Tell whether light could make one of the other colours look like this one."""
    rows = (
        {'red', 'pink', 'orange', 'brown'},
        {'orange', 'yellow', 'brown'},
        {'blue', 'purple', 'black'},
        {'purple', 'pink'},
        {'grey', 'white'},
        {'grey', 'black', 'brown'},
    )
    return any(colour in row and row & others for row in rows)


def _with(base: Description, **more: object) -> Description:
    return Description(**{**base.__dict__, **more})


def _noun(kind: str, rng: np.random.Generator) -> tuple[str, str]:
    if not kind:
        return _pick((('object', '물건'), ('thing', '것'), ('object', '물체')), rng)
    english = (kind, kind, *ENGLISH.get(kind, ()))
    korean = (KINDS[kind].ko, KINDS[kind].ko, *KOREAN.get(kind, ()))
    return _pick(english, rng), _pick(korean, rng)


def _material_of(description: Description, seen: Sequence[Seen], width: int) -> str:
    target = resolve(description, seen, width)
    return next((thing.object.material for thing in seen if thing.object.id == target), '')


def _coloured(
    colour: str, english: str, korean: str, rng: np.random.Generator, *, metal: bool = False
) -> tuple[str, str]:
    if metal and colour == 'grey' and rng.uniform() < 0.4:
        return f'{SILVER[0]} {english}', f'{SILVER[1]} {korean}'
    return (
        f'{_pick(ENGLISH_COLOURS.get(colour, (colour,)), rng)} {english}',
        f'{_pick(KOREAN_COLOURS[colour], rng)} {korean}',
    )


def _pick(options: Sequence, rng: np.random.Generator):
    return options[int(rng.integers(len(options)))]
