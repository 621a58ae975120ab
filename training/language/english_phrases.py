"""English noun phrases, destinations and sources."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.english_verbs import inflect
from training.language.invent import code, english_noun
from training.language.sample import Group, Word, link, mark, say


def noun_phrase(
    choose: Chooser,
    *,
    depth: int = 0,
    post: str = 'any',
    plain: float = 0.5,
    key: str = 'nouns',
    described: float | None = None,
) -> Group:
    """Return a noun phrase: article outside the span, the words that pick the thing out inside.

    :param post: what may follow the noun: 'any', 'still' (no place that could say where to), 'clear' (no
        place at all that could be a destination), 'side' (a bare side always does) or 'none'.
    :param described: how often something follows it, where not as often as usual.
    """
    if depth == 0 and key == 'nouns' and choose.chance(0.015):
        words = say(choose.word('that_ones'))
        link(words[:-1], 'modifier', words[-1:])
        return Group(words, words[-1])
    if depth == 0 and key == 'nouns' and post in ('any', 'still') and choose.chance(0.015):
        return _everything(choose, post)
    lead, words = _determiner(choose)
    row: list[Word] = []
    if choose.chance(0.035 if depth == 0 else 0.02):
        words, row = words + say(choose.word('row_ordinals')), say(choose.word('from_side'))
    elif not choose.chance(plain):
        words += _adjectives(choose)
    core, head = _noun(choose, key)
    words += core + row
    describing = [word for word in words if word is not head]
    if described is None:
        described = 0.24 if depth == 0 else 0.10
    if post == 'side' or (post != 'none' and not row and choose.chance(described)):
        after = say(choose.word('sides')) if post == 'side' else _postmodifier(choose, depth, post)
        describing += after
        words += after
    link(
        [word for word in describing if 'modifier' not in word.links and word.text not in ('the', 'a', 'an')],
        'modifier',
        [head],
    )
    return Group(words, head, lead)


def _everything(choose: Chooser, post: str) -> Group:
    """Return all that is somewhere: "everything on the table"."""
    words = say(choose.word('every_thing'))
    after = _postmodifier(choose, 0, post)
    relative = after[0].text in ('that', 'which', 'you', 'i')
    if words[-1].text in ('whatever', 'what') and not relative:
        after = say(choose.rng.choice(('is', 'is', 'you find', 'lies', 'is left'))) + after
    link(
        [word for word in words[1:] + after
         if 'modifier' not in word.links and word.text not in ('the', 'a', 'an')],
        'modifier',
        words[:1],
    )
    return Group(words + after, words[0])


def _determiner(choose: Chooser) -> tuple[list[Word], list[Word]]:
    kind = choose.pick(the=67, a=9, none=11, that=4, my=4, all=3, some=1, another=1)
    if kind == 'the':
        return say('the'), []
    if kind == 'a':
        return say(choose.rng.choice(('a', 'an'))), []
    if kind == 'that':
        return [], say(choose.word('demonstratives'))
    if kind == 'my':
        return [], say(choose.word('possessives'))
    if kind == 'all':
        words = say(choose.word('quantities'))
        return (words[:1], words[1:]) if words[0].text == 'the' else ([], words)
    if kind == 'some':
        return [], say(choose.word('some'))
    return ([], say('another')) if kind == 'another' else ([], [])


def _adjectives(choose: Chooser) -> list[Word]:
    words: list[Word] = []
    chosen = choose.pick(superlatives=0.10, ordinals=0.10, comparatives=0.02, none=0.78)
    order = (
        *(((chosen, 1.0),) if chosen != 'none' else ()),
        ('sizes', 0.22),
        ('states', 0.14),
        ('colours', 0.50),
        ('materials', 0.14),
    )
    for key, probability in order:
        if choose.chance(probability):
            if words and choose.chance(0.06):
                words.append(Word(',', glue=True))
            elif len(words) == 1 and choose.chance(0.03):
                words += say('and')
            words += say(choose.word(key))
    return words


def _noun(choose: Chooser, key: str) -> tuple[list[Word], Word]:
    draw = choose.rng.random()
    if draw < 0.22:
        words = say(english_noun(choose.rng))
        if choose.chance(0.15):
            words = say(choose.word('purposes')) + words
    elif draw < 0.29:
        words = say(choose.word('purposes')) + say(choose.noun(key))
    elif draw < 0.33 and key == 'nouns':
        words = say(choose.word('wholes'))
        link(words[1:], 'modifier', [words[0]])
        return words, words[0]
    elif draw < 0.35 and key == 'nouns':
        part = say(choose.noun('parts'))
        of = say('of the') + say(choose.noun())
        link(of[1:], 'modifier', [part[-1]])
        return part + of, part[-1]
    elif draw < 0.375 and key == 'nouns':
        words = say(choose.word('pro_nouns'))
    elif draw < 0.40 and key == 'nouns':
        words = say(choose.noun()) + say(choose.noun('parts'))
    elif draw < 0.42:
        number = choose.word('numbers') if choose.chance(0.5) else code(choose.rng)
        words = say(choose.noun(key) if choose.chance(0.93) else '') + say(number)
    elif draw < 0.44:
        words = say(choose.noun()) + say(choose.word('compounded'))
    else:
        words = say(choose.noun(key))
        if choose.chance(0.07):
            words[-1].text = plural(words[-1].text)
    return words, words[-1]


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    if noun.endswith(('s', 'x', 'ch', 'sh', 'z')):
        return noun + 'es'
    if noun.endswith('y') and noun[-2:-1] not in 'aeiou':
        return noun[:-1] + 'ies'
    return noun + 's'


def _postmodifier(choose: Chooser, depth: int, post: str) -> list[Word]:
    bare = 1 if post in ('any', 'still') else 0  # a bare place behind the noun
    leading = choose.lists['motional'] + choose.lists['deictic'] if post == 'still' else []
    kind = choose.pick(clause=2, spot=2 * bare, near=4 * bare, that=3, at=3 * bare, having=1, acting=2)
    if kind == 'clause':
        return say(choose.word('clauses'))
    if kind == 'acting':
        return _acting(choose, depth, bare)
    if kind == 'spot':
        return say(choose.rng.choice([spot for spot in choose.lists['spots'] if not _leads(spot, leading)]))
    if kind == 'having':
        how = choose.word('having')
        if how.startswith('with'):
            return say(f'{how} {feature(choose)}')
        key = 'liquid' if 'f' in how and how != 'for' else 'nouns'
        return say(how) + noun_phrase(choose, depth=depth + 1, post='none', key=key).all()
    words = say(choose.word('that')) if kind == 'that' else []
    if kind == 'that' and choose.chance(0.2):
        return words + say(choose.word('spots'))
    relations = choose.lists['near'] * (kind != 'at') + choose.lists['at'] * (kind != 'near')
    if kind != 'that':
        relations = [relation for relation in relations if not _leads(relation, leading)]
    relation = choose.rng.choice(relations)
    return words + say(relation) + _place(choose, relation, depth)


def _acting(choose: Chooser, depth: int, bare: int) -> list[Word]:
    """Return what a thing does or what was done to it: "that fell behind the sofa", "labeled B-7"."""
    kind = choose.pick(happened=3, doing=2, done=2, has=1, coded=1, stuck=2 * bare)
    lead = choose.rng.choice(('that', 'that', 'that', 'which', ''))
    if kind == 'coded':
        return say(f'{choose.word("labeled")} {code(choose.rng)}')
    if kind == 'doing':
        lead = lead or choose.rng.choice(("that's", 'that is'))
        lead = lead if lead in ("that's", 'that is') else f'{lead} is'
        return say(f'{lead} {choose.word("doing")}')
    if kind == 'has':
        most = choose.rng.choice(('the most', 'a', 'no', 'the', 'two', 'lots of', 'more', 'the fewest'))
        return say(f'that {choose.rng.choice(("has", "have", "had", "shows"))} {most} '
                   f'{choose.noun() if choose.chance(0.4) else choose.word("features")}')
    if kind == 'done':
        verb = inflect(choose, choose.verb(choose.pick(act=3, place=1, take=2)), 'past')
        when = choose.word('times') if choose.chance(0.3) else ''
        return say(f'{lead} {choose.word("having_done")} {verb} {when}')
    relation = choose.word(choose.pick(near=3, at=2))
    if kind == 'happened':
        words = say(f'{lead or "that"} {choose.word("happened")}')
        if choose.chance(0.15):
            return words + say(choose.word('times'))
    else:
        words = say(choose.word('stuck'))
        if choose.chance(0.12):
            return words + say(choose.rng.choice(('outside', 'inside', 'together', 'there', 'upside down')))
        relation = relation if choose.chance(0.6) else 'to'
    return words + say(relation) + _place(choose, relation, depth, post='none')


def feature(choose: Chooser) -> str:
    """Return a part that tells a thing from others: "a red lid"."""
    colour = choose.word('colours') + ' ' if choose.chance(0.45) else ''
    article = choose.rng.choice(('the ', 'the ', 'a ', 'a ', 'its ', '', 'two ', 'no '))
    return article + colour + choose.word('features')


def _leads(place: str, leading: list[str]) -> bool:
    """Tell whether a place may say where to: "to the left", "over there"."""
    return place in leading or (bool(leading) and place.startswith('to '))


def _place(
    choose: Chooser, relation: str, depth: int, post: str = 'any', described: float | None = None
) -> list[Word]:
    if not relation.endswith(('in', 'into', 'inside', 'between')) and choose.chance(0.05):
        return say(choose.rng.choice(('me', 'me', 'me', 'you', 'us', 'him', 'her', 'them', 'it')))
    key = choose.pick(nouns=5, surfaces=3, containers=3)
    if relation.endswith(('in', 'into', 'inside')):
        key = choose.pick(nouns=1, containers=5)
    if relation.startswith('on') or relation == 'atop':
        key = choose.pick(nouns=3, surfaces=5, containers=1)
    group = noun_phrase(choose, depth=depth + 1, post=post, plain=0.5, key=key, described=described)
    while relation == 'by' and group.head.text in choose.lists['grips']:  # "by the handle" tells how
        group = noun_phrase(choose, depth=depth + 1, post=post, plain=0.5, key=key, described=described)
    place = group.all()
    if relation.startswith('between') or relation.endswith('between'):
        place += say('and') + noun_phrase(choose, depth=depth + 1, post='none', plain=0.5).all()
    return place


def destination(choose: Chooser, verb_class: str, *, motional: str = '') -> Group:
    """Return a destination with its relation word.

    :param motional: names the list of prepositions that may lead it ("motional", or "unmistakable" where
        another place stands before it), for else it would describe what stands before; '' for any.
    """
    if verb_class == 'give':
        words = say('to') + say(choose.word('people'))
        return preposition_group(words, 1, 'destination')
    if not motional and verb_class in ('move', 'go') and choose.chance(0.09):
        return _along(choose)
    if not motional and choose.chance({'go': 0.06, 'move': 0.12}.get(verb_class, 0.10)):
        words = say(choose.word('referring' if choose.chance(0.3) else 'bare'))
        if verb_class == 'move' and choose.chance(0.4):
            words = say(f'{choose.word("distances")} {choose.word("directions")}')
        mark(words, 'destination')
        link(words[:-1], 'modifier', [words[-1]])
        return Group(words, words[-1])
    if motional == 'motional' and choose.chance(0.2):
        words = say(choose.word('deictic'))
        mark(words, 'destination')
        link(words[:-1], 'modifier', [words[-1]])
        return Group(words, words[-1])
    moving = verb_class in ('move', 'go') or (verb_class == 'pour' and choose.chance(0.3))
    by_class = {'attach': 'to_attach', 'aim': 'to_aim'}
    relation = choose.weighted(by_class.get(verb_class, 'to_move' if moving else 'to_place'))
    if motional:
        relation = choose.word(motional)
    if relation in ('to', 'over to', 'toward', 'towards', 'back to', 'closer to', 'up to') and choose.chance(
        0.4
    ):
        if choose.chance(0.35):
            words = say(relation) + say(choose.word('people'))
        else:
            words = (
                say(relation)
                + say(choose.rng.choice(('the', 'the', 'the', 'my', 'your', 'its')))
                + say(choose.word('places'))
            )
            if choose.chance(0.3):
                words += say('of the') + say(choose.noun('surfaces'))
    else:
        words = say(relation) + _place(choose, relation, 0, described=0.22)
    return preposition_group(words, len(say(relation)), 'destination')


def _along(choose: Chooser) -> Group:
    """Return the way that a thing takes, alone or with where it ends: "across the floor to the corner"."""
    way = choose.noun('surfaces') if choose.chance(0.3) else choose.word('ways_along')
    lead = say(choose.word('along'))
    words = lead + say('the') + say(way)
    if choose.chance(0.45):
        end = choose.word('unmistakable')
        words += say(end) + (say('the') + say(choose.word('places')) if choose.chance(0.4)
                             else _place(choose, end, 1, post='none'))
    return preposition_group(words, len(lead), 'destination')


def source(choose: Chooser, particle: str = '') -> Group:
    """Return where something is taken from.

    :param particle: of the verb, right before it: "take it out" is followed by "from", not by "out of".
    """
    relation = 'from' if particle in ('out', 'off') else choose.weighted('from')
    key = choose.pick(nouns=2, surfaces=4, containers=5)
    words = say(relation) + noun_phrase(choose, depth=1, plain=0.5, key=key, post='still').all()
    return preposition_group(words, len(say(relation)), 'source')


def preposition_group(words: list[Word], count: int, role: str) -> Group:
    """Make one span of preposition and noun phrase; the noun that the others describe is the head."""
    described = [key for word in words[count:] for key in word.links.get('modifier', ())]
    inner = [word for word in words[count:] if word.text not in ('the', 'a', 'an')]
    head = next((word for word in described if 'modifier' not in word.links), None)
    head = head or next((word for word in reversed(inner) if 'modifier' not in word.links), words[-1])
    mark(words, role)
    link([word for word in words[:count] if word.text not in ('the', 'a', 'an')], 'modifier', [head])
    link([word for word in inner if 'modifier' not in word.links], 'modifier', [head])
    return Group(words, head)
