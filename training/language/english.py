"""English commands: sentences of one or several clauses."""

from __future__ import annotations

import itertools

from training.language.chooser import Chooser
from training.language.english_asides import condition, purpose, remark
from training.language.english_clauses import Clause, clause, prohibition, with_manner
from training.language.english_phrases import destination, noun_phrase, source
from training.language.english_verbs import inflect
from training.language.hesitation import hesitate
from training.language.sample import Group, Word, link, mark, say

_ASKING = ('could', 'can', 'would', 'will', 'do', 'is', 'are', 'may', 'how', 'why')


def sentence(choose: Chooser) -> list[Word]:
    """Return a command of one or several clauses, now and then as a telegram or with a hesitation."""
    words = _sentence(choose)
    if choose.chance(0.05):
        words = [word for word in words if word.text != 'the' and (word.role or word.text not in ('a', 'an'))]
    if choose.chance(0.035):
        words = hesitate(choose, words)
    return words


def _sentence(choose: Chooser) -> list[Word]:
    kind = choose.pick(
        plain=81, noun=4, have=3.5, topic=1.7, passive=4.5, belongs=1.3, there=1.5, see=1, said=1.2,
        gentle=1.2, gerund=2.5, instead=1.2, other=1.2, verbless=1.4,
    )
    if kind == 'noun':
        return _named(choose, [])
    if kind == 'have' and choose.chance(0.25):
        group = noun_phrase(choose, post='any')
        mark(group.words, 'target')
        verb = 'are' if group.head.text.endswith('s') else 'is'
        return say(choose.word('where_prefixes')) + group.all() + say(verb) + _end(choose, choose.chance(0.4))
    if kind == 'have':
        return _named(choose, say(choose.template(choose.lists['have_prefixes'])))
    if kind in ('topic', 'there', 'see', 'said', 'gentle'):
        return _introduced(choose, kind)
    if kind == 'passive':
        return _passive(choose)
    if kind == 'belongs':
        return _belongs(choose)
    if kind == 'verbless':
        return _verbless(choose)
    if kind == 'gerund':
        made = clause(choose, form='ing', front=False)
        return say(choose.rng.choice(choose.lists['gerund_prefixes'])) + made.words + _end(choose, True)
    if kind == 'other':
        return _other(choose)
    if kind == 'instead':
        other = noun_phrase(choose, depth=1, post='none')
        mark(other.words, '', avoid=True)
        made = clause(choose, front=False)
        return (
            say(choose.rng.choice(('instead of', 'rather than')))
            + other.all()
            + [Word(',', glue=True)]
            + made.words
            + _end(choose, False)
        )
    return _steps(choose)


def _named(choose: Chooser, lead: list[Word]) -> list[Word]:
    group = noun_phrase(choose, post='any')
    mark(group.words, 'target')
    return (
        lead
        + group.all()
        + (say(choose.rng.choice(('', '', 'please', 'for me'))) if lead else [])
        + _end(choose, bool(lead))
    )


def _introduced(choose: Chooser, kind: str) -> list[Word]:
    """Name the thing before the command: "there is a cup on the table. Pick it up"."""
    group = noun_phrase(choose, post='any', plain=0.2)
    mark(group.words, 'target')
    made = clause(choose, may_refer=True)
    while (
        made.named
        or any(word.role == 'target' for word in made.words)
        or all('argument' not in word.links or word.role for word in made.words)
    ):
        made = clause(choose, may_refer=True)
    link([group.head], 'argument', [made.verb])
    if kind == 'topic':
        return [*group.all(), Word(',', glue=True), *made.words, *_end(choose, False)]
    if kind == 'said':
        so, said = _between(choose.word('so_then')), say(choose.word('said_of'))
        return [*group.all(), *said, *so, *made.words, *_end(choose, so[-1].text == 'you')]
    if kind == 'gentle':
        return _gently(choose, group, made) + _end(choose, False)
    if kind == 'there':
        return (
            say(choose.word('there_is'))
            + group.all()
            + [Word(choose.rng.choice('.?.,'), glue=True)]
            + made.words
            + _end(choose, False)
        )
    return (
        say(choose.word('conditions'))
        + group.all()
        + [Word(',', glue=True)]
        + made.words
        + _end(choose, False)
    )


def _gently(choose: Chooser, group: Group, made: Clause) -> list[Word]:
    """Tell how before what: "be gentle with the egg and put it ...", "make sure it stays dry and ..."."""
    if choose.chance(0.5):
        how = say(choose.word('gentle_with'))
        words = how + group.all()
        how = how[:-1]
    else:
        that = choose.rng.choice(('make sure', 'make sure', 'make sure that', 'ensure that', 'be sure'))
        happens = [each for each in choose.lists['so_that'] if each.startswith('it ')]
        how = say(choose.rng.choice(happens).removeprefix('it '))
        words = say(that) + group.all() + how
    mark(how, 'manner')
    link(how, 'cause', [made.verb])
    return [*words, *_between(choose.word('so_while')), *made.words]


def _passive(choose: Chooser) -> list[Word]:
    """Return a command about a thing: "the cup must be washed", "could it be put away", "it needs drying"."""
    kind = choose.pick(passives=5, asked=3, needs=1.5, wished=2, terse=1)
    group = noun_phrase(choose, post='clear')
    mark(group.words, 'target')
    actions: list[list[Word]] = []
    for last in (False, True) if choose.chance(0.12) else (True,):
        cls = choose.pick(place=3, move=3, act=3, take_from=0.5) if last else 'act'
        verb = choose.verb(cls)
        if cls == 'act' and choose.chance(0.15):
            verb = ' '.join(choose.rng.choice(choose.lists['split']))
        if kind == 'needs':
            verb = inflect(choose, verb, 'ing')
        elif kind != 'terse' or choose.chance(0.5):
            verb = inflect(choose, verb, 'past')
        actions.append(say(verb))
    action = actions[-1]
    for words in actions:
        mark(words, 'action')
        link(words[1:], 'argument', words[:1])
    link([group.head], 'argument', [words[0] for words in actions])
    link(actions[0][:1], 'action_order', action[:1])
    done = action if len(actions) == 1 else [*actions[0], *say('and'), *action]
    if kind == 'asked':
        words = say(choose.word('passive_asks')) + group.all() + say('be') + done
    elif kind == 'needs':
        words = group.all() + say(choose.word('needing')) + done
        if choose.chance(0.2):
            words += [*say('and'), *_in_need(choose)]
    elif kind == 'wished':
        words = say(choose.word('passive_wishes')) + group.all() + done
    elif kind == 'terse':
        words = [*group.all(), Word(choose.rng.choice(':,-'), glue=True), *done]
    else:
        words = group.all() + say(choose.word('passives')) + done
    if cls in ('place', 'move'):
        there = destination(choose, cls)
        link([there.head], 'argument', action[:1])
        words += there.all()
    elif cls == 'take_from':
        here = source(choose)
        link([here.head], 'argument', action[:1])
        words += here.all()
    return with_manner(choose, words, action, False, False, '') + _end(choose, kind == 'asked')


def _in_need(choose: Chooser) -> list[Word]:
    """Return another thing that needs something: "the bins want *emptying*"."""
    group = noun_phrase(choose, depth=1, post='none')
    mark(group.words, 'target')
    action = say(inflect(choose, choose.verb('act'), 'ing'))
    mark(action, 'action')
    link(action[1:], 'argument', action[:1])
    link([group.head], 'argument', action[:1])
    return group.all() + say(choose.word('needing')) + action


def _other(choose: Chooser) -> list[Word]:
    """Return a command that opens with what is not meant: "not the red cup, the blue one, take it"."""
    other = noun_phrase(choose, depth=1, post='none')
    mark(other.words, '', avoid=True)
    lead = [*say('not'), *other.all(), Word(choose.rng.choice(',,.'), glue=True)]
    if choose.chance(0.4):
        return lead + clause(choose, front=False).words + _end(choose, False)
    if choose.chance(0.5):
        asked = say(choose.template(choose.lists['have_prefixes'])) if choose.chance(0.6) else []
        return _named(choose, lead + asked)
    group = noun_phrase(choose, depth=1, post='clear')
    mark(group.words, 'target')
    lead += say('but' if choose.chance(0.2) else '') + group.all() + [Word(',', glue=True)]
    made = clause(choose, may_refer=True)
    while made.named:
        made = clause(choose, may_refer=True)
    link([group.head], 'argument', [made.verb])
    return lead + made.words + _end(choose, False)


def _belongs(choose: Chooser) -> list[Word]:
    """Tell where things belong: "the towel goes in the basket"."""
    words: list[Word] = []
    for index in range(choose.rng.choices((1, 2), (0.8, 0.2))[0]):
        group = noun_phrase(choose, post='clear')
        mark(group.words, 'target')
        *before, verb = say(choose.word('belonging'))
        mark([verb], 'action')
        there = destination(choose, 'place')
        link([group.head, there.head], 'argument', [verb])
        words += (say('and') if index else []) + group.all() + before + [verb] + there.all()
    return words + _end(choose, False)


def _verbless(choose: Chooser) -> list[Word]:
    """Name things and where each is to be: "i want a napkin on every plate", "darks left, whites right"."""
    words = say(choose.word('have_prefixes')) if choose.chance(0.45) else []
    if words[-1:] and words[-1].text in ('is', 'are', 'seen', 'see', 'leave'):      # "where is", which asks
        words = say('i want')
    count = choose.rng.choices((1, 2, 3), (0.3, 0.55, 0.15))[0]
    for index in range(count):
        group = noun_phrase(choose, depth=1, post='none', plain=0.6)
        mark(group.words, 'target')
        # of one thing alone a place would tell which: "i want the cup on the table"
        motional = 'unmistakable' if count == 1 or choose.chance(0.2) else ''
        there = destination(choose, choose.pick(place=3, move=1), motional=motional)
        words += [Word(',', glue=True)] if index and choose.chance(0.6) else []
        words += say('and') if index and (words[-1].text != ',' or choose.chance(0.3)) else []
        words += group.all() + there.all()
    return words + _end(choose, False)


def _steps(choose: Chooser) -> list[Word]:
    count = choose.rng.choices((1, 2, 3, 4), (0.57, 0.33, 0.08, 0.02))[0]
    question = False
    aside = [*remark(choose), Word(choose.rng.choice('..,'), glue=True)] if choose.chance(0.03) else []
    words = list(aside)
    if not words and choose.chance(0.035):
        words = [*condition(choose), Word(',', glue=True)]
    if choose.chance(0.42):
        if choose.chance(0.45):
            prefix = choose.word('openers').format(name=choose.word('names'))
        else:
            prefix = choose.template(choose.lists['prefixes'])
        question = prefix.split()[0] in _ASKING
        words += say(prefix)
    if count == 2 and choose.chance(0.22):
        return _reordered(choose, words, question)
    verbs: list[Word] = []
    forbid_at = choose.rng.randrange(count) if choose.chance(0.11) else -1
    named = False
    numbered = count > 1 and choose.chance(0.3)
    for index in range(count):
        first, last = index == 0, index == count - 1
        time: list[Word] = []
        if not first:
            words += _joint(choose, last, time, numbered, forbid_at == index)
        elif numbered:
            time = say(choose.template(choose.lists['first']))
            words = (words + time) if choose.chance(0.5) and not question else (time + words)
        if index == forbid_at:
            if first:
                words = list(aside)
            made = prohibition(choose)
        else:
            before = words[-1].text if words else '.'
            opens = bool(time) if not first else before in ',.' and not question
            made = clause(
                choose, may_refer=named, front=first or choose.chance(0.7), opens=opens or before in '.;'
            )
            named = named or made.named
            verbs.append(made.verb)
        link([word for word in time if word.text.isalnum()], 'time', [made.verb])
        words += made.words
        if choose.chance(0.01 if last else 0.06):
            after = say(choose.rng.choice(('first', 'before anything else')))
            link(after, 'time', [made.verb])
            words += after
    for verb, following in itertools.pairwise(verbs):
        link([verb], 'action_order', [following])
    if verbs and forbid_at != count - 1 and choose.chance(0.015):
        words += _also(choose, verbs[-1])
    return words + _end(choose, question)


def _also(choose: Chooser, verb: Word) -> list[Word]:
    """Return another thing for the last verb: ", also the small knife"."""
    group = noun_phrase(choose, depth=1, post='none')
    mark(group.words, 'target')
    link([group.head], 'argument', [verb])
    return [Word(',', glue=True), *say(choose.word('also')), *group.all()]


def _joint(choose: Chooser, last: bool, time: list[Word], numbered: bool, forbids: bool) -> list[Word]:
    """Return what stands between two clauses; its time words are added to ``time``."""
    if forbids:
        return _between(choose.word('joints_forbid'))
    if choose.chance(0.45) or numbered:
        time += say(choose.template(choose.lists['last' if last and choose.chance(0.3) else 'then']))
        mark_ = choose.word('stops')
        if time[0].text == 'and':
            mark_ = choose.rng.choice((',', ''))
        return _between(mark_) + time
    return _between(choose.word('joints'))


def _between(text: str) -> list[Word]:
    """Split what stands between two clauses, as ", and then"; its marks stick to the word before."""
    return [Word(part, glue=not part.isalpha()) for part in text.split()]


def _reordered(choose: Chooser, lead: list[Word], question: bool) -> list[Word]:
    """Two clauses whose order a word tells: "before closing the box, put the pen in it"."""
    how = choose.template(choose.lists['reorderings'])
    time_text = (
        how.split()[0]
        if not how.startswith(('base', 'as'))
        else 'as soon as'
        if how.startswith('as')
        else how.split()[1]
    )
    opens = how.startswith('base') and not lead
    main = clause(
        choose, front=not lead, may_refer=how[:4] != 'base' and choose.chance(0.6), opens=opens
    )
    if 'ing' in how:
        other = clause(choose, form='ing', front=False)
        subject: list[Word] = []
    elif 'past' in how:
        other = clause(choose, form='past', front=False)
        subject = say(choose.rng.choice(('you have', "you've", 'you had', 'having')))
        if subject[-1].text == 'having' and time_text != 'after':
            subject = say('you have')
    else:
        other = clause(choose, front=False, may_refer=choose.chance(0.4))
        subject = say('you') if 'you' in how else []
    time = say('but first' if 'but first' in how else time_text)
    link([word for word in time if word.text != 'but'], 'time', [other.verb])
    before = 'before' not in how
    early, late = (other.verb, main.verb) if before else (main.verb, other.verb)
    link([early], 'action_order', [late])
    comma = [Word(',', glue=True)]
    if how.startswith('base'):
        gap = comma if ',' in how or choose.chance(0.15) else []
        return lead + main.words + gap + time + subject + other.words + _end(choose, question)
    return (
        time
        + subject
        + other.words
        + (comma if choose.chance(0.85) else [])
        + lead
        + main.words
        + _end(choose, question)
    )


def _end(choose: Chooser, question: bool) -> list[Word]:
    words: list[Word] = []
    if choose.chance(0.05):
        words += [Word(',', glue=True)] if choose.chance(0.15) else []
        words += condition(choose)
    if choose.chance(0.10):
        suffix = choose.template(choose.lists['suffixes'])
        words += [Word(',', glue=True)] if suffix.startswith(',') else []
        words += say(suffix.lstrip(', '))
        question = question or suffix.endswith('you')
    if choose.chance(0.012):
        words += say('for') + say(choose.word('people') if choose.chance(0.6) else f'the {choose.noun()}')
    if choose.chance(0.08):
        reason = choose.chance(0.6)
        words += _between(choose.word('reasons')) + remark(choose) if reason else purpose(choose)
    if choose.chance(0.02):
        words += [Word(',', glue=True), *say(choose.word('called'))]
    if question and choose.chance(0.85):
        words.append(Word('?', glue=True))
    elif choose.chance(0.6):
        words.append(Word(choose.rng.choice('......!'), glue=True))
    return words
