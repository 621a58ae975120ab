"""Surfaces of things: colours with names and shades, gloss, metal, glass, textures; and an object's paint."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from . import textures
from .mesh import Mesh

# name -> (hue from, to in degrees, saturation from, to, value from, to); shades within stay the name's own
COLOURS = {
    'red': ((-8, 8), (0.72, 0.98), (0.55, 0.95)),
    'orange': ((20, 33), (0.80, 1.0), (0.85, 1.0)),
    'yellow': ((46, 58), (0.65, 1.0), (0.82, 1.0)),
    'green': ((90, 160), (0.45, 0.95), (0.30, 0.80)),
    'blue': ((203, 235), (0.60, 0.98), (0.40, 0.95)),
    'purple': ((265, 290), (0.40, 0.85), (0.35, 0.75)),
    'pink': ((325, 350), (0.30, 0.60), (0.88, 1.0)),
    'brown': ((16, 32), (0.50, 0.80), (0.22, 0.50)),
    'black': ((0, 360), (0.0, 0.15), (0.02, 0.12)),
    'white': ((20, 60), (0.0, 0.06), (0.88, 1.0)),
    'grey': ((200, 240), (0.0, 0.08), (0.38, 0.62)),
}
# hue from, to in degrees of all that somebody may call so; they overlap
HUES = {
    'red': (-25, 20),
    'orange': (10, 45),
    'yellow': (35, 75),
    'green': (60, 185),
    'blue': (165, 265),
    'purple': (245, 325),
    'pink': (290, 375),
}
MATERIALS = {
    # name -> (gloss from, to, metal)
    'plastic': ((0.15, 0.6), 0.0),
    'ceramic': ((0.4, 0.8), 0.0),
    'metal': ((0.6, 0.95), 1.0),
    'wood': ((0.02, 0.15), 0.0),
    'paper': ((0.0, 0.2), 0.0),
    'rubber': ((0.0, 0.1), 0.0),
    'fabric': ((0.0, 0.0), 0.0),
    'glass': ((0.7, 0.95), 0.0),
    'food': ((0.05, 0.35), 0.0),
}


@dataclass(frozen=True)
class Surface:
    """``colour`` (3,) linear RGB 0..1; ``texture`` (h, w, 3) uint8 sRGB multiplied with it, or None.

    ``gloss`` 0..1 (highlights and reflections), ``metal`` 0..1, ``clear`` 0..1 is how much shines through.
    """

    colour: np.ndarray
    texture: np.ndarray | None = field(default=None, compare=False)
    gloss: float = 0.2
    metal: float = 0.0
    clear: float = 0.0


@dataclass(frozen=True)
class Part:
    """A mesh with its surface."""

    mesh: Mesh
    surface: Surface


class Paint:
    """What a kind's maker may paint with; ``main`` carries the colour that a phrase names.

    What a maker does not ask for is not made: textures cost more than meshes.
    """

    def __init__(self, main: Surface, tone: np.ndarray, colour: str, seed: int, *, held_out: bool) -> None:
        """Keep the main surface and its plain ``tone``; ``seed`` draws the rest."""
        self.main = main
        self._tone = tone
        self._colour = colour
        self._seed = seed
        self._held_out = held_out

    @cached_property
    def label(self) -> Surface:
        """A printed label or package whose ground is the object's own colour, so that its name still fits."""
        rng = self._random(0)
        printed = textures.label(self._tone, rng, held_out=self._held_out)
        return Surface(np.ones(3), printed, gloss=float(rng.uniform(0.05, 0.5)))

    @cached_property
    def accent(self) -> Surface:
        """A second colour."""
        rng = self._random(1)
        names = [name for name in COLOURS if name != self._colour]
        return surface(shade(names[rng.integers(len(names))], rng, held_out=self._held_out), 'plastic', rng)

    @cached_property
    def dark(self) -> Surface:
        """Black plastic."""
        rng = self._random(2)
        return Surface(shade('black', rng), gloss=float(rng.uniform(0.1, 0.6)))

    @cached_property
    def light(self) -> Surface:
        """White plastic or paper."""
        rng = self._random(3)
        return Surface(shade('white', rng), gloss=float(rng.uniform(0.1, 0.5)))

    @cached_property
    def steel(self) -> Surface:
        """Bare metal."""
        return Surface(np.full(3, self._random(4).uniform(0.45, 0.75)), gloss=0.85, metal=1.0)

    @cached_property
    def wood(self) -> Surface:
        """Bare wood."""
        rng = self._random(5)
        return Surface(
            linear(np.array([0.68, 0.48, 0.30])) * rng.uniform(0.6, 1.3), textures.wood(rng), gloss=0.08
        )

    def _random(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, purpose])


def linear(srgb: np.ndarray) -> np.ndarray:
    """Decode sRGB in 0..1 to linear light (IEC 61966-2-1, as a power of 2.2)."""
    return np.asarray(srgb, np.float64) ** 2.2


def shade(name: str, rng: np.random.Generator, *, held_out: bool = False) -> np.ndarray:
    """Draw a linear RGB shade of a colour; held-out shades are the middle third of its range of value."""
    hue, saturation, value = COLOURS[name]
    share = rng.uniform(0, 1)
    share = (1 + share) / 3 if held_out else (share * 2 / 3 if share < 0.5 else (1 + 2 * share) / 3)
    h = rng.uniform(*hue) % 360 / 360
    return linear(
        np.array(colorsys.hsv_to_rgb(h, rng.uniform(*saturation), value[0] + share * (value[1] - value[0])))
    )


def names(colour: np.ndarray) -> frozenset[str]:
    """Return every name that a linear RGB colour may go by, at least one."""
    red, green, blue = (float(share) for share in np.clip(colour, 0, 1) ** (1 / 2.2))
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    found = set()
    if saturation > 0.1 and value > 0.1:
        turns = [360 * (hue + turn) for turn in (-1, 0, 1)]
        found |= {name for name, (low, high) in HUES.items() if any(low <= turn <= high for turn in turns)}
        if value < 0.7 and found & {'red', 'orange', 'yellow'}:
            found.add('brown')
    if saturation < 0.35 and value > 0.7:
        found.add('white')
    if saturation < 0.35 and 0.2 < value < 0.85:
        found.add('grey')
    if value < 0.35:
        found.add('black')
    return frozenset(found)


def surface(colour: np.ndarray, material: str, rng: np.random.Generator) -> Surface:
    """Make a plain surface of a material."""
    gloss, metal = MATERIALS[material]
    return Surface(colour, gloss=float(rng.uniform(*gloss)), metal=metal)


def paint(colour: str, material: str, rng: np.random.Generator, *, held_out: bool = False) -> Paint:
    """Mix an object's paint: main surface of the colour and material, the rest drawn at random."""
    tone = shade(colour, rng, held_out=held_out)
    main = surface(tone, material, rng)
    if material == 'wood':
        main = replace(main, texture=textures.wood(rng))
    elif material == 'fabric':
        main = replace(main, texture=textures.weave(rng))
    elif material == 'glass':
        main = replace(main, clear=float(rng.uniform(0.35, 0.65)))
    elif material == 'food' or rng.uniform() < 0.35:
        main = replace(main, texture=textures.speckle(rng))
    return Paint(main, tone, colour, int(rng.integers(2**31)), held_out=held_out)
