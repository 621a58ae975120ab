"""Korean commands: clauses, and sentences of them."""

from __future__ import annotations

from dataclasses import dataclass

from training.language.chooser import Chooser
from training.language.korean_phrases import destination, manner, noun_phrase, particle, source, verb_words
from training.language.korean_verbs import final_form, forbidding_form, joining_form, pick_verb
from training.language.sample import Group, Word, link, mark, say

# what may stand before the verb, by class: target, destination, source; scrambled below
_ARGUMENTS = {'take': {'T': 1.0}, 'take_from': {'S T': 1.0, 'T S': 0.25}, 'place': {'T D': 1.0, 'D T': 0.35, 'S T D': 0.07},
              'move': {'T D': 1.0, 'D T': 0.22, 'S T D': 0.16, 'T S D': 0.14}, 'attach': {'T D': 1.0, 'D T': 0.35},
              'pour': {'T D': 1.0, 'D T': 0.4, 'S T D': 0.1}, 'act': {'T': 1.0}, 'go': {'D': 1.0}}
_CLASSES = {'take': 20, 'take_from': 9, 'place': 28, 'move': 14, 'attach': 3, 'pour': 5, 'act': 20, 'go': 1.5}
_PLACERS = {'place': 6, 'move': 3, 'pour': 0.4, 'attach': 0.5}
_TAKERS = {'take': 6, 'take_from': 3}
_KINDS_THAT_NAME = frozenset(('take', 'take_from', 'act'))


@dataclass
class Clause:
    """A clause, its verb, and whether it names a target (else the one before is meant)."""

    words: list[Word]
    verb: Word
    named: bool
    asks: bool = False


def clause(choose: Chooser, kind: str, form: str, *, drop_target: bool = False, pronoun: bool = False) -> Clause:
    """
    Return a clause: arguments and manner, then the verb.

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
        time = say(choose.rng.choice(('다음', '다음에', '뒤', '뒤에', '후', '후에', '다음에는', '뒤에는')))
    else:
        text = verb.stem + '기'
        time = say(choose.rng.choice(('전에', '전에', '전', '직전에')))
    action = verb_words(text)
    link(time, 'time', action[:1])
    parts = _arguments(choose, kind, action, drop_target, pronoun)
    parts = _with_manner(choose, parts, action)
    words = [word for part in parts for word in part] + action + time
    return Clause(words, action[0], not drop_target and not pronoun, asks)


def _arguments(choose: Chooser, kind: str, action: list[Word], drop: bool, pronoun: bool) -> list[list[Word]]:
    parts = []
    for slot in choose.template(_ARGUMENTS[kind]).split():
        if slot == 'T':
            if drop:
                continue
            if pronoun:
                parts.append(_pronoun(choose, action))
            else:
                parts.append(_targets(choose, kind, action))
            continue
        group = destination(choose, kind) if slot == 'D' else source(choose)
        link([group.head], 'argument', action[:1])
        parts.append(group.all())
    if kind == 'act' and choose.chance(0.04):
        group = source(choose)
        link([group.head], 'argument', action[:1])
        parts.insert(0, group.all())
    return parts


def _pronoun(choose: Chooser, action: list[Word]) -> list[Word]:
    if choose.chance(0.4):
        word = Word(choose.rng.choice(('그걸', '이걸', '저걸', '걔를', '그거', '이거')))
        link([word], 'argument', action[:1])
        return [word]
    words = say(choose.word('pronouns'))
    link(words[-1:], 'argument', action[:1])
    return [*words, particle('을', words[-1].text)]


def _targets(choose: Chooser, kind: str, action: list[Word]) -> list[Word]:
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
    return words + _case(choose, words[-1])


def _and(choose: Chooser, before: str, last: bool) -> list[Word]:
    how = choose.rng.choice(('과', '과', '이랑', '하고', '그리고', '및', ',', '과', '이나'))
    if how == ',' or not last:
        return [Word(',', glue=True)] if choose.chance(0.6) else [particle('과', before)]
    return say(how) if how in ('그리고', '및') else [particle(how, before)]


def _contrast(choose: Chooser) -> list[Word]:
    """What is not meant: "파란 컵 말고"."""
    other = noun_phrase(choose, depth=1, clauses=0.1)
    mark(other.words, '', avoid=True)
    how = choose.rng.choice(('말고', '말고', '말고', '대신', '대신에', '빼고', '제외하고', '아니라', '아니고', '아닌', '말구'))
    mark_ = [Word(',', glue=True)] if choose.chance(0.1) else []
    after = [particle('이', other.words[-1].text)] if how.startswith('아니') and choose.chance(0.8) else []
    if how == '제외하고' and choose.chance(0.6):
        after = [particle('을', other.words[-1].text)]
    if how == '빼고' and choose.chance(0.4):
        after = [Word('만', glue=True)]
    if how in ('말고', '대신') and choose.chance(0.1):
        after = [particle('은', other.words[-1].text)]
    return other.words + after + say(how) + mark_


def _case(choose: Chooser, last: Word, topic: float = 4) -> list[Word]:
    """Return the particle of a target: mostly 을/를, or none, with 좀 now and then."""
    kind = choose.rng.choices(('을', '', '은', '만', '도', '부터', '이라도'), (72, 17, topic, 2.5, 1.2, 0.8, 0.3))[0]
    words = [particle(kind, last.text)] if kind else []
    if kind == '을' and final_of_open(last.text) and choose.chance(0.05):
        last.text, words = _contract(last.text), []
    if choose.chance(0.06 if kind else 0.25):
        words += say(choose.rng.choice(('좀', '좀', '좀', '한번', '다', '모두', '전부', '얼른')))
    return words


def final_of_open(text: str) -> bool:
    """Tell whether the text ends in a Korean syllable without a final consonant."""
    return '가' <= text[-1] <= '힣' and (ord(text[-1]) - 0xAC00) % 28 == 0


def _contract(text: str) -> str:
    """거 + 를 -> 걸."""
    return text[:-1] + chr(ord(text[-1]) + 8)


def _with_manner(choose: Chooser, parts: list[list[Word]], action: list[Word]) -> list[list[Word]]:
    for _ in range(choose.rng.choices((0, 1, 2), (0.52, 0.42, 0.06))[0]):
        words = manner(choose)
        link([word for word in words if not word.glue], 'cause', action[:1])
        if choose.chance(0.05):
            words = [*words, Word(',', glue=True)]
        elif choose.chance(0.02):
            words = [*words, *say('좀')]
        where = choose.template({'verb': 6.0, 'front': 2.0, 'middle': 2.0})
        place = len(parts) if where == 'verb' else 0 if where == 'front' else choose.rng.randint(0, len(parts))
        parts = [*parts[:place], words, *parts[place:]]
    if len(parts) > 1 and choose.chance(0.06):
        choose.rng.shuffle(parts)
    return parts


def prohibition(choose: Chooser, *, last: bool) -> Clause:
    """Return a clause that forbids: "칼은 만지지 마"."""
    verb = pick_verb(choose, 'avoid')
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
    words += _case(choose, words[-1], topic=70)
    if choose.chance(0.1):
        words += say(choose.rng.choice(('절대', '절대로', '아예', '함부로', '혹시라도')))
    return Clause(words + action, main, True)


def sentence(choose: Chooser) -> list[Word]:
    """Return a command of one or several clauses."""
    kind = choose.pick(plain=88, noun=4, where=2.5, there=1.5, after=2, see=1)
    if kind == 'noun':
        group = noun_phrase(choose)
        mark(group.words, 'target')
        return group.words + ([] if choose.chance(0.8) else say(choose.rng.choice(('좀', '부탁해', '부탁해요', '주세요 제발')))[:1]) + _end(choose, False)
    if kind == 'where':
        group = noun_phrase(choose)
        mark(group.words, 'target')
        particles = [particle(choose.rng.choice(('은', '이', '은')), group.words[-1].text)] if choose.chance(0.75) else []
        return group.words + particles + say(choose.rng.choice((
            '어디 있어', '어디에 있어', '어디 있니', '어디에 있나요', '어디 있죠', '필요해', '필요합니다', '보여', '보이니', '보여요', '어디야', '어디에 있지'))) + _end(choose, True)
    if kind in ('there', 'see'):
        return _introduced(choose, kind)
    if kind == 'after':
        return _verb_first(choose)
    return _steps(choose)


def _verb_first(choose: Chooser) -> list[Word]:
    """Spoken order: "집어 줘, 빨간 컵"."""
    made = clause(choose, choose.pick(take=3, act=3, place=2), 'final')
    moved = [word for word in made.words if word.role == 'target']
    if not moved or moved[0] is not made.words[0]:
        return made.words + _end(choose, made.asks)
    end = len(moved)
    while made.words[end].glue:
        end += 1
    lead = moved if choose.chance(0.5) else made.words[:end]
    return made.words[end:] + [Word(choose.rng.choice((',', ',', '.', '')), glue=True)] + lead + _end(choose, made.asks)


def _introduced(choose: Chooser, kind: str) -> list[Word]:
    group = noun_phrase(choose)
    mark(group.words, 'target')
    made = clause(choose, choose.pick(take=3, place=3, move=2, act=2), 'final', pronoun=choose.chance(0.6),
                  drop_target=True)
    link([group.head], 'argument', [made.verb])
    lead = say(choose.rng.choice(('저기', '여기', '책상 위에', '테이블 위에', '앞에', '바닥에', '저쪽에'))) if choose.chance(0.3) else []
    after = [particle('이', group.words[-1].text)]
    if kind == 'there':
        after += say(choose.rng.choice(('있어', '있어요', '있다', '보이지', '보여', '있네', '있는데', '있지', '있습니다', '보이지?')))
        after = after if after[-1].text == '?' else [*after, Word(choose.rng.choice(('.', ',', '.', '')), glue=True)]
    else:
        after += say(choose.rng.choice(('보이면', '있으면', '나타나면', '보이거든')))
    return lead + group.words + after + made.words + _end(choose, made.asks)


def _steps(choose: Chooser) -> list[Word]:
    count = choose.rng.choices((1, 2, 3, 4), (0.50, 0.36, 0.11, 0.03))[0]
    words: list[Word] = say(choose.template(choose.lists['vocatives'])) if choose.chance(0.22) else []
    if len(words) == 1 and words[0].text.endswith('아') and len(words[0].text) > 2:
        words = [Word(words[0].text[:-1]), Word('아', glue=True)]
    subject = say(choose.word('subjects')) if choose.chance(0.05) else []
    words += subject
    if choose.chance(0.03):
        words += say(choose.word('asides'))
        if choose.chance(0.5):
            words.append(Word(choose.rng.choice(',.'), glue=True))
    if count == 2 and choose.chance(0.10):
        return words + _before(choose)
    forbid_at = choose.rng.randrange(count) if choose.chance(0.11) else -1
    numbered = count > 1 and choose.chance(0.22)
    verbs: list[Word] = []
    asks = named = stopped = False
    kind = ''
    for index in range(count):
        first, last = index == 0, index == count - 1
        time: list[Word] = []
        if first and numbered:
            time = say(choose.template(choose.lists['first']))
        elif not first and (choose.chance(0.6) if stopped else choose.chance(0.3)):
            time = say(choose.template(choose.lists['last' if last and choose.chance(0.3) else 'then']))
        if index == forbid_at:
            made = prohibition(choose, last=last or choose.chance(0.3))
            stopped = not made.words[-1].text.endswith('고')
        else:
            made, kind = _next(choose, kind, last, named, stopped or first)
            stopped = last or (made.words[-1].text[-1] in '요오해줘라세' and choose.chance(0.0))
            named = named or made.named
            verbs.append(made.verb)
            asks = made.asks
        link([word for word in time if word.text.isalnum()], 'time', [made.verb])
        place = 0
        if time and first and choose.chance(0.2):
            place = _gap(choose, made.words)
        words += made.words[:place] + time + made.words[place:]
        if not last:
            words += _pause(choose, made)
            stopped = words[-1].text in '.;'
    link(subject, 'argument', verbs)
    for verb, following in zip(verbs, verbs[1:]):
        link([verb], 'action_order', [following])
    return words + _end(choose, asks)


def _next(choose: Chooser, before: str, last: bool, named: bool, fresh: bool) -> tuple[Clause, str]:
    """Return a clause that fits after one with a verb of the class ``before``."""
    takes = before in ('take', 'take_from')
    table = _PLACERS if takes and choose.chance(0.75) else _CLASSES
    if not before and not last and choose.chance(0.6):
        table = _TAKERS
    kind = choose.rng.choices(list(table), list(table.values()))[0]
    form = 'final' if last else choose.rng.choices(('joining', 'past', 'final'), (0.66, 0.14, 0.20))[0]
    refers = named and choose.chance(0.85 if takes and table is _PLACERS else 0.25)
    pronoun = refers and choose.chance(0.2)
    return clause(choose, kind, form, drop_target=refers and not pronoun, pronoun=pronoun), kind


def _gap(choose: Chooser, words: list[Word]) -> int:
    """Return a place between two phrases of a clause."""
    places = [index for index in range(1, len(words)) if not words[index].glue and (
        words[index].span is not words[index - 1].span or words[index].span is None)]
    return choose.rng.choice(places) if places else 0


def _pause(choose: Chooser, made: Clause) -> list[Word]:
    ending = made.words[-1].text
    joined = ending.endswith(('서', '고', '에', '음', '후', '뒤', '는', '가', '며', '자마자', '말고'))
    if joined:
        return [Word(',', glue=True)] if choose.chance(0.12) else []
    return [Word('?' if made.asks and choose.chance(0.8) else choose.rng.choice(('.', '.', '.', ',', '', '!')), glue=True)]


def _before(choose: Chooser) -> list[Word]:
    """Two clauses whose order a word tells: "상자를 닫기 전에 펜을 넣어"."""
    how = choose.template(('before', 'before, 먼저', 'after', 'but first'))
    if how == 'but first':
        late = clause(choose, choose.pick(place=2, move=1, act=1, take=1), 'final')
        early = clause(choose, choose.pick(act=2, take=2, take_from=1), 'final')
        time = say(choose.rng.choice(('그 전에', '그전에', '그러기 전에', '그 전에 먼저', '단, 그 전에')))
        link([word for word in time if word.text.isalnum()], 'time', [early.verb])
        words = late.words + [Word(choose.rng.choice(',.'), glue=True)] + time + early.words
        asks = early.asks
    elif how == 'after':
        early = clause(choose, choose.pick(take=2, act=2, place=1), 'past')
        late = clause(choose, choose.pick(place=2, move=1, act=1), 'final', drop_target=choose.chance(0.3))
        words, asks = early.words + late.words, late.asks
    else:
        late = clause(choose, choose.pick(act=2, place=1, move=1, take=1), 'before')
        early = clause(choose, choose.pick(take=2, act=1, take_from=1, place=1), 'final')
        time = say(choose.rng.choice(('먼저', '우선'))) if '먼저' in how else []
        link(time, 'time', [early.verb])
        comma = [Word(',', glue=True)] if choose.chance(0.2) else []
        words, asks = late.words + comma + time + early.words, early.asks
    link([early.verb], 'action_order', [late.verb])
    return words + _end(choose, asks)


def _end(choose: Chooser, asks: bool) -> list[Word]:
    words: list[Word] = []
    if choose.chance(0.06):
        mark_ = [Word(choose.rng.choice((',', '.', ',')), glue=True)] if choose.chance(0.6) else []
        words += mark_ + say(choose.word('trailers'))
    if choose.chance(0.03):
        words += [Word(choose.rng.choice('.,'), glue=True)] + say(choose.word('asides'))
    if asks and choose.chance(0.8):
        words.append(Word('?', glue=True))
    elif choose.chance(0.42):
        words.append(Word(choose.rng.choice('.....!'), glue=True))
    return words


__all__ = ['Clause', 'Group', 'clause', 'prohibition', 'sentence']
