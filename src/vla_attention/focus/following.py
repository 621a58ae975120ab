"""Regions of one image carried over to the images after it, by how the picture moves.

Median Flow (Kalal et al., ICPR 2010) with a similarity in place of the median: points on a thing are
followed by pyramidal Lucas-Kanade and back again; those that do not come back are dropped, and RANSAC fits
how the rest moved. Points are followed from the image that was looked at, not from frame to frame, so nothing
drifts. A thing whose points get lost (hidden, turned, gone, or too bland to have any) is not guessed at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vla_attention.focus.region import FocusRegion, point_on

SIDE = 320              # pixels of the longer side at which the picture is followed
POINTS = 40             # of a region, at most
FEWEST = 4              # with fewer it cannot be told how a thing moved
ENOUGH = 12             # with fewer, points that lie closer and further around are taken as well
RIMS = (0, 5)           # pixels around a mask in which there may be points: flat things have but their edges
WINDOW = (11, 11)
LEVELS = 3
BACK = 1.0              # pixels by which a point that is followed back may miss where it began
CHANGED = 24.0          # mean difference of grey values around a point above which it is another one
FIT = 1.5               # pixels by which a point may miss the motion of its region
KEPT = 0.5              # share of a region's points that must be found, and of those that must agree
GROWN = 2.0             # ratio of sizes beyond which a region has to be looked at again
STILL = 0.35            # pixels of the image; a corner that moved by less has not moved
SHOWN = 0.4             # share of a box that must still be in the picture
THUMB = (8, 6)          # pixels of the picture by which it is told whether nothing in view still holds
OTHER = 20.0            # mean difference of their grey values above which it is another picture
SHARPER = 2.0           # ratio of the edges above which there is more to see than when it was looked at
_STILL = np.array([[1.0, 0, 0], [0, 1, 0]])


@dataclass
class _Followed:
    region: FocusRegion
    first: int              # its points are first:last
    last: int
    hull: np.ndarray        # (N, 2) around the mask; pixels, of their middles
    motion: np.ndarray      # (2, 3) from the image looked at to the present one; pixels, of edges


class Follower:
    """What was found in one image, and where that is in later ones."""

    def __init__(self, image: np.ndarray, regions: Sequence[FocusRegion]) -> None:
        """Choose points on each region.

        :param image: (H, W, 3) uint8 RGB in which the regions were found; their masks have its size.
        """
        height, width = image.shape[:2]
        self._size = (width, height)
        self._scale = min(1.0, SIDE / max(width, height))
        self._grey = self._small(image)
        points: list[np.ndarray] = []
        self._followed: list[_Followed] = []
        self.can = True         # whether every region has points enough to be followed at all
        for region in regions:
            found = self._points(region)
            first = sum(map(len, points))
            points.append(found)
            self.can &= len(found) >= FEWEST
            hull = _hull(region.mask) if self.can else np.zeros((0, 2))
            self._followed.append(_Followed(region, first, first + len(found), hull, _STILL))
        self._from = np.concatenate(points) if points else np.zeros((0, 2), np.float32)
        self._to = self._from.copy()

    def move(self, image: np.ndarray) -> list[FocusRegion] | None:
        """Return the regions where they are in a later image; None where one of them is lost.

        Where there was none there is none still, as long as the picture as a whole is much the same.

        :param image: (H, W, 3) uint8 RGB.
        """
        if (image.shape[1], image.shape[0]) != self._size or not self.can:
            return None
        if not self._followed:
            return [] if self._alike(image) else None
        before = self._to
        found = self._flow(image)
        regions = []
        for followed in self._followed:
            part = slice(followed.first, followed.last)
            motion = _similarity(self._from[part], self._to[part], found[part])
            region = None if motion is None else self._carried(followed, self._unscaled(motion))
            if motion is None or region is None:
                self._to = before       # a point that went astray is no place to begin from
                return None
            # where all of its points should be, those that were not found this time among them
            self._to[part] = self._from[part] @ motion[:, :2].T + motion[:, 2]
            regions.append(region)
        return regions

    def carry(self, values: np.ndarray, role: str, phrase: str) -> np.ndarray:
        """Return a map of a phrase (rows, cols), moved as the best region of that phrase has."""
        for followed in self._followed:
            if (followed.region.role, followed.region.phrase) == (role, phrase):
                if followed.motion is _STILL:
                    break
                cells = np.array([values.shape[1] / self._size[0], values.shape[0] / self._size[1]])
                motion = followed.motion.copy()
                motion[:, :2] *= cells[:, None] / cells[None, :]
                motion[:, 2] *= cells
                return cv2.warpAffine(values, _to_centres(motion), values.shape[::-1],
                                      borderMode=cv2.BORDER_REPLICATE)
        return values

    def _small(self, image: np.ndarray) -> np.ndarray:
        if self._scale < 1:
            image = cv2.resize(image, None, fx=self._scale, fy=self._scale, interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)

    def _alike(self, image: np.ndarray) -> bool:
        """Tell whether a picture is much as that which was looked at, which was no black or blurred one."""
        pictures = (self._small(image), self._grey)
        now, before = (cv2.resize(each, THUMB, interpolation=cv2.INTER_AREA) for each in pictures)
        edges, had = (float(np.abs(cv2.Laplacian(each, cv2.CV_16S)).mean()) for each in pictures)
        return float(cv2.absdiff(now, before).mean()) <= OTHER and edges <= SHARPER * had + 1

    def _points(self, region: FocusRegion) -> np.ndarray:
        """Return (N, 2) float32 points on a region, in the small picture."""
        if region.mask.shape != self._size[::-1]:
            return np.zeros((0, 2), np.float32)
        mask = cv2.resize(region.mask, self._grey.shape[::-1], interpolation=cv2.INTER_AREA)
        apart = max(1.0, np.sqrt(np.count_nonzero(mask) / POINTS) / 2)
        found: np.ndarray | None = None
        for rim, distance in zip(RIMS, (apart, 1.0), strict=True):
            around = cv2.dilate(mask, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))
            found = cv2.goodFeaturesToTrack(self._grey, POINTS, 0.01, distance, mask=around, blockSize=3)
            if found is not None and len(found) >= ENOUGH:
                break
        return np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2)

    def _flow(self, image: np.ndarray) -> np.ndarray:
        """Follow all points into an image; return (N,) bool which were found."""
        now = self._small(image)
        # from where they were in the image before, so that a thing may go far from where it was looked at
        there, seen, differs = cv2.calcOpticalFlowPyrLK(
            self._grey, now, self._from, self._to.copy(), winSize=WINDOW, maxLevel=LEVELS,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW)
        back, returned, _ = cv2.calcOpticalFlowPyrLK(
            now, self._grey, there, self._from.copy(), winSize=WINDOW, maxLevel=LEVELS,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW)
        self._to = np.asarray(there, np.float32)
        found: np.ndarray = ((seen.ravel() > 0) & (returned.ravel() > 0) & (differs.ravel() < CHANGED)
                             & (np.abs(back - self._from).max(axis=1) < BACK))
        return found

    def _unscaled(self, motion: np.ndarray) -> np.ndarray:
        """Bring a motion of pixel centres of the small picture to the image's edge coordinates."""
        shift = motion[:, 2] + 0.5 - motion[:, :2] @ (0.5, 0.5)
        return np.column_stack([motion[:, :2], shift / self._scale])

    def _carried(self, followed: _Followed, motion: np.ndarray) -> FocusRegion | None:
        region = followed.region
        x0, y0, x1, y1 = region.box
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        moved = corners @ motion[:, :2].T + motion[:, 2]
        if np.abs(moved - corners).max() < STILL:
            followed.motion = _STILL
            return region
        size = float(np.sqrt(abs(np.linalg.det(motion[:, :2]))))
        if not 1 / GROWN < size < GROWN:
            return None
        followed.motion = motion
        # of a pen that turns, another box holds it: each side stays as far from what is outermost
        hull = followed.hull @ motion[:, :2].T + motion[:, 2]
        box = np.concatenate([hull.min(axis=0) - size * (followed.hull.min(axis=0) - (x0, y0)),
                              hull.max(axis=0) + size * ((x1, y1) - followed.hull.max(axis=0))])
        shown = np.clip(box, 0, self._size * 2)
        if np.prod(shown[2:] - shown[:2]) < SHOWN * np.prod(box[2:] - box[:2]):
            return None
        mask = cv2.warpAffine(region.mask, _to_centres(motion), self._size, flags=cv2.INTER_NEAREST)
        if not mask.any():
            return None
        x, y = motion[:, :2] @ region.point + motion[:, 2]
        return replace(region, mask=mask, point=point_on(mask, (float(x), float(y))),
                       box=(float(shown[0]), float(shown[1]), float(shown[2]), float(shown[3])))


def _hull(mask: np.ndarray) -> np.ndarray:
    """Return (N, 2) the convex hull of the middles of a mask's pixels."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return cv2.convexHull(np.concatenate(contours)).reshape(-1, 2) + 0.5


def _similarity(begin: np.ndarray, end: np.ndarray, found: np.ndarray) -> np.ndarray | None:
    """Return the (2, 3) similarity that most of the points found agree on; None where they do not."""
    if found.sum() < max(FEWEST, KEPT * len(found)):
        return None
    motion, agree = cv2.estimateAffinePartial2D(begin[found], end[found], method=cv2.RANSAC,
                                                ransacReprojThreshold=FIT, maxIters=200, refineIters=5)
    if motion is None or agree.sum() < max(FEWEST, KEPT * found.sum()):
        return None
    return np.asarray(motion)


def _to_centres(motion: np.ndarray) -> np.ndarray:
    """Bring a motion of edge coordinates to those of pixel centres, which OpenCV warps by."""
    shift = motion[:, 2] - 0.5 + motion[:, :2] @ (0.5, 0.5)
    return np.column_stack([motion[:, :2], shift])
