"""Korean clauses: a verb with what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

from training.language.chooser import Chooser
from training.language.korean_manner import manner
from training.language.korean_phrases import (
    destination,
    here,
    noun_phrase,
    particle,
    single,
    source,
    verb_words,
)
from training.language.korean_verbs import Verb, final_form, forbidding_form, joining_form, pick_verb
from training.language.sample import Word, link, mark, say

# what may stand before the verb, by class: target, destination, source; scrambled below
_ARGUMENTS = {
    'take': {'T': 1.0},
    'take_from': {'S T': 1.0, 'T S': 0.25},
    'place': {'T D': 1.0, 'D T': 0.35, 'S T D': 0.07},
    'move': {'T D': 1.0, 'D T': 0.22, 'S T D': 0.16, 'T S D': 0.14},
    'attach': {'T D': 1.0, 'D T': 0.35},
    'pour': {'T D': 1.0, 'D T': 0.4, 'S T D': 0.1},
    'act': {'T': 1.0},
    'give': {'T D': 1.0, 'D T': 0.7, 'S T D': 0.1, 'D': 0.15},
    'go': {'D': 1.0},
}
CLASSES: dict[str, float] = {
    'take': 20,
    'take_from': 9,
    'place': 28,
    'move': 14,
    'attach': 3,
    'pour': 5,
    'act': 20,
    'give': 3.5,
    'go': 1.5,
}
PLACERS: dict[str, float] = {'place': 6, 'move': 3, 'give': 0.8, 'pour': 0.4, 'attach': 0.5}
TAKERS: dict[str, float] = {'take': 6, 'take_from': 3}
CASES = ('을', '를', '은', '는', '만')
GLUED = ('에', '에는', '엔', '에도', '한테', '한테는')


@dataclass
class Clause:
    """A clause, its verb, and whether it names a target (else the one before is meant)."""

    words: list[Word]
    verb: Word
    named: bool
    asks: bool = False


def clause(
    choose: Chooser, kind: str, form: str, *, drop_target: bool = False, pronoun: bool = False
) -> Clause:
    """Return a clause: arguments and manner, then the verb.

    :param kind: class of the verb.
    :param form: 'final', 'joining', 'past' (집은 다음에), 'before' (집기 전에).
    :param drop_target: leave the target out, as after a clause that named it.
    :param pronoun: say 그것 for it.
    """
    verb = pick_verb(choose, kind)
    asks = False
    time: list[Word] = []
    if form == 'final':
        text, asks = final_form(choose, verb)
    elif form == 'joining':
        text = joining_form(choose, verb)
    elif form == 'past':
        text = verb.adnominal()
        time = say(choose.word('after_words'))
    else:
        text = verb.stem + '기'
        time = say(choose.rng.choice(('전에', '전에', '전', '직전에')))
    noun = verb.stem[:-1]
    if verb.stem.endswith('하') and len(noun) > 1 and choose.chance(0.06):     # "정리 좀 해줘"
        text = text.replace(noun, f'{noun} {choose.rng.choice(("좀", "좀", "한번", ""))} ', 1)
    action = verb_words(text)
    link(time, 'time', action[:1])
    parts = _arguments(choose, kind, action, drop_target, pronoun)
    parts = _with_manner(choose, parts, action, kind, verb.stem)
    words = [word for part in parts for word in part] + action + time
    return Clause(words, action[0], not drop_target and not pronoun, asks)


def _arguments(choose: Chooser, kind: str, action: list[Word], drop: bool, pronoun: bool) -> list[list[Word]]:
    parts = []
    order = choose.template(_ARGUMENTS[kind]).split()
    for slot in order:
        if slot == 'T':
            if drop:
                continue
            if pronoun:
                parts.append(_pronoun(choose, action))
            else:
                bare = slot != order[-1] and choose.chance(0.07)
                parts.append(_single_target(choose, action) if bare else
                             _targets(choose, kind, action, bare=0.22 if slot == order[-1] else 0.0))
            continue
        # without its particle only behind a target that has one: else nobody could tell the two apart
        told = slot == 'D' == order[-1] and bool(parts) and parts[-1][-1].text in CASES
        if slot == 'S':
            group = source(choose)
        elif slot == order[-1] and choose.chance(0.02):
            group = here(choose)
        else:
            group = destination(choose, kind, bare=told and choose.chance(0.05))
        link([group.head], 'argument', action[:1])
        parts.append((_not_there(choose) if slot == 'D' and choose.chance(0.012) else []) + group.all())
    if order[0] == 'D' and choose.chance(0.12):
        _topical(parts[0])
    if len(parts) > 1 and choose.chance(0.02):
        parts.insert(1, say(choose.word('just')))
    if order == ['T', 'D'] and len(parts) == 2 and not pronoun and choose.chance(0.03):
        parts = _likewise(choose, kind, action)
    if kind == 'act' and choose.chance(0.04):
        group = source(choose)
        link([group.head], 'argument', action[:1])
        parts.insert(0, group.all())
    return parts


def _topical(there: list[Word]) -> None:
    """Make a destination what the clause is about: 에 -> 에는, 한테 -> 한테는."""
    if there and not there[-1].role and there[-1].text in ('에', '한테', '에게'):
        there[-1].text += '는'


def _not_there(choose: Chooser) -> list[Word]:
    """Return where it is not to go: "*식탁 말고* 조리대에"."""
    other = noun_phrase(choose, depth=2, key=choose.pick(surfaces=1, containers=1))
    mark(other.words, '', avoid=True)
    return [*other.words, *say(choose.rng.choice(('말고', '말고', '대신')))]


def _likewise(choose: Chooser, kind: str, action: list[Word]) -> list[list[Word]]:
    """Return things and where each of them goes: "컵은 식탁에, 접시는 싱크대에"."""
    parts: list[list[Word]] = []
    for last in (False, True) if choose.chance(0.85) else (False, False, True):
        thing = noun_phrase(choose, depth=1)
        mark(thing.words, 'target')
        link([thing.head], 'argument', action[:1])
        there = destination(choose, kind)
        link([there.head], 'argument', action[:1])
        case = particle('은' if choose.chance(0.75) else '을', thing.words[-1].text)
        if case.text == '는' and thing.words[-1].text == '거':
            thing.words[-1].text, case = '건', Word('', glue=True)
        comma = [Word(',', glue=True)] if not last and choose.chance(0.7) else []
        joint = say('그리고') if not last and choose.chance(0.15) else []
        where = there.words if not last and choose.chance(0.2) else there.all()
        parts.append([*thing.words, case, *where, *comma, *joint])
    return parts


def _single_target(choose: Chooser, action: list[Word]) -> list[Word]:
    """Return a target without its particle before another phrase: "리모컨 소파 위에 놔"."""
    group = single(choose)
    mark(group.words, 'target')
    link([group.head], 'argument', action[:1])
    return group.words + (say(choose.word('fillers')) if choose.chance(0.25) else [])


def _pronoun(choose: Chooser, action: list[Word]) -> list[Word]:
    if choose.chance(0.4):
        word = Word(choose.word('short_pronouns'))
        link([word], 'argument', action[:1])
        return [word]
    words = say(choose.word('pronouns'))
    link(words[-1:], 'argument', action[:1])
    return [*words, particle('을', words[-1].text)]


def _targets(choose: Chooser, kind: str, action: list[Word], bare: float) -> list[Word]:
    """Return what a verb takes; ``bare``: how often its particle is left out."""
    key = 'liquid' if kind == 'pour' and choose.chance(0.7) else 'nouns'
    groups = [noun_phrase(choose, key=key)]
    while choose.chance(0.07) and len(groups) < 4:
        groups.append(noun_phrase(choose, plain=0.5, clauses=0.05))
    words: list[Word] = []
    for index, group in enumerate(groups):
        if index:
            words += _and(choose, words[-1].text, index == len(groups) - 1)
        mark(group.words, 'target')
        link([group.head], 'argument', action[:1])
        words += group.words
    if len(groups) == 1 and choose.chance(0.05):
        words = _contrast(choose) + words
    return words + _case(choose, words, action, bare=bare)


def _and(choose: Chooser, before: str, last: bool) -> list[Word]:
    how = choose.word('and')
    if how == ',' or not last:
        return [Word(',', glue=True)] if choose.chance(0.6) else [particle('과', before)]
    return say(how) if how in ('그리고', '및') else [particle(how, before)]


def _contrast(choose: Chooser) -> list[Word]:
    """Return what is not meant: "파란 컵 말고"."""
    other = noun_phrase(choose, depth=1, clauses=0.1)
    mark(other.words, '', avoid=True)
    how = choose.word('not_meant')
    mark_ = [Word(',', glue=True)] if choose.chance(0.1) else []
    after = [particle('이', other.words[-1].text)] if how.startswith('아니') and choose.chance(0.8) else []
    if how == '제외하고' and choose.chance(0.6):
        after = [particle('을', other.words[-1].text)]
    if how == '빼고' and choose.chance(0.4):
        after = [Word('만', glue=True)]
    if how in ('말고', '대신') and choose.chance(0.1):
        after = [particle('은', other.words[-1].text)]
    return other.words + after + say(how) + mark_


def _case(
    choose: Chooser, target: list[Word], action: list[Word], topic: float = 4, bare: float = 0.17
) -> list[Word]:
    """Return the particle of a target: mostly 을/를, or none, with 좀 now and then."""
    last = target[-1]
    text = ' '.join(word.text for word in target)
    counted = any(f' {text}'.endswith(f' {count}') for count in choose.lists['counts'])
    only = 25 if counted else 2.5  # "쿠키 두 개만"
    kind = choose.rng.choices(
        ('을', '', '은', '만', '도', '부터', '이라도'), (72, 100 * bare, topic, only, 2.5, 0.8, 0.3)
    )[0]
    words = [particle(kind, last.text)] if kind else []
    if kind == '은' and last.text == '거' and choose.chance(0.8):
        last.text, words = '건', []
    if kind == '을' and final_of_open(last.text) and choose.chance(0.05):
        last.text, words = _contract(last.text), []
    if kind and choose.chance(0.03):
        words += say(choose.word('counted'))
    elif choose.chance(0.06 if kind else 0.25):
        words += say(choose.word('fillers'))
    elif kind == '을' and action and choose.chance(0.03):
        amount = say(choose.word('floating'))
        mark(amount, 'manner')
        link(amount, 'cause', action[:1])
        words += amount
    return words


def final_of_open(text: str) -> bool:
    """Tell whether the text ends in a Korean syllable without a final consonant."""
    return '가' <= text[-1] <= '힣' and (ord(text[-1]) - 0xAC00) % 28 == 0


def _contract(text: str) -> str:
    """거 + 를 -> 걸."""
    return text[:-1] + chr(ord(text[-1]) + 8)


def _with_manner(
    choose: Chooser, parts: list[list[Word]], action: list[Word], kind: str, stem: str
) -> list[list[Word]]:
    for _ in range(choose.rng.choices((0, 1, 2), (0.52, 0.42, 0.06))[0]):
        words = manner(choose, kind, stem)
        link([word for word in words if not word.glue], 'cause', action[:1])
        if choose.chance(0.05):
            words = [*words, Word(',', glue=True)]
        elif choose.chance(0.02):
            words = [*words, *say('좀')]
        where = choose.template({'verb': 6.0, 'front': 2.0, 'middle': 2.0})
        place = (
            len(parts) if where == 'verb' else 0 if where == 'front' else choose.rng.randint(0, len(parts))
        )
        parts = [*parts[:place], words, *parts[place:]]
    if len(parts) > 1 and choose.chance(0.06):
        choose.rng.shuffle(parts)
    return parts


def prohibition(choose: Chooser, *, last: bool) -> Clause:
    """Return a clause that forbids: "칼은 만지지 마"."""
    places = choose.chance(0.14)
    close = not places and choose.chance(0.08)   # what takes 에, not 을: "냄비에는 손대지 마"
    verb = Verb(*choose.rng.choice(choose.lists['avoid_at'])) if close else pick_verb(
        choose, 'place' if places else 'avoid')
    action = verb_words(forbidding_form(choose, verb, last=last))
    for word in action:
        word.avoid = True
    if action[0].text == '절대':
        action[0].role, action[0].span, action[0].avoid, action[0].links = '', None, False, {}
        action[1].links = {}
        link(action[2:], 'argument', [action[1]])
    main = action[1] if action[0].role == '' else action[0]
    groups = [noun_phrase(choose, clauses=0.15)]
    if choose.chance(0.1):
        groups.append(noun_phrase(choose, plain=0.5, clauses=0.05))
    words: list[Word] = []
    for index, group in enumerate(groups):
        words += _and(choose, words[-1].text, True) if index else []
        mark(group.words, 'target', avoid=True)
        link([group.head], 'argument', [main])
        words += group.words
    if close:
        case = choose.word('at_cases')
        words.append(Word(case, glue=case in GLUED))
    else:
        words += _case(choose, words, [], topic=70)
    if choose.chance(0.1):
        words += say(choose.word('never'))
    if places:
        there = destination(choose, 'place')
        link([there.head], 'argument', [main])
        where = there.all()
        if choose.chance(0.65):
            words = words + where
        else:
            if choose.chance(0.6):
                _topical(where)
            words = where + words
    return Clause(words + action, main, True)
