"""What is said beside an English command: remarks, reasons, purposes, when. Nothing of it is looked at."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.english_verbs import inflect
from training.language.sample import Word, say


def remark(choose: Chooser) -> list[Word]:
    """Return something said beside the command: "it is fragile", "i can't reach the shelf"."""
    kind = choose.pick(listed=4, careful=0.8, state=2, short=1.2, acting=3)
    if kind == 'listed':
        return say(choose.word('other_clauses'))
    if kind == 'careful':
        return say(f'{choose.word("careful_with")} the {choose.noun()}')
    if kind == 'state':
        verb = choose.rng.choice(('is', 'is', 'was', 'looks', 'seems', 'might be', 'is too', 'is not'))
        which = choose.rng.choice(('the', 'the', 'that', 'my'))
        return say(f'{which} {choose.noun()} {verb} {choose.word("states")}')
    if kind == 'short':
        return say(f'{choose.word("said_short")} {choose.word("states")} {choose.word("said_more")}')
    return say(f'{_who(choose)} {_does(choose)}')


def purpose(choose: Chooser) -> list[Word]:
    """Return what for: "so the dog stays in", "so that we can lift the lid"."""
    so = choose.rng.choice(('so', 'so', 'so that', 'because', 'since', 'while'))
    return say(f'{so} {_who(choose)} {_does(choose)}')


def condition(choose: Chooser) -> list[Word]:
    """Return when to do it: "when the water boils"."""
    when = choose.word('when')
    if choose.chance(0.4):
        return say(f'{when} {choose.word("signals")}')
    if choose.chance(0.15):
        return say(f'{when} {_who(choose)} {_does(choose)}')
    who = choose.rng.choice(('it', 'it', 'everything', 'the ' + choose.noun(), 'the ' + choose.noun()))
    return say(f'{when} {who} {choose.word("happens")}')


def _who(choose: Chooser) -> str:
    return f'the {choose.noun()}' if choose.chance(0.12) else choose.word('who')


def _does(choose: Chooser) -> str:
    """Return what somebody does; a subject before a verb, and so no command."""
    verb = choose.verb(choose.pick(act=5, place=2, move=1, take=2))
    thing = 'the ' + choose.noun()
    what = choose.rng.choice(('it', 'it', 'that', 'anything', '', '', thing, thing))
    where = f'{choose.word(choose.pick(near=1, at=1))} the {choose.noun()}' if choose.chance(0.15) else ''
    kind = choose.pick(modal=6, listed=3, done=2, doing=2)
    if kind == 'modal':
        return f'{choose.word("modals")} {verb} {what} {where}'
    if kind == 'listed':
        return choose.word('predicates')
    if kind == 'done':
        been = choose.rng.choice(('just', 'already', 'never', 'have just', 'have not', "haven't"))
        return f'{been} {inflect(choose, verb, "past")} {what}'
    been = choose.rng.choice(('keep', 'am', 'are', 'was', 'is', "isn't"))
    return f'{been} {inflect(choose, verb, "ing")} {what} {where}'
