"""Korean manners: adverbs, tools, how far, what is to come of it, and what must not happen meanwhile."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.invent import korean_mimetic
from training.language.korean_phrases import adjectives, noun_phrase, particle
from training.language.korean_verbs import Verb
from training.language.sample import Word, mark, say

_MEETING = ('닿을', '닿을', '붙을', '걸릴', '부딪칠', '맞닿을', '도착할')  # "상자에 닿을 때까지"


def manner(choose: Chooser, kind_of_verb: str = '', stem: str = '') -> list[Word]:
    """Return a manner, one span, that fits a verb of this class and stem."""
    if stem in choose.lists['turning'] and choose.chance(0.4):
        words = say(choose.word('ways'))
        mark(words, 'manner')
        return words
    rng = choose.rng
    kind = choose.pick(
        adverb=62,
        degree=7,
        negated=15,
        object=2.5,
        loop=3,
        holding=2.5,
        tool=45 if stem in choose.lists['using'] else 6,
        double=3,
        hands=1.5,
        facing=5,
        until=2.5,
        mimetic=9,
        so_that=7,
        sound=1.2,
        way=4,
        measure=25 if stem in choose.lists['measured'] else 3,
        filled=30 if stem in choose.lists['filling'] else 0,
    )
    if kind == 'adverb':
        words = say(choose.template(choose.lists['adverbs']))
    elif kind == 'degree':
        words = say(f'{choose.word("intensifiers")} {choose.word("degree")}')
    elif kind == 'double':
        words = say(choose.word('degree'))
    elif kind == 'negated':
        stem = choose.template(choose.lists['negated'])
        words = []
        if choose.chance(0.2):  # what must not happen to something: "커피가 바닥에 쏟아지지 않게"
            words, stem = say(choose.noun()), choose.word('spoiled')
            words.append(particle('이', words[-1].text))
            if choose.chance(0.25):
                words += [*say(choose.noun('surfaces')), Word('에', glue=True)]
        words += say(
            stem
            + choose.word('negations')
            + (' ' + choose.word('careful') if choose.chance(0.3) else '')
        )
        if choose.chance(0.15):
            words = say(choose.word('never_manner')) + words
    elif kind == 'object':
        other = noun_phrase(choose, depth=2)
        mark(other.words, '', avoid=True)
        words = [
            *other.all(),
            particle('을', other.words[-1].text),
            *say(choose.word('negated_object') + rng.choice(('지 않고', '지 않게', '지 않도록'))),
        ]
    elif kind == 'loop':
        words = say(choose.word('while'))
    elif kind == 'holding':
        words = say(choose.word('held_parts') if choose.chance(0.75) else choose.noun('parts'))
        case = rng.choices(('을', '만', ''), (5, 3, 3))[0]
        words += [*([particle(case, words[-1].text)] if case else []), *say(choose.word('held_so'))]
    elif kind == 'hands':
        words = say(choose.word('hands'))
    elif kind == 'measure':
        words = say(choose.word('measures') if choose.chance(0.5) else
                    choose.word('amounts') + choose.word('units') + choose.word('about'))
    elif kind == 'mimetic':
        words = say(korean_mimetic(rng) if choose.chance(0.3) else choose.word('mimetics'))
    elif kind == 'so_that':
        words = _so_that(choose)
    elif kind == 'sound':
        sound = choose.word('sounds') if choose.chance(0.7) else korean_mimetic(rng)
        words = say(f'{sound} {choose.word("sounding")}')
    elif kind == 'way':
        words = say(f'{choose.word("ways_of")} {choose.word("way_words")}')
    elif kind == 'facing':
        words = say(choose.word('sides_of') if choose.chance(0.75) else choose.noun())
        words += [particle('이', words[-1].text), *say(choose.word('facing'))]
    elif kind == 'until':
        words = say(choose.noun()) if choose.chance(0.7) else []
        words += [particle('이', words[-1].text)] if words else []
        if choose.chance(0.25):
            words += [*say(choose.noun()), Word('에', glue=True), *say(choose.rng.choice(_MEETING))]
        else:
            words += say(choose.word('whenever'))
        words += say('때까지')
    elif kind == 'filled':
        words = say(choose.word('temperatures')) if choose.chance(0.3) else []
        words += say(choose.noun('liquid'))
        words.append(particle('으로', words[-1].text))
    else:
        words = _tool(choose, stem)
    mark(words, 'manner')
    return words


def _so_that(choose: Chooser) -> list[Word]:
    """Return what is to come of it: "햇빛 잘 받게", "껍데기가 안 들어가도록", "바퀴가 살짝 뜰 만큼"."""
    words: list[Word] = []
    if choose.chance(0.75):
        words = say(choose.word('sides_of') if choose.chance(0.3) else
                    choose.noun(choose.pick(nouns=4, liquid=1, food=1, parts=2)))
        case = choose.rng.choices(('이', '', '을', '에'), (6, 3, 1, 1))[0]
        words += [particle(case, words[-1].text)] if case else []
    words += say(choose.word('result_adverbs')) if choose.chance(0.5) or not words else []
    stem = choose.word('comes_to')
    verb = Verb(stem, '')
    return words + say(choose.word('so_endings').format(stem=stem, l=verb.prospective(), n=verb.adnominal()))


def _tool(choose: Chooser, stem: str) -> list[Word]:
    """Return what it is done with, and 로; after verbs that move things only what all take for a tool."""
    words = adjectives(choose) if choose.chance(0.25) else []
    moving = any(stem == verb[0] for name in ('move', 'go', 'place') for verb in choose.lists['verbs'][name])
    if not moving and choose.chance(0.3):  # anything will do
        words += say(choose.noun(choose.pick(workshop=3, kitchen=2, household=1, lab=1)))
    else:
        words += say(choose.word('tools'))
    ending = [particle('으로', words[-1].text)]
    if choose.chance(0.05):
        ending = say(choose.rng.choice(('사용해서', '이용해서', '가지고')))
        ending = [particle('을', words[-1].text), *ending]
    return words + ending
