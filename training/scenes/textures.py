"""Textures: procedural ones, and crops of photographs where a folder of them lies beside the checkout."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import cv2
import numpy as np

PHOTOS = 'VLA_TRAINING_PHOTOS'  # environment variable: a folder in the format of training_photos


def noise(
    shape: tuple[int, int], rng: np.random.Generator, *, octaves: int = 4, base: int = 4, stretch: float = 1.0
) -> np.ndarray:
    """Return smooth fractal noise, (h, w) float32 with mean 0 and about unit range."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        cells = base * 2**octave
        grid = rng.uniform(-1, 1, (max(2, int(cells)), max(2, int(cells / stretch)))).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return total / 1.5


def muted(rng: np.random.Generator) -> np.ndarray:
    """Draw an sRGB colour as tables and walls have it, (3,) float32: mostly pale or grey, seldom strong."""
    strength = rng.uniform(0.5, 1.0) if rng.uniform() < 0.12 else rng.uniform(0, 0.3)
    value = rng.uniform(0.55, 1.0) if rng.uniform() < 0.65 else rng.uniform(0.08, 0.55)
    tone = rng.uniform(0, 1, 3)
    return (value * (1 - strength * (tone.max() - tone) / max(float(np.ptp(tone)), 0.2))).astype(np.float32)


def wood(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """Return grain along the first axis, as a factor around white."""
    rings = noise((size, size), rng, base=int(rng.integers(2, 6)), octaves=3, stretch=1.0)
    grain = noise((size, size), rng, base=40, octaves=2, stretch=20.0)
    x = np.linspace(0, rng.uniform(2, 9), size, dtype=np.float32)[:, None]
    value = (
        0.85
        + rng.uniform(0.01, 0.08) * np.sin(2 * np.pi * (x + rings * 1.2))
        + rng.uniform(0.04, 0.10) * grain
    )
    tint = np.array([1.0, rng.uniform(0.93, 1.0), rng.uniform(0.85, 1.0)], np.float32)
    return _bytes(value[..., None] * tint)


def weave(rng: np.random.Generator, size: int = 128) -> np.ndarray:
    """Return woven cloth as a factor around white."""
    count = rng.integers(16, 40)
    t = np.linspace(0, 2 * np.pi * count, size, dtype=np.float32)
    value = 0.86 + 0.07 * np.sin(t)[:, None] + 0.07 * np.sin(t)[None, :] + 0.06 * noise((size, size), rng)
    return _bytes(np.repeat(value[..., None], 3, axis=2))


def speckle(rng: np.random.Generator, size: int = 128) -> np.ndarray:
    """Return blotches and grain (fruit peel, worn plastic) as a factor around white."""
    value = 0.92 + rng.uniform(0.03, 0.10) * noise((size, size), rng, base=int(rng.integers(3, 12)))
    value = value + rng.uniform(0.0, 0.05) * rng.standard_normal((size, size)).astype(np.float32)
    return _bytes(np.repeat(value[..., None], 3, axis=2))


def marble(rng: np.random.Generator, size: int = 512) -> np.ndarray:
    """Return veined stone."""
    veins = np.abs(noise((size, size), rng, base=3, octaves=5))
    base = rng.uniform(0.55, 0.98) if rng.uniform() < 0.7 else rng.uniform(0.08, 0.25)
    value = base - rng.uniform(0.1, 0.4) * base * np.exp(-veins * rng.uniform(6, 20))
    tint = 1 + rng.uniform(-0.06, 0.06, 3).astype(np.float32)
    return _bytes(value[..., None] * tint)


def granite(rng: np.random.Generator, size: int = 512) -> np.ndarray:
    """Return speckled stone."""
    base = rng.uniform(0.2, 0.8)
    value = (
        base + 0.12 * noise((size, size), rng, base=64, octaves=2) + 0.10 * rng.standard_normal((size, size))
    )
    tint = 1 + rng.uniform(-0.10, 0.10, 3)
    return _bytes(value[..., None].astype(np.float32) * tint)


def tiles(rng: np.random.Generator, size: int = 512) -> np.ndarray:
    """Return a checked or tiled surface with joints."""
    count = int(rng.integers(3, 12))
    index = np.arange(size) * count // size
    pattern = (index[:, None] + index[None, :]) % 2
    first, second = muted(rng), muted(rng)
    if rng.uniform() < 0.7:
        second = first * rng.uniform(0.85, 1.1)
    value = np.where(pattern[..., None] == 0, first, second).astype(np.float32)
    joint = (np.arange(size) * count % size) < size * rng.uniform(0.01, 0.05) * count / 6
    value[joint] *= rng.uniform(0.4, 1.2)
    value[:, joint] *= rng.uniform(0.4, 1.2)
    return _bytes(value + 0.03 * noise((size, size), rng)[..., None])


def planks(rng: np.random.Generator, size: int = 512) -> np.ndarray:
    """Return boards side by side."""
    tone = np.array([rng.uniform(0.35, 0.85), 0, 0], np.float32)
    tone[1] = tone[0] * rng.uniform(0.65, 0.95)
    tone[2] = tone[1] * rng.uniform(0.55, 0.95)
    if rng.uniform() < 0.15:
        tone[:] = rng.uniform(0.7, 0.95)
    count = int(rng.integers(1, 7))
    rows = []
    for index in range(count):
        height = size * (index + 1) // count - size * index // count
        board = cv2.resize(wood(rng), (size, max(height, 8)))[:height].astype(np.float32) / 255
        board *= tone * rng.uniform(0.88, 1.12)
        if count > 1:
            board[:2] *= 0.5
        rows.append(board)
    return _bytes(np.concatenate(rows))


def cloth(rng: np.random.Generator, size: int = 512) -> np.ndarray:
    """Return a table cloth: plain, striped or checked."""
    base = muted(rng)
    value = np.tile(base, (size, size, 1))
    pattern = rng.integers(3)
    if pattern:
        other = muted(rng)
        stripes = (np.arange(size) * int(rng.integers(6, 24)) // size) % 2 == 0
        value[stripes] = 0.5 * value[stripes] + 0.5 * other
        if pattern == 2:
            value[:, stripes] = 0.5 * value[:, stripes] + 0.5 * other
    return _bytes(value * cv2.resize(weave(rng), (size, size)).astype(np.float32) / 255)


def plain(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """Return a painted surface with faint stains."""
    return _bytes(muted(rng) + rng.uniform(0.01, 0.06) * noise((size, size), rng)[..., None])


def table(rng: np.random.Generator, *, held_out: bool = False) -> np.ndarray:
    """Draw a table top's texture."""
    makers = (planks, planks, planks, marble, granite, tiles, cloth, plain, plain, plain)
    choice = int(rng.integers(len(makers)))
    if rng.uniform() < 0.06:
        photo = photograph(rng, held_out=held_out)
        if photo is not None:
            return mirrored(crop(photo, rng, share=(0.15, 0.5)))
    return makers[choice](rng)


def wall(rng: np.random.Generator, *, held_out: bool = False) -> np.ndarray:
    """Draw a wall's texture, now and then an out-of-focus photograph."""
    photo = photograph(rng, held_out=held_out) if rng.uniform() < 0.5 else None
    if photo is not None:
        photo = crop(photo, rng, share=(0.5, 1.0))
        photo = cv2.resize(photo, (384, 288), interpolation=cv2.INTER_AREA)
        return mirrored(cv2.GaussianBlur(photo, (0, 0), rng.uniform(2.0, 7.0)))
    return (plain, plain, tiles, planks, cloth)[int(rng.integers(5))](rng)


def label(
    tone: np.ndarray, rng: np.random.Generator, *, held_out: bool = False, size: int = 160
) -> np.ndarray:
    """Print a package: the object's own colour with text lines, bars, patches and a picture.

    :param tone: (3,) linear RGB; stays the colour of most of the surface.
    """
    ground = np.clip(tone, 0, 1) ** (1 / 2.2) * 255
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = ground
    ink = np.array([250, 250, 250]) if ground.mean() < 140 else np.array([20, 20, 30])
    if rng.uniform() < 0.6:
        x, y = rng.integers(0, size // 2, 2)
        w, h = rng.integers(size // 5, size // 2, 2)
        patch = photograph(rng, held_out=held_out) if rng.uniform() < 0.5 else None
        if patch is None:
            picture[y : y + h, x : x + w] = rng.uniform(0, 255, 3)
        else:
            patch = crop(patch, rng, share=(0.2, 0.6))
            picture[y : y + h, x : x + w] = cv2.resize(patch, (int(w), int(h)), interpolation=cv2.INTER_AREA)
    for _ in range(int(rng.integers(1, 5))):
        text = ''.join(chr(code) for code in rng.integers(65, 91, int(rng.integers(3, 9))))
        at = (int(rng.integers(0, size // 2)), int(rng.integers(size // 6, size)))
        tint = ink if rng.uniform() < 0.7 else rng.uniform(0, 255, 3)
        cv2.putText(
            picture,
            text,
            at,
            cv2.FONT_HERSHEY_DUPLEX,
            float(rng.uniform(0.3, 1.3)),
            [float(v) for v in tint],
            int(rng.integers(1, 3)),
            cv2.LINE_AA,
        )
    for _ in range(int(rng.integers(0, 3))):
        y = int(rng.integers(size))
        picture[y : y + int(rng.integers(2, 14))] = ink if rng.uniform() < 0.5 else rng.uniform(0, 255, 3)
    return np.clip(picture, 0, 255).astype(np.uint8)


def photograph(rng: np.random.Generator, *, held_out: bool = False) -> np.ndarray | None:
    """Read a photograph at random, (h, w, 3) uint8 RGB; None where there is no folder of them."""
    paths = _photographs(held_out)
    if not paths:
        return None
    image = cv2.imread(paths[int(rng.integers(len(paths)))], cv2.IMREAD_COLOR)
    return None if image is None else image[..., ::-1].copy()


def crop(image: np.ndarray, rng: np.random.Generator, *, share: tuple[float, float]) -> np.ndarray:
    """Cut a window at random whose sides are ``share`` of the picture's."""
    height, width = image.shape[:2]
    h = max(8, int(height * rng.uniform(*share)))
    w = max(8, int(width * rng.uniform(*share)))
    y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return image[y : y + h, x : x + w]


def mirrored(image: np.ndarray) -> np.ndarray:
    """Make a tile that repeats without seams."""
    row = np.concatenate([image, image[:, ::-1]], axis=1)
    return np.concatenate([row, row[::-1]])


@functools.lru_cache(maxsize=2)
def _photographs(held_out: bool) -> tuple[str, ...]:
    """Paths of the photographs of one split, sorted, so that a seed means the same picture everywhere."""
    beside = Path(__file__).resolve().parents[3] / 'shared' / 'training_photos'
    folder = Path(os.environ.get(PHOTOS, beside))
    labels = folder / 'labels.jsonl'
    if not labels.is_file():
        return ()
    split = 'val' if held_out else 'train'
    with labels.open(encoding='utf-8') as lines:
        records = [json.loads(line) for line in lines]
    return tuple(sorted(str(folder / record['image']) for record in records if record['split'] == split))


def _bytes(value: np.ndarray) -> np.ndarray:
    return (np.clip(value, 0, 1) * 255).astype(np.uint8)
