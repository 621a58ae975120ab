"""English clauses as people say them most: things, tools and places that go together.

The other clauses draw verbs and nouns apart, which teaches structure; but whether a place behind a thing, or
what stands behind "with", says how or which depends on what is said of what, and that is learned from these.
"""

from __future__ import annotations

from typing import Any

from training.language.chooser import Chooser, held_out, load_words
from training.language.english_phrases import preposition_group
from training.language.english_verbs import inflect
from training.language.sample import Word, link, mark, say

Made = tuple[list[Word], Word, bool]
_TAKING = (
    'pick up', 'grab', 'take', 'get', 'bring', 'find', 'hold', 'move', 'bring me', 'hand me', 'pass me'
)
_ARTICLES = ('the', 'a', 'an')


def everyday(choose: Chooser, form: str, may_refer: bool) -> Made:
    """Return a clause, its verb, and whether it names a target (else a pronoun stands for one).

    :param form: of the verb: 'base', 'ing' or 'past'.
    :param may_refer: a pronoun may stand for the target.
    """
    kind = choose.pick(work=5, control=4, moved=4, featured=2, whichever=0.5, back=1, swap=0.5)
    if kind == 'work':
        return _work(choose, form, may_refer)
    if kind == 'back':
        return _put_back(choose, form, may_refer)
    if kind == 'moved':
        return _moved(choose, form, may_refer)
    named = {'control': _control, 'featured': _featured, 'whichever': _whichever, 'swap': _swap}
    return named[kind](choose, form)


def _work(choose: Chooser, form: str, may_refer: bool) -> Made:
    group = choose.rng.choice(_lists()['works'])
    words, verb = _action(choose, form, group['verbs'])
    named = not (may_refer and choose.chance(0.3))
    words += _target(choose, verb, _drawn(choose, group['things'])) if named else _pronoun(choose, verb)
    if choose.chance(0.85):
        how = say(choose.rng.choice(('with', 'with', 'with', 'with', 'with', 'using')))
        tool = say(choose.rng.choice(('the', 'the', 'a', 'a', 'your', '')))
        tool += _described(choose) + say(_drawn(choose, group['tools']))
        words += _manner(verb, how + tool + (_place(choose) if choose.chance(0.15) else []))
    return words, verb, named


def _control(choose: Chooser, form: str) -> Made:
    words, verb = _action(choose, form, _lists()['control_verbs'])
    place = _place(choose) if choose.chance(0.75) else []
    words += _target(choose, verb, _drawn(choose, _lists()['control_things']), place)
    if choose.chance(0.3):
        words += _manner(verb, say(choose.rng.choice(_lists()['control_manners'])))
    return words, verb, True


def _moved(choose: Chooser, form: str, may_refer: bool) -> Made:
    words, verb = _action(choose, form, _lists()['moving_verbs'])
    named = not (may_refer and choose.chance(0.4))
    words += _target(choose, verb, _drawn(choose, _lists()['movable'])) if named else _pronoun(choose, verb)
    relation = choose.rng.choice(_lists()['moved_to'])
    place = _described(choose) + say(_drawn(choose, _lists()['settings']))
    if relation == 'between':
        place += say(f'and the {_drawn(choose, _lists()["settings"])}')
    place = say(choose.rng.choice(('the', 'the', 'the', 'the', 'my', 'that'))) + place
    return words + _destination(verb, relation, place), verb, named


def _featured(choose: Chooser, form: str) -> Made:
    group = choose.rng.choice(_lists()['works'])
    words, verb = _action(choose, form, (*_TAKING, *group['verbs'][:3]))
    colour = choose.word('colours') if choose.chance(0.5) else ''
    part = say(f'with {choose.rng.choice(("the", "the", "the", "a"))} {colour} {choose.word("features")}')
    return words + _target(choose, verb, _drawn(choose, group['things']), part), verb, True


def _whichever(choose: Chooser, form: str) -> Made:
    words, verb = _action(choose, form, _TAKING)
    name = say(_drawn(choose, choose.rng.choice(_lists()['works'])['things']))
    span = [*say('whichever'), *name, *say(f'is {choose.rng.choice(_lists()["whichever"])}')]
    return words + _span(verb, span, name[-1]), verb, True


def _put_back(choose: Chooser, form: str, may_refer: bool) -> Made:
    words, verb = _action(choose, form, ('put', 'put', 'place', 'set', 'bring', 'hang', 'slide'))
    named = not (may_refer and choose.chance(0.4))
    things = choose.rng.choice(_lists()['works'])[choose.rng.choice(('things', 'tools'))]
    words += _target(choose, verb, _drawn(choose, things)) if named else _pronoun(choose, verb)
    relation = choose.rng.choice(('back in', 'back in', 'back on', 'back on', 'back into', 'back onto'))
    place = say(f'{choose.rng.choice(("its", "its", "the", "the", "my"))} '
                f'{choose.rng.choice(_lists()["back_to"])}')
    return words + _destination(verb, relation, place), verb, named


def _swap(choose: Chooser, form: str) -> Made:
    words, verb = _action(choose, form, ('swap', 'swap', 'switch', 'exchange'))
    things = choose.rng.choice(_lists()['works'])['things']
    one, other = (_target(choose, verb, _drawn(choose, things)) for _ in range(2))
    of = choose.rng.choice(('', '', 'the positions of', 'the places of'))
    return [*words, *say(of), *one, *say('and'), *other], verb, True


def _lists() -> dict[str, Any]:
    return load_words('en_everyday')


def _drawn(choose: Chooser, nouns: list[str]) -> str:
    """Draw a noun of those that are not kept for the test."""
    return choose.rng.choice([noun for noun in nouns if not held_out(noun)])


def _action(choose: Chooser, form: str, verbs: list[str] | tuple[str, ...]) -> tuple[list[Word], Word]:
    """Return a verb with its particle, and for whom ("hand *me*"); and the verb alone."""
    action = say(inflect(choose, choose.rng.choice(verbs), form))
    recipient = [action.pop()] if action[-1].text == 'me' else []
    mark(action, 'action')
    link(action[1:], 'argument', action[:1])
    return action + recipient, action[0]


def _described(choose: Chooser) -> list[Word]:
    words: list[Word] = []
    for key, probability in (('sizes', 0.1), ('colours', 0.2), ('materials', 0.06)):
        words += say(choose.word(key)) if choose.chance(probability) else []
    return words


def _target(choose: Chooser, verb: Word, name: str, behind: list[Word] | None = None) -> list[Word]:
    """Return a target with its article; what stands ``behind`` it tells which one, and is of its span."""
    article = say(choose.rng.choice(('the', 'the', 'the', 'the', 'my', 'that', 'a', '')))
    lead, words = (article, []) if not article or article[0].text in _ARTICLES else ([], article)
    words = words + _described(choose) + say(name)
    return lead + _span(verb, words + (behind or []), words[-1])


def _span(verb: Word, words: list[Word], head: Word) -> list[Word]:
    mark(words, 'target')
    link([word for word in words if word is not head and word.text not in _ARTICLES], 'modifier', [head])
    link([head], 'argument', [verb])
    return words


def _pronoun(choose: Chooser, verb: Word) -> list[Word]:
    pronoun = say(choose.word('pronouns'))
    link(pronoun, 'argument', [verb])
    return pronoun


def _manner(verb: Word, words: list[Word]) -> list[Word]:
    mark(words, 'manner')
    link([word for word in words if word.text not in _ARTICLES], 'cause', [verb])
    return words


def _destination(verb: Word, relation: str, place: list[Word]) -> list[Word]:
    group = preposition_group(say(relation) + place, len(say(relation)), 'destination')
    link([group.head], 'argument', [verb])
    return group.all()


def _place(choose: Chooser) -> list[Word]:
    return say(f'{choose.rng.choice(_lists()["control_places"])} '
               f'{choose.rng.choice(("the", "the", "the", "the", "my", "that"))} '
               f'{" ".join(word.text for word in _described(choose))} {_drawn(choose, _lists()["hosts"])}')
