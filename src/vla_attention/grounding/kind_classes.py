"""Kinds of the lexicon -> ImageNet classes that show them, with fall-backs to kinds that look alike."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import yaml

from vla_attention.language.lexicon import load_lexicon


@lru_cache(maxsize=1)
def _table() -> dict[str, list[int]]:
    text = files(__package__).joinpath('imagenet_classes.yaml').read_text(encoding='utf-8')
    table: dict[str, list[int]] = yaml.safe_load(text)
    return table


@lru_cache(maxsize=1024)
def classes_of(kind: str) -> tuple[tuple[int, ...], int]:
    """Return (ImageNet classes of a kind, steps of likeness that it took to find them).

    0 steps: the kind's own classes; 1: those of the kinds that it is like (or of a group's members); and so
    on. Empty classes for a kind that nothing leads to, '' among them.
    """
    table, like = _table(), load_lexicon().like
    level, seen = [kind], {kind}
    for steps in range(4):
        found = [number for name in level for number in table.get(name, [])]
        if found:
            return tuple(dict.fromkeys(found)), steps
        level = [other for name in level for other in like.get(name, ()) if other not in seen]
        seen.update(level)
    return (), 0
