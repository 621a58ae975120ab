"""Mixed scenes made of photographs: mosaics, and things pasted onto surfaces, with boxes as ground truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from training.grounding.photos import Photo, PhotoSampler, cut_out, read_image

WIDTH, HEIGHT = 640, 480
Box = tuple[float, float, float, float]         # x0, y0, x1, y1
LAYOUTS = ((2, 2), (3, 2), (3, 3), (4, 3))      # tiles across and down


@dataclass
class Composite:
    """A picture and what is in it.

    ``image`` (480, 640, 3) uint8 RGB. ``objects``: (kind, box, region, whether the box is one: True, or False
    where the thing is somewhere in the region, or None where so little of it is seen that nothing is asked
    or taught of it in its box). ``regions``: (box, whether all things of the kinds in it have boxes, whether
    all things at all have).
    """

    image: np.ndarray
    objects: list[tuple[str, Box, int, bool | None]] = field(default_factory=list)
    regions: list[tuple[Box, bool, bool]] = field(default_factory=list)


def make_composite(sampler: PhotoSampler, random: np.random.Generator,
                   backgrounds: list[Composite] | None = None) -> Composite:
    """Make one mixed scene: a mosaic, a single photograph, or things pasted onto a surface.

    :param backgrounds: rendered scenes to paste onto, beside made surfaces and pieces of photographs.
    """
    choice = random.random()
    if choice < 0.4:
        scene = _mosaic(sampler, random)
    elif choice < 0.5:
        scene = Composite(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        _place_tile(scene, sampler.photo(random), (0, 0, WIDTH, HEIGHT), random)
    else:
        scene = _pasted(sampler, random, backgrounds)
    scene.image = camera_effects(scene.image, random)
    return scene


def _mosaic(sampler: PhotoSampler, random: np.random.Generator) -> Composite:
    across, down = LAYOUTS[random.integers(len(LAYOUTS))]
    scene = Composite(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    xs = np.linspace(0, WIDTH, across + 1).round().astype(int)
    ys = np.linspace(0, HEIGHT, down + 1).round().astype(int)
    for row in range(down):
        for column in range(across):
            tile = (xs[column], ys[row], xs[column + 1], ys[row + 1])
            _place_tile(scene, sampler.photo(random), tile, random)
    return scene


def _place_tile(scene: Composite, photo: Photo, tile: tuple[int, int, int, int],
                random: np.random.Generator) -> None:
    """Put a photograph into a tile so that it covers it; things that are cut in half are left out."""
    image = read_image(photo.path)
    x0, y0, x1, y1 = (int(v) for v in tile)
    width, height = x1 - x0, y1 - y0
    scale = max(width / image.shape[1], height / image.shape[0]) * random.uniform(1.0, 1.25)
    size = (max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale)))
    picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = random.integers(size[0] - width + 1), random.integers(size[1] - height + 1)
    picture = picture[top:top + height, left:left + width]
    flip = random.random() < 0.5
    scene.image[y0:y1, x0:x1] = light(picture[:, ::-1] if flip else picture, random)
    region, exhaustive = len(scene.regions), photo.exhaustive
    scene.regions.append(((x0, y0, x1, y1), exhaustive, False))
    for thing in photo.things:
        if thing.box is None:
            scene.objects.append((thing.kind, (x0, y0, x1, y1), region, False))
            continue
        box = np.array(thing.box) * np.tile((size[0] / image.shape[1], size[1] / image.shape[0]), 2)
        box = box - (left, top, left, top)
        if flip:
            box = np.array([width - box[2], box[1], width - box[0], box[3]])
        clipped = np.clip(box, 0, (width, height, width, height))
        seen = np.prod(clipped[2:] - clipped[:2]) / max(1e-6, np.prod(box[2:] - box[:2]))
        if seen > 0.5 and min(clipped[2:] - clipped[:2]) > 8:
            scene.objects.append((thing.kind, tuple(clipped + np.array([x0, y0, x0, y0])), region, True))


def _pasted(sampler: PhotoSampler, random: np.random.Generator,
            backgrounds: list[Composite] | None) -> Composite:
    if backgrounds and random.random() < 0.5:
        base = backgrounds[random.integers(len(backgrounds))]
        scene = Composite(base.image.copy(), list(base.objects), list(base.regions))
    else:
        scene = Composite(surface(sampler, random), [], [((0, 0, WIDTH, HEIGHT), True, True)])
    typical = np.exp(random.normal(np.log(0.018), 0.6))         # share of the picture
    wanted = len(scene.objects) + int(random.integers(3, 11))
    for _ in range(25):
        if len(scene.objects) >= wanted:
            break
        photo, thing = sampler.thing(random)
        cut = cut_out(photo, thing)
        if cut is None:
            continue
        share = np.clip(typical * np.exp(random.normal(0, 0.4)), 0.0015, 0.15)
        _paste(scene, thing.kind, *cut, share, random)
    return scene


def _paste(scene: Composite, kind: str, picture: np.ndarray, opacity: np.ndarray, share: float,
           random: np.random.Generator) -> None:
    """Paste a thing where it hides little of the others, turned a little, with a soft shadow."""
    if random.random() < 0.5:
        picture, opacity = picture[:, ::-1], opacity[:, ::-1]
    picture, opacity = _turn(picture, opacity, random.normal(0, 12) if random.random() < 0.7
                             else random.uniform(-90, 90))
    scale = np.sqrt(share * WIDTH * HEIGHT / (opacity.shape[0] * opacity.shape[1]))
    size = tuple(int(max(8, side * scale)) for side in opacity.shape[::-1])
    if size[0] > 0.7 * WIDTH or size[1] > 0.7 * HEIGHT:
        return
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(picture, size, interpolation=way)
    opacity = cv2.resize(opacity, size, interpolation=way)
    for _ in range(8):
        x, y = random.integers(WIDTH - size[0] + 1), random.integers(HEIGHT - size[1] + 1)
        box = (float(x), float(y), float(x + size[0]), float(y + size[1]))
        if all(_covered(other, box) < 0.25 and _covered(box, other) < 0.4
               for _, other, _, boxed in scene.objects if boxed):
            break
    else:
        return
    window = (slice(y, y + size[1]), slice(x, x + size[0]))
    blur = max(1.0, 0.05 * max(size))
    shift = (int(random.normal(0, 0.05) * size[0]), int(0.06 * size[1]))
    shadow = np.zeros((HEIGHT, WIDTH), np.float32)
    shadow[window] = opacity
    shadow = cv2.GaussianBlur(np.roll(shadow, shift[::-1], (0, 1)), (0, 0), blur) * random.uniform(0, 0.5)
    scene.image = (scene.image * (1 - shadow[..., None])).astype(np.uint8)
    alpha = opacity[..., None]
    mixed = light(picture, random) * alpha + scene.image[window] * (1 - alpha)
    scene.image[window] = mixed.astype(np.uint8)
    scene.objects.append((kind, box, 0, True))


def _turn(picture: np.ndarray, opacity: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    height, width = opacity.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (int(height * sine + width * cosine) + 1, int(height * cosine + width * sine) + 1)
    matrix[:, 2] += (size[0] / 2 - width / 2, size[1] / 2 - height / 2)
    picture = cv2.warpAffine(np.ascontiguousarray(picture), matrix, size, borderMode=cv2.BORDER_REPLICATE)
    opacity = cv2.warpAffine(np.ascontiguousarray(opacity), matrix, size)
    ys, xs = np.nonzero(opacity > 0.3)
    if not len(ys):
        return picture, opacity
    window = (slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1))
    return picture[window], opacity[window]


def _covered(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the share of ``box`` that ``other`` covers."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(0.0, width) * max(0.0, height) / max(1e-6, (box[2] - box[0]) * (box[3] - box[1]))


def surface(sampler: PhotoSampler, random: np.random.Generator) -> np.ndarray:
    """Make a table, a cloth or a floor: streaked noise in one colour, or a blurred piece of a photograph."""
    choice = random.random()
    if choice < 0.45:
        image = read_image(sampler.photo(random).path)
        side = int(min(image.shape[:2]) * random.uniform(0.15, 0.5))
        y, x = random.integers(image.shape[0] - side + 1), random.integers(image.shape[1] - side + 1)
        picture = cv2.resize(image[y:y + side, x:x + side], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        return cv2.GaussianBlur(picture, (0, 0), random.uniform(1, 12))
    colour = cv2.cvtColor(np.array([[[random.uniform(0, 180), random.uniform(0, 110) * random.random() ** 0.5,
                                      random.uniform(40, 225)]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    streaks = (int(random.integers(2, 60)), int(random.integers(2, 60)))
    noise = cv2.resize(random.normal(0, 1, streaks).astype(np.float32), (WIDTH, HEIGHT),
                       interpolation=cv2.INTER_CUBIC)
    slope = np.linspace(-1, 1, WIDTH)[None] * random.normal(0, 15) + \
        np.linspace(-1, 1, HEIGHT)[:, None] * random.normal(0, 15)
    picture = colour[None, None] + (noise * random.uniform(0, 14) + slope)[..., None]
    if random.random() < 0.5:       # the far edge of the table, and what is behind it
        edge = int(random.uniform(0.02, 0.3) * HEIGHT)
        picture[:edge] = random.uniform(20, 240, 3) + noise[:edge, :, None] * 6
    return np.clip(picture, 0, 255).astype(np.uint8)


def light(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Change exposure, contrast and white balance."""
    gain = np.exp(random.normal(0, 0.12)) * np.exp(random.normal(0, 0.05, 3))
    changed = (picture.astype(np.float32) - 110) * np.exp(random.normal(0, 0.12)) + 110
    return np.clip(changed * gain, 0, 255).astype(np.uint8)


def camera_effects(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add what cameras do: white balance, blur, noise, compression."""
    image = light(image, random)
    if random.random() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 1.8))
    if random.random() < 0.4:
        image = np.clip(image + random.standard_normal(image.shape, np.float32) * random.uniform(1, 9), 0,
                        255).astype(np.uint8)
    if random.random() < 0.4:
        quality = int(random.integers(30, 90))
        _, data = cv2.imencode('.jpg', image, (cv2.IMWRITE_JPEG_QUALITY, quality))
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(image)
