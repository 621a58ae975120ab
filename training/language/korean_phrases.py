"""Korean noun phrases, destinations and sources."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.invent import code, english_noun, korean_noun
from training.language.korean_verbs import final_of, pick_verb
from training.language.sample import Group, Word, link, mark, say

_RIEUL = 8


def particle(name: str, before: str) -> Word:
    """Return the particle as it follows ``before``: 을/를, 은/는, 이/가, 과/와, 으로/로, 이랑/랑."""
    pairs = {
        '을': '를',
        '은': '는',
        '이': '가',
        '과': '와',
        '으로': '로',
        '이랑': '랑',
        '이나': '나',
        '이라도': '라도',
        '으로부터': '로부터',
        '은요': '는요',
        '이라고': '라고',
    }
    if name not in pairs:
        return Word(name, glue=True)
    final = final_of(before)
    open_end = final == 0 or (final == _RIEUL and name.startswith('으로'))
    return Word(pairs[name] if open_end else name, glue=True)


def noun_phrase(
    choose: Chooser, *, depth: int = 0, plain: float = 0.5, key: str = 'nouns', clauses: float = 0.22
) -> Group:
    """Return a noun phrase without its particle."""
    if depth == 0 and key == 'nouns' and choose.chance(0.025):
        return _among(choose)
    words: list[Word] = []
    if depth < 2 and choose.chance(clauses if depth == 0 else 0.10):
        words += _relative(choose, depth)
    if choose.chance(0.05):
        words += say(choose.word('demonstratives'))
    elif choose.chance(0.03):
        words += say(choose.word('owners'))
    if choose.chance(0.035):
        words += [*say(choose.word('sides')), Word('에서', glue=True), *say(choose.word('nths'))]
    elif not choose.chance(plain):
        words += adjectives(choose)
    core, head = _noun(choose, key)
    words += core
    picked = depth == 0 and key == 'nouns' and choose.chance(0.015)    # "컵라면 큰 거 하나"
    if picked:
        words += say(choose.word('picked'))
        head = words[-1]
    if depth == 0 and choose.chance(0.4 if picked else 0.05):
        words += say(choose.word('counts'))
    elif depth == 0 and choose.chance(0.012):
        words.append(Word('들', glue=True))
    link(
        [word for word in words if word is not head and 'modifier' not in word.links and not word.glue],
        'modifier',
        [head],
    )
    return Group(words, head)


def _among(choose: Chooser) -> Group:
    """Return one thing picked from many: "컵 중에서 제일 큰 거"."""
    words = _relative(choose, 1) if choose.chance(0.4) else []
    words += say(choose.word('colours') if choose.chance(0.2) else '') + say(choose.noun())
    if choose.chance(0.4):
        words.append(Word('들', glue=True))
    words += say(choose.word('among')) + say(choose.word(choose.pick(superlatives=7, colours=2, ordinals=1)))
    words += say(choose.word('things') if choose.chance(0.8) else choose.noun())
    describing = [word for word in words[:-1] if not word.glue and 'modifier' not in word.links]
    link(describing, 'modifier', words[-1:])
    return Group(words, words[-1])


def adjectives(choose: Chooser) -> list[Word]:
    """Return what describes a noun by size, state, colour or material; may be empty."""
    place = choose.pick(superlatives=0.10, ordinals=0.10, comparatives=0.02, none=0.78)
    parts = [] if place == 'none' else [choose.word(place)]
    parts += [
        choose.word(key)
        for key, probability in (
            ('sizes', 0.22),
            ('states', 0.15),
            ('colours', 0.50),
            ('materials', 0.14),
        )
        if choose.chance(probability)
    ]
    if choose.chance(0.05):
        parts.append(choose.word('amounts') + choose.word('size_units'))
    if choose.chance(0.3):
        choose.rng.shuffle(parts)
    return [word for part in parts for word in say(part)]


def _noun(choose: Chooser, key: str) -> tuple[list[Word], Word]:
    draw = choose.rng.random()
    if draw < 0.21:
        words = say(korean_noun(choose.rng))
        if choose.chance(0.1):
            words = say(choose.word('purposes')) + words
    elif draw < 0.26:
        words = say(english_noun(choose.rng) if choose.chance(0.6) else choose.word('latin'))
    elif draw < 0.31:
        words = say(choose.word('purposes')) + say(choose.noun(key))
    elif draw < 0.36:
        of = [particle('의', '')] if choose.chance(0.35) else []
        words = say(choose.noun(key)) + of + say(choose.noun('parts'))
    elif draw < 0.385 and key == 'nouns':
        words = say(choose.word('things'))
    elif draw < 0.405 and key != 'liquid':
        number = choose.word('numbers') if choose.chance(0.5) else code(choose.rng)
        words = say(choose.noun(key)) + say(number)
    elif draw < 0.43 and key != 'liquid':
        words = say(korean_noun(choose.rng) if choose.chance(0.3) else choose.noun())
        words += say(choose.word('compounded'))
    elif draw < 0.45 and key == 'nouns':
        words = say(choose.noun()) + say(choose.noun())
    else:
        words = say(choose.noun(key))
    return words, words[-1]


def _relative(choose: Chooser, depth: int) -> list[Word]:
    """Return what stands before the noun: "노트북 왼쪽에 있는", "검은색 상자 위의"."""
    kind = choose.pick(
        placed=6, of=2, bare=1.5, clause=2.5, having=1.2, between=0.8, at=1.5, nearest=0.8, acted=3, told=0.6
    )
    if kind == 'clause':
        return say(choose.word('clauses'))
    if kind == 'acted':
        return _acted(choose)
    if kind == 'told':
        return _told(choose)
    if kind == 'having':
        part = noun_phrase(choose, depth=depth + 2, key='nouns')
        return [*part.all(), particle('이', part.words[-1].text), *say(choose.word('having'))]
    if kind == 'at':
        place = say(choose.word('spots'))
        return [*place, Word('에', glue=True), *say(choose.word('locative'))]
    other = noun_phrase(
        choose, depth=depth + 1, plain=0.55, key=choose.pick(nouns=5, surfaces=3, containers=2), clauses=0.1
    )
    words = other.all()
    if kind == 'nearest':
        words.append(particle(choose.rng.choice(('에', '에', '에서', '과', '이랑')), words[-1].text))
        return words + say(choose.rng.choice(('제일', '가장', '더', ''))) + say(choose.word('nearness'))
    if kind == 'between':
        second = noun_phrase(choose, depth=depth + 2, plain=0.6)
        words += [particle(choose.rng.choice(('과', '과', '이랑', '하고')), words[-1].text), *second.all()]
        return words + say('사이') + [Word('에', glue=True)] + say(choose.word('locative'))
    relation = say(choose.word('relations')) if kind != 'placed' or choose.chance(0.75) else []
    if kind == 'of':
        return words + relation + [Word('의', glue=True)]
    if kind == 'bare':
        return words + relation
    return words + relation + [Word('에', glue=True)] + say(choose.word('locative'))


def _acted(choose: Chooser) -> list[Word]:
    """Return what was or will be done with a thing: "아침에 먹던", "식기세척기에서 막 꺼낸", "내가 쓸"."""
    words = say(choose.word('times')) if choose.chance(0.25) else []
    where = choose.pick(none=3, place=4, who=2.5, thing=1)
    if where == 'who':
        words += say(choose.word('doers'))
    elif where != 'none':
        part = say(choose.noun(choose.pick(nouns=2, surfaces=1, containers=2)))
        case = choose.rng.choice(('에', '에', '에서', '에서', '으로')) if where == 'place' else '을'
        words += [*part, particle(case, part[-1].text)]
    words += say(choose.word('barely')) if choose.chance(0.3) else []
    verb = pick_verb(choose, choose.pick(act=4, place=2, take=2, take_from=1, attach=1, pour=0.5))
    ending = choose.rng.choices((verb.adnominal(), verb.prospective(), verb.stem + '던', verb.stem + '는'),
                                (6, 1.5, 2, 1))[0]
    return words + say(ending)


def _told(choose: Chooser) -> list[Word]:
    """Return what is written on a thing: "취급 주의 스티커가 붙은", "위험이라고 적힌"."""
    words = say(choose.word('written'))
    if choose.chance(0.3):
        return [*words, particle('이라고', words[-1].text), *say(choose.word('lettered'))]
    tag = say(choose.word('tags'))
    case = [particle('이', tag[-1].text)] if choose.chance(0.8) else []
    return [*words, *tag, *case, *say(choose.word('tagged'))]


def single(choose: Chooser, key: str = 'nouns') -> Group:
    """Return a noun phrase of one listed noun, so that it is clear where it ends without a particle."""
    words = say(choose.noun(key))
    describing = [] if choose.chance(0.5) else adjectives(choose)
    link(describing + words[:-1], 'modifier', words[-1:])
    return Group(describing + words, words[-1])


def destination(choose: Chooser, kind: str, *, bare: bool = False) -> Group:
    """Return a destination; its particle is in ``tail``.

    :param bare: without its particle; a relation word or a place word tells it then.
    """
    if bare:
        if choose.chance(0.4):
            words = say(choose.rng.choice(choose.lists['here'] + choose.lists['referring']))
        else:
            words = single(choose, choose.pick(surfaces=4, containers=5)).words
            words += say(choose.word('relations'))
        return _headed(words, 'destination', [])
    if kind == 'give':
        if choose.chance(0.1):
            return _headed(say(choose.word('self')), 'destination', [])
        words = say(choose.word('receiver' if choose.chance(0.6) else 'people'))
        ending = choose.rng.choice([each for each in choose.lists['to_person'] if each != '쪽으로'])
        if words[-1].text == '손':
            ending = '에'
        return _headed(words, 'destination', [particle(ending, words[-1].text)])
    moving = kind in ('move', 'go')
    draw = choose.rng.random()
    if draw < 0.15:
        words = say(choose.word('places'))
        if choose.chance(0.35):
            words = noun_phrase(choose, depth=1, plain=0.6, key='surfaces').all() + words
        ending = choose.rng.choice(
            ('에', '으로', '으로', '쪽으로', '에다', '까지', '에다가')
            if moving
            else ('에', '에', '에', '으로', '에다', '에다가')
        )
    elif draw < (0.32 if moving else 0.18 if kind == 'pour' else 0.155):
        if choose.chance(0.15):
            words = say(choose.word('self'))
            return _headed(words, 'destination', [])
        words = say(choose.word('people'))
        ending = choose.word('to_person')
    elif draw < (0.36 if moving else 0.23):
        words = say(choose.word('referring'))
        ending = choose.rng.choice(('에', '에', '에', '에다', '에다가', '으로'))
    elif draw < (0.42 if moving else 0.31):
        words = _fine_place(choose)
        ending = choose.rng.choice(('에', '에', '에', '에다', '으로', '에다가'))
    else:
        between = choose.chance(0.04)
        related = choose.chance(0.52)
        words = noun_phrase(
            choose,
            depth=0 if choose.chance(0.5) else 1,
            plain=0.45,
            clauses=0.15,
            key=choose.pick(nouns=3, surfaces=4, containers=5),
        ).all()
        words = [word for word in words if word.glue is False or word.text != '들']
        if between:
            second = noun_phrase(choose, depth=2, plain=0.6)
            words += [
                particle(choose.rng.choice(('과', '과', '이랑', '하고')), words[-1].text),
                *second.all(),
                *say('사이'),
            ]
        elif related:
            words += say(choose.word('relations'))
        ending = choose.rng.choice(
            ('으로', '으로', '으로', '에', '에', '까지', '쪽으로')
            if moving
            else ('에', '에', '에', '에', '에', '에', '에다', '에다가', '으로' if related else '에')
        )
        if choose.chance(0.012):
            ending = '마다'
    last = words[-1].text
    if ending == '까지' and last == '끝':  # 끝까지 says how far, not where to
        ending = '에'
    whole = ' '.join(word.text for word in words)
    if ending == '으로' and (last in choose.lists['tools'] or whole in choose.lists['tools']):
        ending = '에'  # "칼로" is a tool
    if ending == '쪽으로':
        if words[-1].text.endswith('쪽'):
            ending = '으로'
        else:
            words.append(Word('쪽', glue=choose.chance(0.2)))
            ending = '으로'
    return _headed(words, 'destination', [particle(ending, words[-1].text)])


def _fine_place(choose: Chooser) -> list[Word]:
    """Return a part of a place, or a place by what is there: "환자 무릎 위", "폴대 고리", "손 닿는 데"."""
    kind = choose.pick(part=5, body=2.5, spot=2)
    if kind == 'part':
        lead = say(choose.word('colours') if choose.chance(0.1) else '')
        lead += say(korean_noun(choose.rng) if choose.chance(0.15) else
                    choose.noun(choose.pick(nouns=2, surfaces=3, containers=3)))
        return lead + say(choose.word('place_parts'))
    if kind == 'body':
        return say(choose.word(choose.pick(people=2, owners=1))) + say(choose.word('body_parts'))
    lead = say(choose.word('spot_clauses')) if choose.chance(0.6) else _acted(choose)
    return lead + say(choose.rng.choice(('데', '곳', '쪽', '자리', '칸', '곳', '데')))


def here(choose: Chooser) -> Group:
    """Return a place that needs no particle: "이리"."""
    return _headed(say(choose.word('here')), 'destination', [])


def source(choose: Chooser) -> Group:
    """Return where something is taken from; its particle is in ``tail``."""
    words = noun_phrase(choose, depth=1, plain=0.5, key=choose.pick(nouns=2, surfaces=4, containers=5)).all()
    if choose.chance(0.35):
        words += say(choose.word('insides'))
    ending = choose.rng.choices(
        ('에서', '에서부터', '으로부터'), (20, 0.7, 1.0)
    )[0]
    return _headed(words, 'source', [particle(ending, words[-1].text)])


def _headed(words: list[Word], role: str, tail: list[Word]) -> Group:
    described = [key for word in words for key in word.links.get('modifier', ())]
    head = next((word for word in reversed(described) if 'modifier' not in word.links), None)
    head = head or next(word for word in words if 'modifier' not in word.links and not word.glue)
    mark(words, role)
    link([word for word in words if 'modifier' not in word.links and not word.glue], 'modifier', [head])
    return Group(words, head, tail=tail)


def verb_words(text: str) -> list[Word]:
    """Return the words of a verb form as one action."""
    words = say(text)
    mark(words, 'action')
    link(words[1:], 'argument', words[:1])
    return words
