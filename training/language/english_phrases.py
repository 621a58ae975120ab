"""English noun phrases, destinations, sources and manners."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.invent import english_noun
from training.language.sample import Group, Word, link, mark, say

_NEAR = ('next to', 'beside', 'near', 'by', 'close to', 'behind', 'in front of', 'left of', 'right of',
         'to the left of', 'to the right of', 'on the left side of', 'on the right side of', 'nearest to',
         'closest to', 'at the edge of', 'in the middle of', 'at the end of', 'in the corner of', 'opposite',
         'across from', 'at the back of', 'at the bottom of', 'below', 'above', 'between', 'around', 'right next to',
         'just behind', 'directly behind', 'on the far side of', 'underneath', 'adjacent to', 'alongside', 'against')
_AT = ('on', 'in', 'on top of', 'inside', 'under', 'underneath', 'beneath', 'at', 'on the edge of')
_TO_PLACE = {'on': 5, 'in': 5, 'onto': 2, 'into': 4, 'inside': 1.5, 'on top of': 2, 'next to': 2.5, 'beside': 1.5,
             'near': 1, 'by': 0.4, 'close to': 0.6, 'behind': 1.2, 'in front of': 1.2, 'under': 1, 'underneath': 0.5,
             'below': 0.4, 'above': 0.6, 'over': 0.7, 'between': 1.2, 'to the left of': 0.9, 'left of': 0.6,
             'to the right of': 0.9, 'right of': 0.4, 'at the edge of': 0.5, 'in the middle of': 0.6, 'beneath': 0.3,
             'in the corner of': 0.4, 'in the center of': 0.5, 'against': 0.4, 'across from': 0.2, 'within': 0.2,
             'on the left side of': 0.5, 'on the right side of': 0.5, 'at the end of': 0.3, 'atop': 0.2, 'upon': 0.2,
             'at the back of': 0.2, 'around': 0.2, 'right next to': 0.4, 'directly on': 0.2, 'at the bottom of': 0.2,
             'at': 0.4, 'alongside': 0.2, 'on the other side of': 0.3, 'up on': 0.2, 'back in': 0.1, 'a bit left of': 0.1,
             'right behind': 0.2, 'down on': 0.1}
_TO_MOVE = {'to': 6, 'into': 2.5, 'onto': 2, 'toward': 0.8, 'towards': 0.8, 'over to': 0.7, 'to the left of': 0.7,
            'to the right of': 0.7, 'behind': 0.8, 'next to': 1.2, 'in front of': 0.6, 'under': 0.6, 'on': 0.8, 'in': 0.8,
            'to the edge of': 0.5, 'to the middle of': 0.4, 'to the center of': 0.4, 'closer to': 0.5, 'away from': 0.7,
            'across': 0.4, 'along': 0.3, 'through': 0.3, 'past': 0.2, 'near': 0.6, 'beside': 0.7, 'up to': 0.4,
            'around': 0.2, 'between': 0.5, 'all the way to': 0.2, 'back to': 0.4, 'over': 0.4, 'above': 0.4, 'inside': 0.5,
            'on top of': 0.6, 'down to': 0.2, 'to the side of': 0.2, 'to the other side of': 0.3, 'against': 0.3,
            'out of': 0.2, 'to the top of': 0.2, 'under to': 0.0, 'nearer to': 0.1}
_FROM = {'from': 5, 'out of': 2.5, 'off': 1.2, 'off of': 0.6, 'from inside': 0.4, 'from under': 0.4, 'from behind': 0.4,
         'from on top of': 0.2, 'from the top of': 0.3, 'from underneath': 0.2, 'from between': 0.1, 'out from under': 0.1}
_BARE = ('here', 'there', 'over there', 'over here', 'to the left', 'to the right', 'to the middle', 'to the side',
         'in the middle', 'in the center', 'on the left', 'on the right', 'to the center', 'to the front', 'to the back',
         'forward', 'backward', 'forwards', 'backwards', 'to one side', 'away', 'aside', 'to the other side', 'home',
         'downward', 'upward', 'up', 'down', 'left', 'right', 'inside', 'outside', 'to your left', 'to your right',
         'in the corner', 'to the edge', 'at the end', 'at the top', 'on top', 'to its place', 'where it belongs',
         'toward me', 'towards you', 'to me', 'towards me', 'back', 'closer', 'to its original position', 'nearby',
         'next to me', 'in my hand', 'in front of me', 'back where it was', 'underneath', 'to the far left')
_THAT = ('that is', 'which is', "that's", 'that was', 'sitting', 'lying', 'standing', 'placed', 'located', 'that sits',
         'that you see', 'that i left', 'that lies', 'hanging', 'hidden', 'stored', 'kept', 'resting', 'that stands',
         'i left', 'i put', 'you see', 'which stands', 'positioned', 'you put', 'that you placed', 'found', 'stuck',
         'which lies', 'that are', 'currently', 'floating', 'leaning', 'which sits', "which's", 'stacked', 'right there')
_CLAUSES = ('you are holding', "you're holding", 'i dropped', 'i just used', 'that is broken', 'that is empty',
            'that is open', 'that you just moved', 'that fell down', 'i pointed at', 'full of water', 'filled with water',
            'made of wood', 'made of glass', 'made from plastic', 'in your hand', 'in your gripper', 'that fell over',
            'with the lid open', 'that looks like a toy', 'that is closest to you', 'closest to you', 'nearest to me',
            'farthest from you', 'you see first', 'marked with an X', 'labeled A', 'labelled B', 'with number 3 on it',
            'that has no lid', 'on the left', 'on the right', 'in the middle', 'at the back', 'in front', 'over there',
            'here', 'there', 'at the top', 'at the bottom', 'on your left', 'on the far right', 'in the corner', 'on top',
            'that i need', 'to your right', 'on the very left', 'which is the largest', 'that is the smallest',
            'you picked up', 'we bought yesterday', 'that you put down', 'of mine', 'with a blue label', 'still in the box',
            'that is about to fall', 'that has fallen', 'farthest away', 'inside', 'outside', 'without a lid', 'in front of you',
            'in front of me', 'behind you', 'next to you', 'that belongs to me', 'at the front', 'second from the left',
            'third from the right', 'with stripes', 'that is not broken', 'that rolls away', 'with a crack', 'on its own')


def noun_phrase(choose: Chooser, *, depth: int = 0, post: str = 'any', plain: float = 0.42,
                key: str = 'nouns') -> Group:
    """
    Return a noun phrase: article outside the span, the words that pick the thing out inside.

    :param post: what may follow the noun: 'any', 'clear' (nothing that could be a destination) or 'none'.
    """
    lead, words = _determiner(choose)
    if not choose.chance(plain):
        words += _adjectives(choose)
    core, head = _noun(choose, key)
    words += core
    describing = [word for word in words if word is not head]
    if post != 'none' and choose.chance(0.24 if depth == 0 else 0.10):
        after = _postmodifier(choose, depth, post)
        describing += after
        words += after
    link([word for word in describing if 'modifier' not in word.links and word.text not in ('the', 'a', 'an')],
         'modifier', [head])
    return Group(words, head, lead)


def _determiner(choose: Chooser) -> tuple[list[Word], list[Word]]:
    kind = choose.pick(the=70, a=9, none=8, that=4, my=4, all=3, some=1, another=1)
    if kind == 'the':
        return say('the'), []
    if kind == 'a':
        return say(choose.rng.choice(('a', 'an'))), []
    if kind == 'that':
        return [], say(choose.rng.choice(('this', 'that', 'these', 'those')))
    if kind == 'my':
        return [], say(choose.rng.choice(('my', 'your', 'our', 'his', 'her', "mom's", "Anna's", 'their', "my friend's")))
    if kind == 'all':
        return [], say(choose.rng.choice(('all the', 'both', 'all', 'every', 'two', 'three', 'each', 'all of the', 'one of the',
                                          'both of the', 'five', 'a few', 'a couple of', '2', 'all three', 'the two')))
    if kind == 'some':
        return [], say(choose.rng.choice(('some', 'some of the', 'any', 'several')))
    return ([], say('another')) if kind == 'another' else ([], [])


def _adjectives(choose: Chooser) -> list[Word]:
    words: list[Word] = []
    order = (('superlatives', 0.10), ('ordinals', 0.10), ('comparatives', 0.02), ('sizes', 0.22), ('states', 0.14),
             ('colours', 0.50), ('materials', 0.14))
    for key, probability in order:
        if choose.chance(probability):
            if words and choose.chance(0.06):
                words.append(Word(',', glue=True))
            elif len(words) == 1 and choose.chance(0.03):
                words += say('and')
            words += say(choose.word(key))
    if choose.chance(0.02):
        words += say(english_noun(choose.rng))
    return words


def _noun(choose: Chooser, key: str) -> tuple[list[Word], Word]:
    draw = choose.rng.random()
    if draw < 0.18:
        words = say(english_noun(choose.rng))
        if choose.chance(0.15):
            words = say(choose.word('purposes')) + words
    elif draw < 0.26:
        words = say(choose.word('purposes')) + say(choose.noun(key))
    elif draw < 0.30 and key == 'nouns':
        words = say(choose.word('wholes'))
        link(words[1:], 'modifier', [words[0]])
        return words, words[0]
    elif draw < 0.32 and key == 'nouns':
        part = say(choose.noun('parts'))
        of = say('of the') + say(choose.noun())
        link(of[1:], 'modifier', [part[-1]])
        return part + of, part[-1]
    elif draw < 0.345 and key == 'nouns':
        words = say(choose.rng.choice(('one', 'one', 'ones', 'thing', 'object', 'item', 'stuff', 'things', 'objects')))
    elif draw < 0.37 and key == 'nouns':
        words = say(choose.noun()) + say(choose.noun('parts'))
    elif draw < 0.39:
        words = say(choose.noun(key)) + say(choose.rng.choice(('A', 'B', 'number 2', 'no. 1', '3', 'number one', 'C', '#4')))
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
    kind = choose.pick(clause=3, near=4, that=3, at=3 if post == 'any' else 0, having=1)
    if kind == 'clause':
        return say(choose.rng.choice(_CLAUSES))
    if kind == 'having':
        how = choose.rng.choice(('with', 'with', 'with', 'without', 'containing', 'holding', 'full of', 'for', 'filled with'))
        key = 'parts' if how.startswith('with') else 'liquid' if 'f' in how and how != 'for' else 'nouns'
        return say(how) + noun_phrase(choose, depth=depth + 1, post='none', key=key).all()
    words = say(choose.rng.choice(_THAT)) if kind == 'that' else []
    relation = choose.rng.choice(_AT + _NEAR if kind == 'that' else _AT if kind == 'at' else
                                 _NEAR if post == 'any' else [near for near in _NEAR if not near.startswith(('on', 'in', 'at'))])
    return words + say(relation) + _place(choose, relation, depth)


def _place(choose: Chooser, relation: str, depth: int, post: str = 'any') -> list[Word]:
    key = choose.pick(nouns=5, surfaces=3, containers=3)
    if relation.endswith(('in', 'into', 'inside')):
        key = choose.pick(nouns=1, containers=5)
    if relation.startswith('on') or relation == 'atop':
        key = choose.pick(nouns=3, surfaces=5, containers=1)
    place = noun_phrase(choose, depth=depth + 1, post=post, plain=0.5, key=key).all()
    if relation.startswith('between') or relation.endswith('between'):
        place += say('and') + noun_phrase(choose, depth=depth + 1, post='none', plain=0.5).all()
    return place


def destination(choose: Chooser, verb_class: str) -> Group:
    """Return a destination with its relation word."""
    if choose.chance(0.10 if verb_class != 'go' else 0.06):
        words = say(choose.rng.choice(_BARE))
        mark(words, 'destination')
        link(words[:-1], 'modifier', [words[-1]])
        return Group(words, words[-1])
    moving = verb_class in ('move', 'go', 'give') or (verb_class == 'pour' and choose.chance(0.3))
    table = _TO_MOVE if moving else _TO_PLACE
    if verb_class == 'attach':
        table = {'to': 5, 'into': 3, 'onto': 2, 'on': 2, 'in': 1, 'with': 1, 'around': 0.5, 'to the side of': 0.3,
                 'to the back of': 0.3, 'on the side of': 0.2}
    relation = choose.rng.choices(list(table), list(table.values()))[0]
    if relation in ('to', 'over to', 'toward', 'towards', 'back to', 'closer to', 'up to') and choose.chance(0.4):
        if choose.chance(0.35):
            words = say(relation) + say(choose.word('people'))
        else:
            words = say(relation) + say(choose.rng.choice(('the', 'the', 'the', 'my', 'your', 'its'))) + say(choose.word('places'))
            if choose.chance(0.3):
                words += say('of the') + say(choose.noun('surfaces'))
    else:
        words = say(relation) + _place(choose, relation, 0, 'any' if choose.chance(0.7) else 'none')
    return _preposition_group(words, len(say(relation)), 'destination')


def source(choose: Chooser) -> Group:
    """Return where something is taken from."""
    relation = choose.rng.choices(list(_FROM), list(_FROM.values()))[0]
    key = choose.pick(nouns=2, surfaces=4, containers=5)
    words = say(relation) + noun_phrase(choose, depth=1, plain=0.5, key=key).all()
    return _preposition_group(words, len(say(relation)), 'source')


def _preposition_group(words: list[Word], count: int, role: str) -> Group:
    """Make one span of preposition and noun phrase; the noun that the others describe is the head."""
    described = [key for word in words[count:] for key in word.links.get('modifier', ())]
    inner = [word for word in words[count:] if word.text not in ('the', 'a', 'an')]
    head = next((word for word in described if 'modifier' not in word.links), None)
    head = head or next((word for word in reversed(inner) if 'modifier' not in word.links), words[-1])
    mark(words, role)
    link([word for word in words[:count] if word.text not in ('the', 'a', 'an')], 'modifier', [head])
    link([word for word in inner if 'modifier' not in word.links], 'modifier', [head])
    return Group(words, head)


def manner(choose: Chooser, place: str) -> tuple[list[Word], list[Group]]:
    """
    Return a manner and the spans in it (several: "slowly and carefully").

    :param place: 'before' the verb, 'front' of the clause, or 'after'.
    """
    kind = choose.pick(adverb=60, degree=7, phrase=12, without=10, touching=2.5, so=4, careful=3, loop=3,
                       tool=5) if place != 'before' else 'adverb'
    if kind == 'adverb':
        words = say(choose.word('preverb_adverbs' if place != 'after' or choose.chance(0.35) else 'adverbs'))
        first = Group(words, words[-1])
        if choose.chance(0.08):
            other = say(choose.word('preverb_adverbs'))
            mark(words, 'manner')
            mark(other, 'manner')
            between = say(choose.rng.choice(('and', 'and', 'but', 'yet', ',', ', and')))
            if between[0].text == ',':
                between[0].glue = True
            return words + between + other, [first, Group(other, other[-1])]
    else:
        words = _manner_phrase(choose, kind)
        first = Group(words, words[-1])
    mark(words, 'manner')
    return words, [first]


def _manner_phrase(choose: Chooser, kind: str) -> list[Word]:
    rng = choose.rng
    if kind == 'degree':
        adverb = choose.word('preverb_adverbs').split()[-1]
        return say(rng.choice((f'{choose.word("intensifiers")} {adverb}', f'as {adverb} as possible', f'as {adverb} as you can',
                               f'{adverb} enough', f'more {adverb}', f'in a {adverb.removesuffix("ly")} way')))
    if kind == 'phrase':
        return say(choose.template(choose.lists['manner_phrases']))
    if kind == 'without':
        return say('without ' + choose.template(choose.lists['without']))
    if kind == 'so':
        return say(rng.choice(('so that ', 'so ', 'such that ')) + choose.template(choose.lists['so_that']))
    if kind == 'careful':
        return say(rng.choice(('making sure not to ', 'being careful not to ', 'taking care not to ', 'be careful not to ',
                               'while trying not to ', 'trying not to ', 'and be careful not to ', 'so as not to ')
                              ).removeprefix('and ') + choose.word('not_to'))
    if kind == 'loop':
        return say('while ' + choose.word('while'))
    if kind == 'tool':
        return say(rng.choice(('with ', 'with ', 'using ')) + rng.choice(('the ', 'a ', 'your ', ''))
                   + choose.word('instruments'))
    what = noun_phrase(choose, depth=1, post='none')
    mark(what.words, 'manner', avoid=True)
    if choose.chance(0.15):
        return say('being careful not to ' + choose.word('avoid_plain')) + what.all()
    return say('without ' + choose.word('touching')) + what.all()
