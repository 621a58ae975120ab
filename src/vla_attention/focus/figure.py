"""Figure and ground: which pixels around a box are the thing that the box means, by colour."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

Window = tuple[int, int, int, int]      # x0, y0, x1, y1 in pixels of the image

SIDE = 64           # pixels of the longer side of the window that is worked on
MARGIN = 0.25       # how far around the box the window reaches, in its longer sides
ROUNDS = 3          # of telling figure from ground and learning the colours of both anew
EVEN = 0.6          # from the middle (0) to the box's sides (1): where figure and ground are as likely
STEEP = 1.5         # by how much the odds (log) fall from the middle to the box's sides
MAP_WEIGHT = 0.5    # what the odds (log) of the map count
COLOUR_WEIGHT = 2.5         # what those of a colour count
MOST_COLOUR = 4.0           # odds (log) of a colour at most
COMMON = 0.005      # share of the commonest colour's frequency from which a colour is common
OWN = 0.5           # a colour that is this much as frequent around a thing may still be its own
ABUNDANT = 0.5      # share of the commonest frequency on other things from which a colour is theirs,
RARE = 0.1          # where on the thing it is less frequent than this share of that
FEWEST = 20         # pixels that tell the colours of the thing, or of others, at least
COUNTED = 8000      # pixels whose colours are counted around a thing, about
SURE = 0.06         # of the window's shorter side: so deep in the figure, so far from it, pixels are sure
DOUBT = 3.0         # odds (log) below which a pixel is in doubt
DOUBTFUL = 0.2      # share of a border's pixels in doubt from which it is drawn anew
SHRUNK = 0.45       # share of the figure's box that the box of the cut may lose, or the figure stays
LEAST_PART = 0.35           # a part that weighs less than this share of the heaviest is none of the thing

_BITS = 3                                       # of each channel of a colour
_BINS = 1 << _BITS
_BAND = 0.5 * np.eye(_BINS) + 0.25 * (np.eye(_BINS, k=1) + np.eye(_BINS, k=-1))
_SPREAD = _BAND / _BAND.sum(axis=0)             # of a channel to its neighbours
_SPREAD_TWO = np.kron(_SPREAD, _SPREAD)         # of two channels at once
_VALUES = np.arange(256)
_PARTS = (np.stack([_VALUES // 2 + 32, *[np.clip(2 * _VALUES - 128, 0, 255)] * 2], axis=-1) >> (8 - _BITS)
          << np.array([2 * _BITS, _BITS, 0])).astype(np.uint16)[None]     # of a code, of each channel of Lab


class Figure(NamedTuple):
    """A thing in a window of the image.

    ``mask`` (h, w) bool in the window, along edges. ``box`` holds it and the figure by colour and place:
    where the line along edges leaves out a part of another colour, the box of the whole is right.
    """

    window: Window
    mask: np.ndarray
    box: Window


def find_figure(image: np.ndarray, box: tuple[float, float, float, float],
                heat: np.ndarray) -> Figure:
    """Tell a thing from what is around it.

    Colours of figure and ground are learned from the picture itself, beginning with the place in the box and
    the map, and pixels are told apart by both, in turns; then GrabCut (Rother et al., SIGGRAPH 2004) draws
    the line along edges. A box that is too large or somewhat too small is corrected.

    :param image: (H, W, 3) uint8 RGB.
    :param box: (x0, y0, x1, y1) in pixels, at least partly in the image.
    :param heat: (H, W) float32, the map; only its relation to its peak in the box counts.
    :return: nowhere True where no part of the box differs from its surroundings.
    """
    height, width = image.shape[:2]
    window = _around(box, width, height)
    x0, y0, x1, y1 = window
    scale = min(1.0, SIDE / max(x1 - x0, y1 - y0))
    size = (max(4, round((x1 - x0) * scale)), max(4, round((y1 - y0) * scale)))
    small = cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    warm = cv2.resize(heat[y0:y1, x0:x1], size, interpolation=cv2.INTER_LINEAR)
    across = _from_middle(x0, x1, size[0], box[0], box[2])
    down = _from_middle(y0, y1, size[1], box[1], box[3])[:, None]
    place = np.maximum(np.maximum(across, down), np.hypot(across, down) / 1.2)
    prior = np.clip(STEEP * (EVEN - place), -4, 2.5) + MAP_WEIGHT * _map_odds(warm, place < 1)
    odds = _by_colour(colours(small), prior.astype(np.float32))
    weight = np.exp(-1.2 * place * place) / (1 + np.exp(-odds))
    mask = _heavy_parts(odds > 0, weight)
    mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    whole, drawn = (cv2.resize(each.astype(np.float32), (x1 - x0, y1 - y0)) >= 0.5
                    for each in (mask, _along_edges(small, mask, odds)))
    if not drawn.any():
        drawn = whole
    left, top, wide, high = cv2.boundingRect((whole | drawn).astype(np.uint8))
    return Figure(window, drawn, (x0 + left, y0 + top, x0 + left + wide, y0 + top + high))


def _along_edges(image: np.ndarray, figure: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Move the border of a figure to edges of the picture, by one round of GrabCut.

    :param image: (h, w, 3) uint8 RGB.
    :param figure: (h, w) uint8, 0 or 1.
    :param odds: (h, w) log odds of each pixel being of the figure, by colour and place.
    :return: (h, w) uint8, 0 or 1; the figure itself where colours leave no doubt about its border, which
        saves time, and where the cut loses much of it.
    """
    deep = max(1, round(SURE * min(figure.shape)))
    reach = np.ones((4 * deep + 1, 4 * deep + 1), np.uint8)
    outer, inner = cv2.dilate(figure, reach) > 0, cv2.erode(figure, reach) > 0
    border = outer & ~inner
    if not border.any() or np.mean(np.abs(odds[border]) < DOUBT) < DOUBTFUL:
        return figure
    kinds = np.full(figure.shape, cv2.GC_BGD, np.uint8)
    kinds[outer] = cv2.GC_PR_BGD
    kinds[figure > 0] = cv2.GC_PR_FGD
    kinds[inner] = cv2.GC_FGD
    cv2.setRNGSeed(0)       # the mixtures begin with random centres
    models = np.zeros((2, 1, 65))
    cv2.grabCut(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), kinds, (0, 0, 0, 0), models[0], models[1], 1,
                cv2.GC_INIT_WITH_MASK)
    cut = ((kinds == cv2.GC_FGD) | (kinds == cv2.GC_PR_FGD)).astype(np.uint8)
    areas = [width * height for _, _, width, height in map(cv2.boundingRect, (cut, figure))]
    return cut if areas[0] >= (1 - SHRUNK) * areas[1] else figure


def alike(codes: np.ndarray, said: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Tell which pixels have a colour that is common under a mask and not much commoner around it.

    :param codes: (h, w), see :func:`colours`.
    :param said: (h, w) bool.
    :param asked: (h, w) bool, the pixels that are asked about.
    :return: (h, w) bool, False where nothing is asked.
    """
    answer = np.zeros(said.shape, bool)
    if not asked.any():
        return answer
    (under, _), (inside, outside) = _frequencies(codes, said, ~said)
    if not under:
        return answer
    common = (inside > COMMON * inside.max()) & (inside > OWN * outside)
    answer[asked] = common[codes[asked]]
    return answer


def foreign(codes: np.ndarray, known: np.ndarray, others: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Tell which pixels have a colour of other things: common there, and rare on a thing.

    :param codes: (h, w), see :func:`colours`.
    :param known: (h, w) bool, of the thing, well inside its outline.
    :param others: (h, w) bool, of other things.
    :param asked: (h, w) bool, the pixels that are asked about.
    :return: (h, w) bool, False where nothing is asked, and everywhere where too little is known.
    """
    answer = np.zeros(known.shape, bool)
    if not asked.any():
        return answer
    counted, (inside, outside) = _frequencies(codes, known, others)
    if min(counted) < FEWEST:
        return answer
    strange = (outside > ABUNDANT * outside.max()) & (inside < RARE * outside)
    answer[asked] = strange[codes[asked]]
    return answer


def _frequencies(codes: np.ndarray, *masks: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
    """Return of each mask how many pixels were counted, and how frequent each colour is among them."""
    step = max(1, round(np.sqrt(codes.size / COUNTED)))
    counted = [codes[::step, ::step][mask[::step, ::step]] for mask in masks]
    return ([*map(len, counted)],
            [_shares(_spread(np.bincount(each, minlength=_BINS ** 3))) for each in counted])


def _around(box: tuple[float, float, float, float], width: int, height: int) -> Window:
    margin = MARGIN * max(box[2] - box[0], box[3] - box[1])
    x0 = min(max(0, int(box[0] - margin)), width - 1)
    y0 = min(max(0, int(box[1] - margin)), height - 1)
    return (x0, y0, max(x0 + 1, min(width, int(np.ceil(box[2] + margin)))),
            max(y0 + 1, min(height, int(np.ceil(box[3] + margin)))))


def _from_middle(start: int, stop: int, cells: int, low: float, high: float) -> np.ndarray:
    """Return (cells,) how far each cell is from the middle of a box; 1 is its side."""
    at = start + (np.arange(cells) + 0.5) * (stop - start) / cells
    return np.abs(at - (low + high) / 2) / max((high - low) / 2, 0.5)


def _map_odds(warm: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the log odds of a map against its own peak in the box; 0 outside it."""
    peak = float(warm[inside].max()) if inside.any() else 0.0
    if peak <= 0:
        return np.zeros_like(warm)
    share = np.clip(warm / peak, 0.1, 0.9)
    return np.where(inside, np.log(share / (1 - share)), 0)


def colours(image: np.ndarray) -> np.ndarray:
    """Quantise colours in CIE L*a*b*, which tells them apart as people do; brightness counts half.

    :param image: (h, w, 3) uint8 RGB.
    :return: (h, w) a number for each colour.
    """
    parts: np.ndarray = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), _PARTS)
    return (parts[..., 0] + parts[..., 1] + parts[..., 2]).astype(np.intp)


def _by_colour(codes: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return the log odds (h, w) of figure against ground, from colours and the prior log odds."""
    flat = codes.ravel()
    least = 2e-3 / flat.size
    whole = _spread(np.bincount(flat, minlength=_BINS ** 3))
    odds = prior
    for _ in range(ROUNDS):
        figure = _spread(np.bincount(flat, 1 / (1 + np.exp(-odds.ravel())), _BINS ** 3))
        ratio = np.log((_shares(figure) + least) / (_shares(whole - figure) + least))
        ratio = ratio.clip(-MOST_COLOUR, MOST_COLOUR).astype(np.float32)
        smooth = cv2.GaussianBlur(ratio[codes], (3, 3), 0.5)
        odds = prior + COLOUR_WEIGHT * smooth
    return odds


def _spread(counts: np.ndarray) -> np.ndarray:
    """Spread a histogram to neighbouring colours."""
    return (_SPREAD_TWO @ counts.reshape(_BINS ** 2, _BINS) @ _SPREAD.T).ravel()


def _shares(counts: np.ndarray) -> np.ndarray:
    """Make a histogram sum to 1."""
    return counts / max(float(counts.sum()), 1e-9)


def _heavy_parts(mask: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Keep the connected part that weighs most, and those that weigh about as much."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    weights = np.bincount(labels.ravel(), weight.ravel(), count)
    weights[0] = 0.0
    keep = weights > LEAST_PART * weights.max()
    return keep[labels]
