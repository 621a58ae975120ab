"""The rectangle around a thing as it is seen from above."""

from __future__ import annotations

import cv2
import numpy as np

CELL = 2.0          # distances between neighbouring points that a cell of the grid is wide
CROWD = 4           # points in a cell and its neighbours from which they stand not alone
THIN = 0.5          # of the body's half breadth: what is narrower than twice that sticks out of it
STICKS_OUT = 0.3   # half breadths that something reaches beyond the body from which it sticks out
LEAST_BODY = 3      # cells of half a breadth from which a body can be told from what sticks out
ROUND = 0.9         # share of its rectangle below which a body is round: a disc has 0.79, a square 1
SQUARE = 1.25       # a body whose sides differ by less has no longer side

Rectangle = tuple[tuple[float, float], tuple[float, float], float]


def footprint(seen: np.ndarray, hidden: np.ndarray, spacing: float) -> Rectangle:
    """Return the rectangle around points seen from above.

    It is that of least area. But a handle would turn it (around a disc with a handle, the least one has the
    handle on its diagonal, and neither side is the disc's breadth): where something thin sticks out of a
    broad body, the sides lie along the body's; along what sticks out where the body is round.

    :param seen: (N, 2) metres, N > 0.
    :param hidden: (K, 2) metres, what is guessed to be there; what sticks out is not guessed.
    :param spacing: metres between neighbouring points that are seen.
    :return: centre, longer and shorter side in metres, angle of the longer side in radians.
    """
    cell = max(CELL * spacing, 1e-3)
    points = np.concatenate([seen, hidden])
    low = cv2.reduce(points, 0, cv2.REDUCE_MIN)[0] - 2 * cell
    columns, rows = ((points - low) / cell).astype(np.intp).T
    height, width = int(rows.max()) + 3, int(columns.max()) + 3
    cells = rows * width + columns
    counts = np.bincount(cells[:len(seen)], minlength=height * width).reshape(height, width)
    crowd = cv2.boxFilter(counts.astype(np.float32), -1, (3, 3), normalize=False,
                          borderType=cv2.BORDER_CONSTANT)
    stands = crowd.ravel()[cells] >= CROWD      # one that stands alone would turn the whole rectangle
    stands[len(seen):] = True
    if np.count_nonzero(stands[:len(seen)]) < 3:
        stands[:] = True
    points, cells = points.compress(stands, axis=0), cells[stands]      # of rows, compress is the faster
    covered = np.zeros((height, width), np.uint8)
    covered.ravel()[cells] = 1
    body = _body(covered)
    if body is None:
        # beyond a corner of the hull, on one diagonal, is an empty cell; to sort the other points takes time
        rim = cv2.erode(covered, np.ones((3, 3), np.uint8)) == 0
        return _least(points.compress(rim.ravel()[cells], axis=0))
    inside = body.ravel()[cells]
    inside_points = points[inside]
    apart = points[~inside & (np.arange(len(points)) < np.count_nonzero(stands[:len(seen)]))]
    if len(apart) < CROWD or len(inside_points) < 3:
        return _least(np.concatenate([inside_points, apart]))
    middle, sides, turn = _least(inside_points)
    if sides[0] < SQUARE * sides[1]:
        hull = cv2.convexHull(inside_points.astype(np.float32))
        away = apart.mean(axis=0) - middle
        if cv2.contourArea(hull) < ROUND * sides[0] * sides[1]:
            turn = float(np.arctan2(away[1], away[0]))
    along = np.array([np.cos(turn), np.sin(turn)])
    axes = np.stack([along, (-along[1], along[0])], axis=1)
    local = np.concatenate([inside_points, apart]) @ axes
    least, most = local.min(axis=0), local.max(axis=0)
    x, y = axes @ (least + most) / 2
    long, short = most - least
    return ((x, y), (long, short), turn) if long >= short else ((x, y), (short, long), turn + np.pi / 2)


def _least(points: np.ndarray) -> Rectangle:
    (x, y), (long, short), angle = cv2.minAreaRect(points.astype(np.float32))
    if long < short:
        long, short, angle = short, long, angle + 90
    return (x, y), (long, short), float(np.deg2rad(angle))


def _body(covered: np.ndarray) -> np.ndarray | None:
    """Return (h, w) bool, all but what sticks out of what points cover; None where nothing does.

    :param covered: (h, w) uint8, 1 in cells with points, else 0.
    """
    filled = cv2.morphologyEx(covered, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(filled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    inside = cv2.distanceTransform(filled, cv2.DIST_L2, 3)
    half = float(inside.max())
    if half < LEAST_BODY:
        return None
    thin = THIN * half
    # how far each cell is from the body, which is what a disc of that radius fits into
    away = cv2.distanceTransform((inside <= thin).astype(np.uint8), cv2.DIST_L2, 3) - thin
    far = (filled > 0) & (away > STICKS_OUT * half + 0.7)     # corners of a box are not
    if not far.any():
        return None
    _, labels = cv2.connectedComponents(((filled > 0) & (away > 1.5)).astype(np.uint8), connectivity=8)
    sticking = np.zeros(labels.max() + 1, bool)
    sticking[labels[far]] = True
    return ~sticking[labels]
