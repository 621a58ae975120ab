"""What a kind of object is: its names, its maker, and how it may stand and look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .materials import Paint, Part

ANY = ('red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'brown', 'black', 'white', 'grey')
Maker = Callable[[np.random.Generator, Paint], list[Part]]


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    ``make`` builds a shape in metres that stands on z = 0 around the z axis. ``poses``: 'upright', 'side'
    (lying, turned about x) or 'down' (upside down). ``holds``: 'in' (things fit inside: bowl), 'on' (things
    lie on top: plate, book), '' (neither). ``scale`` is the range from a small to a large one.
    """

    name: str
    ko: str
    make: Maker
    colours: tuple[str, ...] = ANY
    materials: tuple[str, ...] = ('plastic',)
    poses: tuple[str, ...] = ('upright',)
    holds: str = ''
    scale: tuple[float, float] = (0.75, 1.35)
    frequency: float = 1.0
