"""English targets: the things that a clause is about, or the pronoun for them."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.english_phrases import noun_phrase
from training.language.sample import Group, Word, link, mark, say

_CONTROLLING = ('push', 'press', 'turn', 'rotat', 'pull', 'open', 'clos', 'hit', 'flip', 'tap', 'touch',
                'toggl', 'click', 'twist')


def targets(
    choose: Chooser, kind: str, verb: Word, may_refer: bool, post: str
) -> tuple[list[Word], bool]:
    """Return what a verb takes; ``post``: what may stand behind its noun."""
    if may_refer and choose.chance(0.55):
        pronoun = say(choose.word('pronouns'))
        link(pronoun, 'argument', [verb])
        return pronoun, False
    key = 'nouns'
    if kind in ('give', 'take', 'avoid') and post != 'clear' and choose.chance(0.03):
        return _holding(choose, verb), True
    if kind == 'act' and verb.text.startswith(_CONTROLLING):
        key = choose.pick(nouns=4, controls=6)
        if key == 'controls':  # "turn the knob to the right" tells how
            post = 'still' if verb.text.startswith(('turn', 'rotat')) else 'any'
    if kind == 'split':
        post = choose.pick(clear=5, none=5)
    liquid = {'pour': 0.7, 'take_from': 0.04}.get(kind, 0.0)
    groups = [
        _liquid(choose) if choose.chance(liquid) else noun_phrase(
            choose, post=post, key=key,
            described={'controls': 0.5}.get(key, 0.3) if kind == 'act' else None)
    ]
    while choose.chance(0.07) and len(groups) < 4:
        groups.append(noun_phrase(choose, post='none', plain=0.5))
    words: list[Word] = []
    for index, group in enumerate(groups):
        mark(group.words, 'target')
        link([group.head], 'argument', [verb])
        if index and index < len(groups) - 1:
            words.append(Word(',', glue=True))
        elif index:
            if len(groups) > 2 and choose.chance(0.5):
                words.append(Word(',', glue=True))
            words += say(
                choose.rng.choice(
                    ('and', 'and', 'and', 'as well as', 'or', '&', 'and then', 'along with')
                    if len(groups) == 2
                    else ('and',)
                )
            )
        words += group.all()
    if len(groups) == 1 and kind != 'avoid' and choose.chance(0.035):
        return _contrast(choose, words), True
    return words, True


def _holding(choose: Chooser, verb: Word) -> list[Word]:
    """Return what holds other things: "the box with the apples"; no one takes a box with apples as a tool."""
    group = noun_phrase(choose, depth=1, post='none', key='containers')
    held = noun_phrase(choose, depth=2, post='none', key=choose.pick(food=3, toys=2, desk=2))
    part = say('with') + held.all()
    link([word for word in part if word.text not in ('the', 'a', 'an')], 'modifier', [group.head])
    mark([*group.words, *part], 'target')
    link([group.head], 'argument', [verb])
    return [*group.lead, *group.words, *part]


def _liquid(choose: Chooser) -> Group:
    words = say(choose.noun('liquid'))
    link(words[:-1], 'modifier', [words[-1]])
    if choose.chance(0.35):
        amount = say('some' if choose.chance(0.4) else choose.word('amounts'))
        count = amount[0].text in ('a', 'an') and amount[1].text in choose.lists['measuring']
        link(amount[count:] + words[:-1], 'modifier', [words[-1]])
        return Group(amount[count:] + words, words[-1], amount[:count])
    if choose.chance(0.06):
        words = say(choose.word('amounts_alone'))
        link(words[:-1], 'modifier', [words[-1]])
        return Group(words, words[-1])
    return Group(words, words[-1], say(choose.rng.choice(('the', 'the', 'the', ''))))


def _contrast(choose: Chooser, words: list[Word]) -> list[Word]:
    """Add what is not meant: "the red cup, not the blue one"."""
    if choose.chance(0.25):
        return _corrected(choose, words)
    other = noun_phrase(choose, depth=1, post='none')
    mark(other.words, '', avoid=True)
    how = choose.word('not_meant')
    if how.startswith(','):
        return [
            *words,
            Word(',', glue=True),
            *say(how[1:]),
            *other.all(),
            *([Word(',', glue=True)] if choose.chance(0.2) else []),
        ]
    if choose.chance(0.2):
        return [
            *say('not'),
            *other.all(),
            *([Word(',', glue=True)] if choose.chance(0.5) else []),
            *say('but'),
            *words,
        ]
    return words + say(how) + other.all()


def _corrected(choose: Chooser, words: list[Word]) -> list[Word]:
    """Add the thing that was meant: "that cup, no, the blue one"; both are named, and both are looked for."""
    other = noun_phrase(choose, depth=1, post='none')
    [verb] = [key for word in words if word.role == 'target' for key in word.links.get('argument', [])][:1]
    mark(other.words, 'target')
    link([other.head], 'argument', [verb])
    how = choose.word('corrections')
    return [*words, *[Word(part, glue=not part.isalpha()) for part in how.split()], *other.all()]
