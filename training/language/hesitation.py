"""What people say while they think: "uh", "what's it called", "그 뭐지". Nothing of it is looked at."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.sample import Word, gaps, say


def hesitate(choose: Chooser, words: list[Word]) -> list[Word]:
    """Return the words with a hesitation between two phrases of them."""
    places = gaps(words)
    if not places:
        return words
    place = choose.rng.choice(places)
    said = say(choose.word('thinking'))
    for word in said:
        word.glue = word.text == ','
    return words[:place] + said + words[place:]
