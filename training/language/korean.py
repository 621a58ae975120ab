"""Korean commands: sentences of one or several clauses."""

from __future__ import annotations

import itertools

from training.language.chooser import Chooser
from training.language.hesitation import hesitate
from training.language.korean_asides import condition, remark
from training.language.korean_clauses import CLASSES, PLACERS, TAKERS, Clause, clause, prohibition
from training.language.korean_phrases import noun_phrase, particle
from training.language.sample import Word, gaps, link, mark, say

_TOPICAL = ('말', '있잖', '알지', '아시죠', '보이시죠')     # "컵 말이야": no particle before these


def sentence(choose: Chooser) -> list[Word]:
    """Return a command of one or several clauses, now and then with a hesitation."""
    words = _sentence(choose)
    return hesitate(choose, words) if choose.chance(0.03) else words


def _sentence(choose: Chooser) -> list[Word]:
    kind = choose.pick(plain=86, noun=4, where=3, there=1.5, after=3, see=1, said=1.2)
    if kind == 'noun':
        group = noun_phrase(choose)
        mark(group.words, 'target')
        return (
            group.words
            + (
                []
                if choose.chance(0.8)
                else say(choose.rng.choice(('좀', '부탁해', '부탁해요', '주세요 제발')))[:1]
            )
            + _end(choose, False)
        )
    if kind == 'where':
        group = noun_phrase(choose)
        mark(group.words, 'target')
        particles = (
            [particle(choose.rng.choice(('은', '이', '은')), group.words[-1].text)]
            if choose.chance(0.75)
            else []
        )
        return group.words + particles + say(choose.word('where_is')) + _end(choose, True)
    if kind in ('there', 'see', 'said'):
        return _introduced(choose, kind)
    if kind == 'after':
        return _verb_first(choose)
    return _steps(choose)


def _verb_first(choose: Chooser) -> list[Word]:
    """Spoken order, one phrase behind the verb: "집어 줘, 빨간 컵", "불 좀 비춰 봐, 흔들리지 않게"."""
    made = clause(choose, choose.pick(take=3, act=3, place=3, move=1), 'final')
    words = made.words
    spans = {id(word.span): word for word in words if word.role in ('target', 'destination', 'manner')}
    moved = choose.rng.choice(list(spans.values())) if spans else None
    if moved is None:
        return words + _end(choose, made.asks)
    start = next(index for index, word in enumerate(words) if word.span is moved.span)
    end = max(index for index, word in enumerate(words) if word.span is moved.span) + 1
    while words[end].glue and words[end].text != ',':
        end += 1
    part = words[start:end]
    if moved.role == 'target' and choose.chance(0.5):
        part = [word for word in part if word.span is moved.span]
    return [
        *words[:start],
        *words[end:],
        Word(choose.rng.choice((',', ',', '.', '')), glue=True),
        *part,
        *_end(choose, made.asks),
    ]


def _introduced(choose: Chooser, kind: str) -> list[Word]:
    group = noun_phrase(choose)
    mark(group.words, 'target')
    made = clause(
        choose,
        choose.pick(take=3, place=3, move=2, act=2),
        'final',
        pronoun=choose.chance(0.6),
        drop_target=True,
    )
    link([group.head], 'argument', [made.verb])
    lead = say(choose.word('there_lead')) if choose.chance(0.3) else []
    after = [particle('이', group.words[-1].text)]
    told = choose.word('said_of')
    if kind == 'said' and told.startswith(_TOPICAL):
        after = []
    if kind == 'there':
        after += say(choose.word('there_is'))
        after = (
            after
            if after[-1].text == '?'
            else [*after, Word(choose.rng.choice(('.', ',', '.', '')), glue=True)]
        )
    elif kind == 'said':
        after += say(told)
        if after[-1].text[-1] not in '까서데길,':
            after.append(Word(choose.rng.choice(',..'), glue=True))
    else:
        after += say(choose.rng.choice(('보이면', '있으면', '나타나면', '보이거든')))
    return lead + group.words + after + made.words + _end(choose, made.asks)


def _steps(choose: Chooser) -> list[Word]:
    count = choose.rng.choices((1, 2, 3, 4), (0.55, 0.35, 0.08, 0.02))[0]
    words = _opener(choose) if choose.chance(0.3) else []
    subject = say(choose.word('subjects')) if choose.chance(0.05) else []
    words += subject
    if choose.chance(0.05):
        words += remark(choose)
        if choose.chance(0.5):
            words.append(Word(choose.rng.choice(',.'), glue=True))
    if choose.chance(0.04):
        words += [*condition(choose), *([Word(',', glue=True)] if choose.chance(0.25) else [])]
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
            named = named or choose.chance(0.5)
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
    for verb, following in itertools.pairwise(verbs):
        link([verb], 'action_order', [following])
    if verbs and forbid_at != count - 1 and choose.chance(0.012):
        words += _also(choose, verbs[-1])
    return words + _end(choose, asks)


def _also(choose: Chooser, verb: Word) -> list[Word]:
    """Return another thing for the last verb: "치킨 갖고 와, *무도*!"."""
    group = noun_phrase(choose, depth=1, clauses=0.1)
    mark(group.words, 'target')
    link([group.head], 'argument', [verb])
    return [Word(',', glue=True), *group.words, *[Word(each, glue=index == 0) for index, each in
                                                  enumerate(choose.word('more_cases').split())]]


def _opener(choose: Chooser) -> list[Word]:
    """Return what calls the robot, or prepares the command."""
    if choose.chance(0.5):
        words = say(choose.word('openers').format(name=choose.word('names')))
    else:
        words = say(choose.template(choose.lists['vocatives']))
    for index, word in enumerate(words):
        if word.text[-1] in '아야' and len(word.text) > 2:
            cut = Word(word.text[-1], glue=True)
            return [*words[:index], Word(word.text[:-1], glue=word.glue), cut, *words[index + 1 :]]
    return words


def _next(choose: Chooser, before: str, last: bool, named: bool, fresh: bool) -> tuple[Clause, str]:
    """Return a clause that fits after one with a verb of the class ``before``."""
    takes = before in ('take', 'take_from')
    table = PLACERS if takes and choose.chance(0.75) else CLASSES
    if not before and not last and choose.chance(0.6):
        table = TAKERS
    kind = choose.rng.choices(list(table), list(table.values()))[0]
    form = 'final' if last else choose.rng.choices(('joining', 'past', 'final'), (0.62, 0.19, 0.19))[0]
    refers = named and choose.chance(0.85 if takes and table is PLACERS else 0.25)
    pronoun = refers and choose.chance(0.2)
    return clause(choose, kind, form, drop_target=refers and not pronoun, pronoun=pronoun), kind


def _gap(choose: Chooser, words: list[Word]) -> int:
    """Return a place between two phrases of a clause."""
    places = gaps(words)
    return choose.rng.choice(places) if places else 0


def _pause(choose: Chooser, made: Clause) -> list[Word]:
    ending = made.words[-1].text
    joined = ending.endswith(('서', '고', '에', '음', '후', '뒤', '는', '가', '며', '자마자', '말고'))
    if joined:
        return [Word(',', glue=True)] if choose.chance(0.12) else []
    return [
        Word(
            '?' if made.asks and choose.chance(0.8) else choose.rng.choice(('.', '.', '.', ',', '', '!')),
            glue=True,
        )
    ]


def _before(choose: Chooser) -> list[Word]:
    """Two clauses whose order a word tells: "상자를 닫기 전에 펜을 넣어"."""
    how = choose.template(('before', 'before, 먼저', 'after', 'but first'))
    if how == 'but first':
        late = clause(choose, choose.pick(place=2, move=1, act=1, take=1), 'final')
        early = clause(choose, choose.pick(act=2, take=2, take_from=1), 'final')
        time = say(choose.word('before_that'))
        link([word for word in time if word.text.isalnum()], 'time', [early.verb])
        words = [*late.words, Word(choose.rng.choice(',.'), glue=True), *time, *early.words]
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
    if choose.chance(0.06):
        mark_ = [] if choose.chance(0.15) else [Word(choose.rng.choice('.,,'), glue=True)]
        words += mark_ + remark(choose)
    if asks and choose.chance(0.8):
        words.append(Word('?', glue=True))
    elif choose.chance(0.42):
        words.append(Word(choose.rng.choice('.....!'), glue=True))
    return words
