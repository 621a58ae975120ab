"""The few words that turn the order of two actions: "before", "after", "전에"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# a small, closed class in both languages; which verb such a word belongs to is the time head's to say
LATER = frozenset(('before', '전에', '전', '직전에'))   # what its verb tells is done after the other
EARLIER = frozenset(('after', 'once'))                  # ... before the other
REFERRING = frozenset(('that', 'this', 'which', 'anything', 'all'))     # "after that": no verb's word
OPENING = frozenset(('.', '!', '?', ';', 'and', 'then', 'please'))  # a clause opens a sentence after these
CLEAR = 0.3     # attention that a word pays to the verb it belongs to, at least
# the same of two words and what must follow them: no verb's name may stand there ("as soon as it boils")
PHRASES = {('prior', 'to'): 'ing', ('soon', 'as'): 'you'}
ALONE = 0.8     # attention to itself from which on a word belongs to no verb: "before it burns"


def turns_of(text: str, pieces: Sequence[tuple[int, int]], time: np.ndarray,
             verbs: Sequence[Sequence[int]]) -> set[tuple[int, int]]:
    """Return (earlier, later) pairs of verbs as the text says them.

    "Before closing the box, put ...", "put ... before closing the box", "닫기 전에 ... 넣어",
    "옮겨, 그 전에 ... 열어", "put ... after opening", "put ..., but first open", "put ... prior to closing",
    "close ... as soon as you put".

    :param pieces: [start, end) of each of the T tokens.
    :param time: (T, T), the head that links time words to verbs.
    :param verbs: the tokens of each verb, in the order of the text.
    """
    words = [text[start:end].lower() for start, end in pieces]
    turns = set()
    for index, word in enumerate(words):
        before = words[index - 1] if index else ''
        after = words[index + 1] if index + 1 < len(words) else ''
        third = words[index + 2] if index + 2 < len(words) else ''
        ending = PHRASES.get((word, after))
        phrase = ending is not None and third.endswith(ending) and (word != 'soon' or before == 'as')
        first = (word == 'first' and before == 'but') or (word == 'before' and after in ('that', 'this'))
        turning = phrase or word in LATER or word == 'after' or (word == 'once' and after in ('you', 'the'))
        if len(verbs) < 2 or not (first or (turning and after not in REFERRING)):
            continue
        korean = '가' <= word[0] <= '힣'
        own = _own(index, time, verbs, behind=korean and before != '그')
        if own is None or (time[index, index] >= ALONE and not phrase):
            continue
        stands_before = index < verbs[own][0]
        opens = not stands_before if korean else not first and (index == 0 or before in OPENING)
        other = own + 1 if opens else own - 1
        if 0 <= other < len(verbs):
            # 그 전에 X: X comes first
            own_first = first or word in EARLIER or word == 'soon' or (korean and stands_before)
            turns.add((own, other) if own_first else (other, own))
    return turns


def _own(index: int, time: np.ndarray, verbs: Sequence[Sequence[int]], *, behind: bool) -> int | None:
    """Return which verb after the word (``behind``: before it) it belongs to; the nearest in doubt."""
    places = [place for place, tokens in enumerate(verbs) if (tokens[0] < index) == behind]
    if not places:
        return None
    pull = {place: float(time[index, list(verbs[place])].sum()) for place in places}
    best = max(places, key=lambda place: pull[place])
    return best if pull[best] >= CLEAR else places[-1 if behind else 0]
