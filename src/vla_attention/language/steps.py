"""Spans and the links between words -> steps in the order of execution."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vla_attention.language.instruction import Step
from vla_attention.language.order_words import turns_of
from vla_attention.language.spans import Span

LINKED = 0.3    # attention from which on a word belongs to a verb
SHARED = 0.42   # attention from which on a target belongs to a verb, though another has more of it
TORN = 0.25     # attention from which on a target may belong to a verb alone, though another has more of it
OWN = 0.9       # attention from which on a target belongs to one verb and no other


_Links = Sequence[Sequence[float]]  # what each token pays to each


@dataclass
class _Verb:
    """An action, of one span or of two ("pick" and "up"), and what belongs to it."""

    spans: list[Span]
    avoid: bool
    arguments: dict[str, list[Span]] = field(default_factory=dict)


def make_steps(text: str, spans: Sequence[Span], pieces: Sequence[tuple[int, int]],
               heads: Mapping[str, np.ndarray], avoid: np.ndarray, language: str) -> tuple[Step, ...]:
    """Put the spans together to steps.

    An action without a target of its own has that of the action before it ("집어서 ... 놓아", "pick up ...
    and place it"), or, where it has nothing at all, of the next ("wash and dry the cup"). Several targets
    of one action are as many steps. What a command names as not meant ("A 말고 B", "without touching A")
    is a step that forbids and has no action.

    :param spans: in the order of the text.
    :param pieces: [start, end) of each of the T tokens.
    :param heads: "argument", "cause", "time" and "action_order", each (T, T), rows sum to 1.
    :param avoid: (L,) bool: the character is part of what must not be done or touched.
    """
    inside = {span: [index for index, (start, end) in enumerate(pieces)
                     if start < span.end and end > span.start] for span in spans}
    links: dict[str, _Links] = {name: heads[name].tolist() for name in ('argument', 'cause', 'action_order')}
    verbs = _verbs(spans, inside, links['argument'], avoid)
    loose: list[Span] = []
    owners: dict[Span, list[int]] = {}
    for span in spans:
        if span.role == 'action':
            continue
        if not verbs:
            loose.append(span)
            continue
        head = 'cause' if span.role == 'manner' else 'argument'
        owners[span] = _owners(span, verbs, inside, links[head], language)
    _untangle(owners, {span: _pulls(span, verbs, inside, links['argument']) for span in owners
                       if span.role == 'target'})
    served = {indices[0] for span, indices in owners.items() if span.role == 'target'}
    for span, indices in owners.items():
        for index in indices:
            if index == indices[0] or index not in served:  # a verb with a target of its own shares none
                verbs[index].arguments.setdefault(span.role, []).append(span)
    tokens = [[piece for span in verb.spans for piece in inside[span]] for verb in verbs]
    order = _order(verbs, tokens, links['action_order'], turns_of(text, pieces, heads['time'], tokens))
    steps = [step for index in order
             for step in _steps_of(text, verbs, index)]
    if loose:
        steps += _without_verb(text, loose)
    return tuple(steps + [Step(target=phrase, avoid=True) for phrase in _not_meant(text, spans, avoid)])


def _without_verb(text: str, spans: Sequence[Span]) -> list[Step]:
    """Return a step a target of a text that has no action: "the red cup on the left"."""
    targets = _texts(text, [span for span in spans if span.role == 'target'])
    rest = {role: ', '.join(_texts(text, [span for span in spans if span.role == role]))
            for role in ('destination', 'source', 'manner')}
    return [Step(target=target, avoid=False, **rest) for target in targets or ['']]


def _verbs(spans: Sequence[Span], inside: Mapping[Span, list[int]], links: _Links,
           avoid: np.ndarray) -> list[_Verb]:
    verbs: list[_Verb] = []
    for span in spans:
        if span.role != 'action':
            continue
        pull = _pulls(span, verbs, inside, links)
        if pull and max(pull) > 0.5:
            verbs[pull.index(max(pull))].spans.append(span)
        else:
            verbs.append(_Verb([span], bool(avoid[span.start:span.end].mean() > 0.5)))
    return verbs


def _pull(queries: Sequence[int], keys: Sequence[int], links: _Links) -> float:
    """Return the most attention that one of the queries pays to the keys together."""
    return max((sum([links[query][key] for key in keys]) for query in queries), default=0.0)


def _pulls(span: Span, verbs: Sequence[_Verb], inside: Mapping[Span, list[int]],
           links: _Links) -> list[float]:
    """Return how much of the span's attention each verb has."""
    return [_pull(inside[span], [index for part in verb.spans for index in inside[part]], links)
            for verb in verbs]


def _owners(span: Span, verbs: Sequence[_Verb], inside: Mapping[Span, list[int]], links: _Links,
            language: str) -> list[int]:
    pull = _pulls(span, verbs, inside, links)
    best = pull.index(max(pull))
    if pull[best] < LINKED:     # nothing is linked: the verb that stands where verbs stand in this language
        starts = [verb.spans[0].start for verb in verbs]
        after = [index for index, start in enumerate(starts) if start > span.start]
        before = [index for index, start in enumerate(starts) if start < span.start]
        if language == 'ko':
            return [after[0] if after else before[-1]]
        return [before[-1] if before else after[0]]
    if span.role != 'target':
        return [best]
    return [best, *(index for index, value in enumerate(pull) if index != best and value >= SHARED)]


def _untangle(owners: dict[Span, list[int]], pulls: Mapping[Span, Sequence[float]]) -> None:
    """Give a target that is torn between two verbs to the one without a target, where the other has its own.

    "After opening the box, take out the screw": the box is opened and nothing else, so the screw is taken and
    nothing else. Targets that belong together ("wash and dry the cup and the plate") are torn alike.

    :param pulls: how much of each target's attention each verb has.
    """
    for span in pulls:
        first = owners[span][0]
        others = [other for other in pulls if other is not span]
        torn = [index for index, pull in enumerate(pulls[span]) if index != first and pull >= TORN
                and not any(index in owners[other] for other in others)]
        if torn and any(pulls[other][first] >= OWN for other in others):
            owners[span] = torn[:1]


def _order(verbs: Sequence[_Verb], tokens: Sequence[Sequence[int]], links: _Links,
           turns: set[tuple[int, int]]) -> list[int]:
    """Return the verbs in the order of execution: the text's, unless "before" or "after" changes it."""
    wanted = [index for index, verb in enumerate(verbs) if not verb.avoid]
    follows = {(first, second) for first in wanted for second in wanted
               if first != second and _pull(tokens[first], tokens[second], links) > 0.5}
    # what a word like "before" says outright counts more than what the head makes of the two
    follows = {pair for pair in follows if pair[::-1] not in turns} | turns
    order: list[int] = []
    rest = list(wanted)
    while rest:
        ready = [index for index in rest if not any((other, index) in follows for other in rest)]
        chosen = ready[0] if ready else rest[0]     # a circle: the order of the text
        order.append(chosen)
        rest.remove(chosen)
    for index, verb in enumerate(verbs):
        if verb.avoid:
            order.insert(min(index, len(order)), index)
    return order


def _steps_of(text: str, verbs: Sequence[_Verb], index: int) -> list[Step]:
    verb = verbs[index]
    targets = verb.arguments.get('target', [])
    for earlier in reversed(verbs[:index]):
        if targets or verb.avoid:
            break
        if not earlier.avoid:
            targets = earlier.arguments.get('target', [])
    bare = not (targets or verb.arguments or verb.avoid)
    if bare and index + 1 < len(verbs) and not verbs[index + 1].avoid:
        targets = verbs[index + 1].arguments.get('target', [])
    rest = {role: ', '.join(_texts(text, verb.arguments.get(role, ()))) for role in ('source', 'manner')}
    action = ' '.join(_texts(text, verb.spans))
    places = verb.arguments.get('destination', [])
    pairs = zip if _take_turns(targets, places) else itertools.product
    return [Step(action=action, target=target, destination=place, avoid=verb.avoid, **rest)
            for target, place in pairs(_texts(text, targets) or [''], _texts(text, places) or [''])]


def _take_turns(targets: Sequence[Span], places: Sequence[Span]) -> bool:
    """Tell whether each target has a place of its own: "the cup here, the pan in the sink"."""
    if len(targets) < 2 or len(targets) != len(places):
        return False
    turns = [span.role for span in sorted([*targets, *places], key=lambda span: span.start)]
    return all(one != next_ for one, next_ in itertools.pairwise(turns))


def _texts(text: str, spans: Sequence[Span]) -> list[str]:
    return [text[span.start:span.end] for span in spans]


def _not_meant(text: str, spans: Sequence[Span], avoid: np.ndarray) -> list[str]:
    """Return what is to be avoided and is no target or action itself."""
    marked = avoid.copy()
    for span in spans:
        if span.role in ('target', 'action'):
            marked[span.start:span.end] = False
    phrases, start = [], -1
    for index in range(len(text) + 1):
        on = index < len(text) and bool(marked[index])
        if on and start < 0:
            start = index
        elif not on and start >= 0:
            phrase = text[start:index].strip()
            if len(phrase) > 1 or '가' <= phrase <= '힣':
                phrases.append(phrase)
            start = -1
    return phrases
