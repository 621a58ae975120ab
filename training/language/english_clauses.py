"""English clauses: a verb with what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

from training.language.chooser import Chooser
from training.language.english_everyday import everyday
from training.language.english_manner import manner
from training.language.english_phrases import destination, noun_phrase, source
from training.language.english_targets import targets
from training.language.english_verbs import inflect
from training.language.invent import english_noun
from training.language.sample import Word, link, mark, say

_ORDERS = {  # of action (A), target (T), source (S), destination (D): what a class of verbs may look like
    'take': {'A T': 1.0},
    'keep': {'A T M': 1.0},
    'result': {'A T R': 1.0},
    'take_from': {'A T S': 1.0, 'S , A T': 0.05},
    'place': {'A T D': 1.0, 'A T S D': 0.05, 'A T D S': 0.03, 'D , A T': 0.03, 'A D T': 0.03},
    'move': {'A T D': 1.0, 'A T S D': 0.18, 'A T D S': 0.1, 'D , A T': 0.01},
    'attach': {'A T D': 1.0},
    'aim': {'A T D': 1.0},
    'press': {'A T D': 1.0},
    'pour': {'A T D': 1.0, 'A T S D': 0.12},
    'act': {'A T': 1.0},
    'work': {'A T': 1.0},
    'give': {'A me T': 1.0, 'A me T S': 0.15, 'A T D': 0.2},
    'go': {'A D': 1.0},
    'split': {'A T P': 1.0, 'A T P S': 0.12},
    'split_place': {'A T P D': 1.0},
    'avoid': {'A T': 1.0},
}
_CLASSES = {
    'take': 17,
    'keep': 2,
    'result': 1,
    'take_from': 8,
    'place': 26,
    'move': 15,
    'attach': 3,
    'aim': 0.6,
    'press': 0.3,
    'pour': 5,
    'act': 20,
    'work': 6,
    'give': 6,
    'go': 1.5,
    'split': 7,
    'split_place': 3,
}


EVERYDAY = 0.1  # how many clauses of the training are of things that go together
_LEAVING = ('up', 'out', 'down', 'off')  # particles that go with a source


@dataclass
class Clause:
    """A clause, its main verb, and whether it names a target (else a pronoun stands for one)."""

    words: list[Word]
    verb: Word
    named: bool


def clause(
    choose: Chooser, *, form: str = 'base', may_refer: bool = False, front: bool = True, opens: bool = False
) -> Clause:
    """Return a clause that commands.

    :param form: of the verb: 'base', 'ing' or 'past'.
    :param may_refer: a pronoun may stand for the target.
    :param front: manner may stand before the verb.
    :param opens: nothing that could take what stands before the verb stands before the clause: so source,
        destination or manner may open it.
    """
    if not choose.test and choose.chance(EVERYDAY):
        return Clause(*everyday(choose, form, may_refer))
    kind = choose.rng.choices(list(_CLASSES), list(_CLASSES.values()))[0]
    orders = {order: how for order, how in _ORDERS[kind].items() if opens or ',' not in order}
    order = choose.template(orders).split()
    particle = ''
    if kind.startswith('split'):
        pairs = choose.lists[kind]
        if 'S' in order:  # nobody puts a thing back out of the drawer, or plugs it in from there
            pairs = [pair for pair in pairs if pair[1] in _LEAVING]
        verb, particle = choose.rng.choice(pairs)
    elif kind == 'result':
        verb = choose.word('result')
    elif kind == 'work':    # with a tool, which is too rare among all verbs that act
        verb = choose.word('using')
    elif order[0] == 'A' and kind != 'go' and choose.chance(0.05):
        verb = english_noun(choose.rng)
    else:
        verb = choose.verb('move' if kind == 'place' and choose.chance(0.06) else kind)
    action = say(inflect(choose, verb, form))
    mark(action, 'action')
    link(action[1:], 'argument', action[:1])
    words, named = _arrange(choose, kind, order, action, particle, may_refer, verb)
    if kind in ('take', 'act', 'move', 'place') and choose.chance(0.03):
        words = _shared(choose, words, action, kind, form, verb)
    base = f'{verb} {particle}'.strip()
    words = with_manner(choose, words, action, front, opens, '' if kind == 'go' else base)
    return Clause(words, action[0], named)


def _steady(choose: Chooser, kind: str, verb: str) -> bool:
    """Tell whether a bare place behind the target describes it: "take the cup on the table", not "put ...".

    "pull" and the like may do both; a destination has to be motional after them ("to", "into").
    """
    if kind in ('split_place', 'go') or verb in choose.lists['weak']:
        return kind not in ('split_place', 'go')
    placing = ('place', 'move', 'attach', 'pour', 'aim')
    return kind not in placing and not any(verb in choose.lists['verbs'][name] for name in placing)


def _arrange(
    choose: Chooser,
    kind: str,
    order: list[str],
    action: list[Word],
    particle: str,
    may_refer: bool,
    base: str,
) -> tuple[list[Word], bool]:
    verb = action[0]
    words: list[Word] = []
    named = False
    after = order[order.index('T') + 1 :] if 'T' in order else []
    steady = _steady(choose, kind, base)
    motional = 'motional' if 'D' in after and steady else ''
    if 'D' in after and not steady and ('S' in after or choose.chance(0.12)):
        motional = 'unmistakable'
    post = 'still' if motional or any(base in choose.lists[key] for key in ('weak', 'turning')) else 'any'
    if 'me' in order:
        post = 'any'
    aside = after == ['D'] and not steady and not motional and choose.chance(0.04)
    for slot in order:
        if slot == 'A':
            words += action
        elif slot == 'T':
            bare = not after or after == ['S'] if steady else False
            follows = 'side' if aside else post if bare or motional else 'clear'
            part, named = targets(choose, kind, verb, may_refer, follows)
            words += part
        elif slot == 'P':
            part = say(particle)
            mark(part, 'action')
            link(part, 'argument', [verb])
            words += part
        elif slot == 'me':
            words += say(choose.word('recipients' if choose.chance(0.75) else 'people'))
        elif slot in 'MR':
            part = say(choose.word('kept' if slot == 'M' else 'results'))
            mark(part, 'manner')
            link(part, 'cause', [verb])
            words += part
        elif slot in 'DS':
            there = slot == 'D'
            groups = [destination(choose, kind, motional=motional) if there else source(choose, particle)]
            if there and choose.chance(0.015):
                groups.append(destination(choose, kind))
            for index, group in enumerate(groups):
                link([group.head], 'argument', [verb])
                words += (say('and') if index else []) + group.all()
            if there and kind in ('place', 'move') and len(groups) == 1 and choose.chance(0.015):
                words += _not_there(choose)
            if order == ['A', 'T', 'D'] and named and len(groups) == 1 and choose.chance(0.06):
                words += _likewise(choose, kind, verb, motional)
        else:
            words.append(Word(slot, glue=True))
    return words, named


def _not_there(choose: Chooser) -> list[Word]:
    """Return where it is not to go: "put it in the box, *not on the table*"."""
    other = noun_phrase(choose, depth=2, post='none', key=choose.pick(surfaces=1, containers=1))
    place = say(choose.rng.choice(('in', 'on', 'into', 'to', ''))) + other.all()
    mark(place, '', avoid=True)
    how = choose.rng.choice((',', ',', '', ', and'))
    return [*[Word(part, glue=not part.isalpha()) for part in how.split()],
            *say(choose.rng.choice(('not', 'not', 'instead of'))), *place]


def _likewise(choose: Chooser, kind: str, verb: Word, motional: str) -> list[Word]:
    """Return another thing and where it goes: "put the cup on the table *and the plate in the sink*"."""
    words: list[Word] = []
    for _ in range(2 if choose.chance(0.15) else 1):
        thing = noun_phrase(choose, depth=1, post='none')
        there = destination(choose, kind, motional=motional)
        mark(thing.words, 'target')
        link([thing.head, there.head], 'argument', [verb])
        words += [Word(',', glue=True)] if choose.chance(0.15) else []
        words += [*say('and'), *thing.all(), *there.all()]
    return words


def _shared(
    choose: Chooser, words: list[Word], action: list[Word], kind: str, form: str, base: str
) -> list[Word]:
    """Put a second verb before the first that has the same target: "wash and dry the cup"."""
    verb = base
    while verb == base:
        verb = choose.verb('take' if kind in ('move', 'place') else kind)
    other = say(inflect(choose, verb, form))
    mark(other, 'action')
    link(other[1:], 'argument', other[:1])
    link(other[:1], 'action_order', action[:1])
    for word in words:
        if word.links.get('argument') == [action[0]] and word.role == 'target':
            word.links['argument'] = [other[0], action[0]]
    start = words.index(action[0])
    between = [Word(',', glue=True)] if choose.chance(0.1) else []
    return (
        words[:start]
        + other
        + between
        + say(choose.rng.choice(('and', 'and', 'and then', 'then')))
        + words[start:]
    )


def with_manner(
    choose: Chooser, words: list[Word], action: list[Word], front: bool, opens: bool, verb: str
) -> list[Word]:
    """Add a manner, or none, where one may stand; more often with a verb that has manners of its own."""
    lists = ('using', 'cutting', 'turning', 'filling', 'sorting', 'forming')
    own = any(verb in choose.lists[key] for key in lists)
    if choose.chance(0.35 if own else 0.50):
        return words
    places = {
        'end': 5.0,
        'before': 4.0 if front else 2.0,
        'front ,': 1.3 if front and opens else 0.0,
        'mid': 1.2,
        'verb': 0.5,
    }
    place = choose.template(places)
    where = 'before' if place in ('before', 'mid', 'verb') else 'front' if place == 'front ,' else 'after'
    part, groups = manner(choose, where, verb)
    for group in groups:
        link([word for word in group.words if word.text not in ('the', 'a', 'an')], 'cause', action[:1])
    start = words.index(action[0])
    if place == 'before':
        result = words[:start] + part + words[start:]
    elif place == 'front ,':
        comma = [Word(',', glue=True)] if choose.chance(0.75) or len(part) > 2 else []
        result = part + comma + words
    elif place == 'verb':
        result = words[: start + len(action)] + part + words[start + len(action) :]
    elif place == 'mid' and (cut := _after_target(words)):
        result = words[:cut] + part + words[cut:]
    else:
        loose = part[0].text.endswith('ing') or part[0].text in ('lid', 'label', 'handle', 'one', 'both')
        comma = [Word(',', glue=True)] if choose.chance(0.5 if loose else 0.06) else []
        result = words + comma + part
    if place != 'end' and choose.chance(0.07):
        more, groups = manner(choose, 'after', verb)
        for group in groups:
            link(group.words, 'cause', action[:1])
        result = result + more
    return result


def _after_target(words: list[Word]) -> int:
    """Return where the last target (or its pronoun) ends, if a destination or source follows it directly."""
    for index in range(len(words) - 1, 0, -1):
        before = words[index - 1]
        named = before.role == 'target' or (not before.role and 'argument' in before.links)
        if words[index].role in ('destination', 'source') and named:
            return index
    return 0


def prohibition(choose: Chooser) -> Clause:
    """Return a clause that forbids: "do not touch the knife"."""
    lead: list[Word] = []
    kind = choose.pick(do_not=5, dont=5, never=1.5, avoid=1, must_not=1, away=1.6, no=0.8)
    places = kind not in ('away', 'no') and choose.chance(0.14)
    putting = choose.pick(place=6, aim=1, pour=1.5, move=1.5)
    verb = choose.verb(putting if places else 'avoid')
    if kind == 'avoid':
        action = say('avoid ' + inflect(choose, verb, 'ing'))
    elif kind == 'no':
        action = say('no ' + inflect(choose, verb, 'ing'))
    elif kind == 'away':
        action = say(choose.word('keep_away'))
    elif kind == 'must_not':
        lead = say(choose.rng.choice(('you', 'you', 'the robot')))
        action = say(choose.word('must_not') + verb)
    else:
        action = say(
            choose.rng.choice(
                {
                    'do_not': ('do not ', 'do not ', 'please do not ', 'do not ever '),
                    'dont': ("don't ", "don't ", 'don’t ', 'dont '),
                    'never': ('never ',),
                }[kind]
            )
            + verb
        )
        if action[0].text == 'please':
            lead, action = action[:1], action[1:]
    mark(action, 'action', avoid=True)
    if kind == 'away' and action[0].text == 'please':
        lead, action = action[:1], action[1:]
        lead[0].role, lead[0].span, lead[0].avoid = '', None, False
    count = {'avoid': 1, 'away': 0, 'must_not': 2, 'do_not': 2, 'dont': 1, 'never': 1, 'no': 1}[kind]
    if kind == 'away':
        count = sum(word.text in ("don't", 'do', 'not', 'hands') for word in action[:-1])
    main = action[min(count, len(action) - 1)]
    link([word for word in action if word is not main], 'argument', [main])
    meant, named = targets(choose, 'avoid', main, False, 'clear' if places else 'any')
    for word in meant:
        word.avoid = word.avoid or word.role == 'target'
    tail = _particle(choose, action, main)
    if places:
        there = destination(choose, putting)
        link([there.head], 'argument', [main])
        tail = there.all()
    words = lead + action + meant + tail
    if choose.chance(0.14):
        part, how = manner(choose, 'after', verb)
        for group in how:
            link(group.words, 'cause', [main])
        words += part
    if choose.chance(0.06):
        words += say(choose.word('not_ever'))
    return Clause(words, main, named)


def _particle(choose: Chooser, action: list[Word], main: Word) -> list[Word]:
    if action[0].text != 'leave':
        return []
    tail = say('alone')
    mark(tail, 'action', avoid=True)
    link(tail, 'argument', [main])
    return tail
