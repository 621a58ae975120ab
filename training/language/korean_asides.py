"""What is said beside a Korean command: remarks, reasons, when. Nothing of it is looked at."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.korean_phrases import particle
from training.language.korean_verbs import pick_verb
from training.language.sample import Word, say


def remark(choose: Chooser) -> list[Word]:
    """Return something said beside the command: "깨지기 쉬우니까", "접시가 뜨거워", "내가 잠글게"."""
    kind = choose.pick(listed=5, state=2, acting=3)
    if kind == 'listed':
        return say(choose.word('asides'))
    if kind == 'acting':
        return _acting(choose)
    words = say(choose.noun())
    return [*words, particle(choose.rng.choice('이은'), words[-1].text), *say(choose.word('remarks'))]


def _acting(choose: Chooser) -> list[Word]:
    """Return what somebody does, will do or did; a subject before a verb, and so no command."""
    words = say(choose.word('who'))
    if choose.chance(0.6):
        thing = say(choose.noun())
        case = choose.rng.choice(('을', '을', '', '에', '은'))
        words += [*thing, *([particle(case, thing[-1].text)] if case else [])]
    verb = pick_verb(choose, choose.pick(act=5, place=2, take=2, move=1))
    return words + say(choose.word('declaring').format(
        l=verb.prospective(), past=verb.past(), stem=verb.stem, n=verb.adnominal(), aim=verb.eu_form('려고')))


def condition(choose: Chooser) -> list[Word]:
    """Return when to do it: "물이 끓으면"."""
    if choose.chance(0.45):
        return say(choose.word('signals'))
    words = say(choose.noun(choose.pick(nouns=2, liquid=1)))
    case = [particle('이', words[-1].text)] if choose.chance(0.8) else []
    return [*words, *case, *say(choose.word('happens'))]
