"""What a referring phrase says of the thing it means: kind, colour, size, place, relation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Phrase:
    """A referring phrase ("red mug left of the laptop", "노트북 왼쪽에 있는 빨간 머그잔") taken apart.

    Canonical values are English, whatever language the phrase is in, so that the next stage needs to
    know one word for each. Every field but ``text`` may be empty.
    """

    text: str
    language: str = 'en'
    noun: str = ''                     # head noun as written: "머그잔"
    kind: str = ''                     # canonical kind of the lexicon: "mug"; '' when the noun is unknown
    plural: bool = False               # "the cups": more than one region is wanted
    colours: tuple[str, ...] = ()      # "red", "dark green" -> ("green",)
    material: str = ''                 # "wood", "metal", "glass", ...
    size: str = ''                     # "large", "small", "largest", "smallest", "tall", "short", ...
    ordinal: int = 0                   # "second" -> 2, "last" -> -1, 0: none
    position: str = ''                 # in the image: "left", "top", "middle", "leftmost", ...
    relation: str = ''                 # "left_of", "behind", "on", "in", "next_to", ...
    reference: Optional[Phrase] = None   # what the relation is to
    unknown: tuple[str, ...] = ()      # words that no list knows
