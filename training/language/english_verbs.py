"""English verb forms."""

from __future__ import annotations

from training.language.chooser import Chooser


def inflect(choose: Chooser, verb: str, form: str) -> str:
    """Return the verb's base, '-ing' or participle form; a particle stays as it is."""
    first, _, rest = verb.partition(' ')
    if form == 'ing':
        if first.endswith('ie'):
            first = first[:-2] + 'y'
        elif first.endswith('e') and not first.endswith(('ee', 'oe', 'ye')):
            first = first[:-1]
        elif first in choose.lists['double']:
            first += first[-1]
        first += 'ing'
    elif form == 'past':
        if first in choose.lists['irregular_past']:
            first = choose.lists['irregular_past'][first]
        elif first.endswith('e'):
            first += 'd'
        elif first.endswith('y') and first[-2] not in 'aeiou':
            first = first[:-1] + 'ied'
        else:
            first += (first[-1] if first in choose.lists['double'] else '') + 'ed'
    return f'{first} {rest}'.strip()
