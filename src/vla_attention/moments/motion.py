"""What moved, what stayed, and what changed for good: per-pixel cues of one camera, without classes.

Nothing here knows robots or objects, so that it carries over from simulation to real cameras: dense
optical flow (DIS: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016) less the camera's
own motion, and a memory of how each place looked before the action began.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

LONG_SIDE = 160             # pixels of the image that is worked on
LEAST_SIDE = 32             # of the other side: of lower images DIS flow reads beyond the end, and crashes
MOVING_PIXELS = 0.5         # of residual flow between two ticks: above it a pixel moves
CHANGED_LEVEL = 20.0        # grey levels: above it a place looks different
STEADY_LEVEL = 9.0          # grey levels from tick to tick: below it a place is steady
SETTLED_SECONDS = 0.5       # steady for so long: a change is there to stay
FRESH_SECONDS = 1.6         # ... and for so long it counts as new
ABSORB_SECONDS = 8.0        # steady for so long: becomes how the place looks
SLOW_SECONDS = 0.9          # baseline of slow motion
DRIFT_SECONDS = 3.0         # ... and of very slow motion
CAMERA_PIXELS = 0.35        # of global motion between two ticks: below it the camera stands still
LIGHT = 0.05                # change of brightness (log) of most of the picture: the light has changed
COARSE = (40, 30)           # pixels of the picture by which it is told whether it goes on
PAN = 8, 6                  # pixels of it by which the camera may turn from one tick to the next
ALIKE = 0.4                 # correlation below which a picture does not go on from the one before
FLAT = 4.0                  # grey levels of contrast (standard deviation) below which there is nothing to see


@dataclass(frozen=True)
class MotionMaps:
    """Per-pixel cues of one tick, all (h, w) float32 at the working size.

    ``flow`` (h, w, 2) in image diagonals per second without the camera's motion, zero where nothing
    moves; ``speed`` its norm; ``slow`` and ``drift`` 0/1 looks other than one and than three
    seconds ago; ``changed`` 0/1 looks
    other than before the action; ``settled`` 0/1 changed and steady since; ``fresh`` 0/1 settled just
    now; ``mover`` 0..1 belongs to what has been moving, carried along with it; ``born`` 0/1 moves but
    did not belong to the mover; ``left`` 0..1 belonged to the mover, which moves on without it.
    ``edges`` 0..1 how much there is to see, relative to the image; ``camera`` speed of the camera in
    diagonals per second.
    """

    time: float
    dt: float
    flow: np.ndarray
    speed: np.ndarray
    slow: np.ndarray
    drift: np.ndarray
    changed: np.ndarray
    settled: np.ndarray
    fresh: np.ndarray
    mover: np.ndarray
    born: np.ndarray
    left: np.ndarray
    edges: np.ndarray
    camera: float


class MotionTracker:
    """Turns the images of one camera into :class:`MotionMaps`, causally."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow_create(  # type: ignore[attr-defined]  # not in OpenCV's stubs
            cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self.reset()

    def reset(self) -> None:
        """Forget every image."""
        self._time: float | None = None
        self._grey: np.ndarray = np.zeros((0, 0), np.uint8)
        self._colour: np.ndarray = np.zeros((0, 0, 3), np.float32)
        self._recent: list[tuple[float, np.ndarray]] = []

    def goes_on(self, image: np.ndarray) -> bool:
        """Tell whether an image goes on from the one before; a cut, a black and a torn one do not.

        :param image: (H, W, 3) uint8 RGB.
        """
        grey = cv2.cvtColor(_small(image), cv2.COLOR_RGB2GRAY)
        if self._time is None or self._grey.shape != grey.shape:
            return True
        now, before = (cv2.resize(each, COARSE, interpolation=cv2.INTER_AREA) for each in (grey, self._grey))
        flat = [float(each.std()) < FLAT for each in (now, before)]
        if any(flat):
            return all(flat)
        x, y = PAN
        middle = now[y:-y, x:-x]        # found again wherever the camera's turn has brought it
        return max(float(cv2.matchTemplate(before, part, cv2.TM_CCOEFF_NORMED).max())
                   for part in (now, middle) if float(part.std()) >= FLAT) >= ALIKE

    def update(self, time: float, image: np.ndarray) -> MotionMaps:
        """Take the next image.

        :param time: seconds, above that of the image before.
        :param image: (H, W, 3) uint8 RGB.
        """
        small = _small(image)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        colour = cv2.GaussianBlur(small, (3, 3), 0).astype(np.float32)
        if self._time is None or self._grey.shape != grey.shape:
            self._start(colour)
            dt = 0.2
            flow = np.zeros((*grey.shape, 2), np.float32)
            pose, camera = None, 0.0
        else:
            dt = max(time - self._time, 1e-3)
            gain = _gain(colour, self._colour)
            before = self._grey if gain is None else _exposed(self._grey, float(gain.mean()))
            flow = -self._flow.calc(grey, before, None)
            pose, camera = _camera_motion(flow)
        maps = self._maps(time, dt, flow, pose, camera, colour, _edges(grey))
        self._time, self._grey, self._colour = time, grey, colour
        self._recent.append((time, colour))
        while len(self._recent) > 2 and time - self._recent[1][0] >= DRIFT_SECONDS:
            self._recent.pop(0)
        return maps

    def _start(self, colour: np.ndarray) -> None:
        self._colour = colour
        self._before = colour.copy()
        self._pose = np.eye(3, dtype=np.float64)    # from the pixels of _before to the present image
        self._steady = np.zeros(colour.shape[:2], np.float32)
        self._mover = np.zeros(colour.shape[:2], np.float32)
        self._recent = [(-math.inf, colour)]

    def _maps(self, time: float, dt: float, flow: np.ndarray, pose: np.ndarray | None, camera: float,
              colour: np.ndarray, edges: np.ndarray) -> MotionMaps:
        height, width = colour.shape[:2]
        diagonal = math.hypot(height, width)
        previous, before = self._colour, self._before
        residual = flow
        if pose is not None:    # the camera moves: undo it in every memory
            residual = flow - _affine_flow(pose, height, width)
            self._pose = pose @ self._pose
            previous = _warp(previous, pose)
            self._steady, self._mover = _warp(self._steady, pose), _warp(self._mover, pose)
            self._recent = [(seen, _warp(old, pose)) for seen, old in self._recent]
        if not np.array_equal(self._pose, np.eye(3)):
            before = _warp(before, self._pose)
        # where the light or the exposure has changed, what is remembered is seen in the light of now
        if (gain := _gain(colour, previous)) is not None:
            previous = _exposed(previous, gain)
            self._recent = [(seen, _exposed(old, gain)) for seen, old in self._recent]
        if (gain := _gain(colour, before)) is not None:
            self._before, before = _exposed(self._before, gain), _exposed(before, gain)

        difference = _difference(colour, previous)
        moving = ((np.hypot(residual[..., 0], residual[..., 1]) > MOVING_PIXELS)
                  & (cv2.blur(difference, (5, 5)) > STEADY_LEVEL / 3)).astype(np.uint8)
        moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.float32)
        residual = residual * moving[..., None] / (diagonal * dt)

        change = _difference(colour, before)
        changed = (cv2.blur(change, (3, 3)) > CHANGED_LEVEL).astype(np.float32)
        steady_now = (difference < STEADY_LEVEL) & (moving == 0)
        self._steady = np.where(steady_now, self._steady + dt, 0.0).astype(np.float32)
        settled = changed * (self._steady > SETTLED_SECONDS)
        fresh = settled * (self._steady < FRESH_SECONDS)
        if pose is None and np.array_equal(self._pose, np.eye(3)):
            self._remember(colour, change, changed)

        carried = cv2.remap(self._mover, *_pull(flow if pose is None else residual * diagonal * dt),
                            interpolation=cv2.INTER_LINEAR)
        around = cv2.dilate(carried, np.ones((5, 5), np.uint8))
        born = moving * (around < 0.3)
        left = carried * (1 - cv2.dilate(moving, np.ones((3, 3), np.uint8))) * changed
        self._mover = np.maximum(moving, carried * math.exp(-dt / 4.0) * np.maximum(changed, moving)
                                 ).astype(np.float32)
        reference = next((old for seen, old in reversed(self._recent) if time - seen >= SLOW_SECONDS),
                         self._recent[0][1])
        slow, drift = ((cv2.blur(_difference(colour, old), (3, 3)) > CHANGED_LEVEL * 0.7).astype(np.float32)
                       for old in (reference, self._recent[0][1]))
        return MotionMaps(time, dt, residual.astype(np.float32),
                          np.hypot(residual[..., 0], residual[..., 1]).astype(np.float32),
                          slow, drift, changed, settled, fresh, self._mover, born, left,
                          edges, camera / (diagonal * dt))

    def _remember(self, colour: np.ndarray, change: np.ndarray, changed: np.ndarray) -> None:
        """Follow slow changes of light, and take over what has long been steady."""
        rate = np.where(change < CHANGED_LEVEL / 2, 0.03, 0.0).astype(np.float32)
        rate[(self._steady > ABSORB_SECONDS) & (changed > 0)] = 1.0
        self._before += rate[..., None] * (colour - self._before)


def _small(image: np.ndarray) -> np.ndarray:
    """Bring an image to the working size."""
    scale = LONG_SIDE / max(image.shape[:2])
    size = tuple(max(LEAST_SIDE, round(side * scale)) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _gain(image: np.ndarray, other: np.ndarray) -> np.ndarray | None:
    """Return by which factor (3,) most of a picture is brighter than another; None where it is as bright."""
    gain = np.median((image[::4, ::4] + 2) / (other[::4, ::4] + 2), axis=(0, 1))
    return gain if np.abs(np.log(gain)).max() > LIGHT else None


def _exposed(picture: np.ndarray, gain: np.ndarray | float) -> np.ndarray:
    """Return a picture as it is with so much more light."""
    return np.minimum(picture * gain, 255.0).astype(picture.dtype)


def _difference(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the largest difference over the channels, less what the whole image changed (exposure)."""
    difference = image - other
    exposure = np.median(difference[::4, ::4].reshape(-1, 3), axis=0)
    red, green, blue = (np.abs(layer - float(level)) for layer, level in zip(cv2.split(difference), exposure,
                                                                             strict=True))
    return cv2.max(cv2.max(red, green), blue)


def _edges(grey: np.ndarray) -> np.ndarray:
    """Return (h, w) 0..1: the gradient in units of three times its mean, so that lighting matters little."""
    smooth = cv2.GaussianBlur(grey, (3, 3), 0)
    strength = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return np.minimum(strength / (3 * float(strength.mean()) + 6.0), 1.0)


def _camera_motion(flow: np.ndarray) -> tuple[np.ndarray | None, float]:
    """Return the camera's motion (3, 3) since the image before, or None, and its size in pixels."""
    height, width = flow.shape[:2]
    ys, xs = np.mgrid[6:height - 5:11, 6:width - 5:11]
    now = np.stack([xs, ys], axis=-1).reshape(-1, 2).astype(np.float32)
    then = now - flow[ys, xs].reshape(-1, 2)
    if np.median(np.abs(now - then)) < CAMERA_PIXELS / 2:
        return None, 0.0
    affine, inliers = cv2.estimateAffinePartial2D(then, now, ransacReprojThreshold=0.6, maxIters=200)
    if affine is None or inliers.mean() < 0.45:
        return None, 0.0
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float32)
    moved = float(np.abs(corners @ affine[:, :2].T + affine[:, 2] - corners).max())
    if moved < CAMERA_PIXELS:
        return None, 0.0
    return np.vstack([affine, [0.0, 0.0, 1.0]]), moved


def _affine_flow(pose: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return how far the camera's motion moved each pixel of the present image."""
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    back = np.linalg.inv(pose)
    return np.stack([xs - (back[0, 0] * xs + back[0, 1] * ys + back[0, 2]),
                     ys - (back[1, 0] * xs + back[1, 1] * ys + back[1, 2])], axis=-1).astype(np.float32)


def _warp(image: np.ndarray, pose: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(image, pose[:2], (image.shape[1], image.shape[0]), borderMode=cv2.BORDER_REPLICATE)


def _pull(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps with which cv2.remap carries an older image along the flow."""
    ys, xs = np.mgrid[:flow.shape[0], :flow.shape[1]].astype(np.float32)
    return xs - flow[..., 0].astype(np.float32), ys - flow[..., 1].astype(np.float32)
