"""Attention over time: images of one camera in, the phase and importance of each moment out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vla_attention.focus import FocusRegion
from vla_attention.moments.cues import make_token
from vla_attention.moments.estimate import PhaseEstimator
from vla_attention.moments.importance import EventDetector, after_event, importance
from vla_attention.moments.moment import PHASES, Moment
from vla_attention.moments.motion import MotionTracker
from vla_attention.moments.phase_model import FAILURE_RATE, WINDOW, AttentionEstimator
from vla_attention.moments.spatial import SpatialAttention
from vla_attention.threads import one_thread
from vla_attention.timing import JUMP

TICK_SECONDS = 0.15     # frames that come sooner after the last tick repeat its answer
PAUSE_SECONDS = 2.0     # a longer gap starts a new window: nobody knows what happened meanwhile
BROKEN_SECONDS = 0.5    # for so long pictures that do not go on from the last one are left out: a glitch


class MomentAttention:
    """Says what is going on, frame by frame, from this frame and earlier ones alone.

    The scene is looked at about five times a second whatever the camera's rate: a frame that comes less
    than 0.15 s after the last one looked at, or up to 0.5 s before it, repeats its answer. A clock that jumps
    back farther, a gap of more than 2 s and another image size start anew. So does another scene (a camera
    cut) once it has stayed for 0.5 s; a black or torn frame alone is left out.
    """

    def __init__(self, weights: Path | None = None, *, failure_rate: float = FAILURE_RATE,
                 estimator: PhaseEstimator | None = None) -> None:
        """Load the model.

        :param weights: safetensors file; None: the one in the package.
        :param failure_rate: share of the grasps that are expected to miss or to drop the thing, 0..1.
        :param estimator: what judges the phases instead of the trained model.
        :raises FileNotFoundError: there is no such file.
        :raises ValueError: the file is of another model, or ``failure_rate`` no share.
        """
        self._estimator = AttentionEstimator(weights, failure_rate) if estimator is None else estimator
        self._motion = MotionTracker()
        self._spatial = SpatialAttention(weights)
        self._events = EventDetector()
        self._event: tuple[float, str] | None = None
        self._last: Moment | None = None
        self._tick = -math.inf
        self._times: deque[float] = deque(maxlen=WINDOW)
        self._shape: tuple[int, ...] = ()
        self._broken: float | None = None   # since when pictures do not go on from the last one

    def reset(self) -> None:
        """Forget the past: the next frame is the first."""
        self._estimator.reset()
        self._motion.reset()
        self._spatial.reset()
        self._events.reset()
        self._event = None
        self._last = None
        self._tick = -math.inf
        self._times.clear()
        self._broken = None

    def due(self, time: float, shape: tuple[int, ...]) -> bool:
        """Return whether a frame of this time and shape will be looked at: only then are maps of use."""
        return self._starts_anew(time, shape) or time - self._tick >= TICK_SECONDS

    def _starts_anew(self, time: float, shape: tuple[int, ...]) -> bool:
        return (time < self._tick - JUMP or time - self._tick > PAUSE_SECONDS or shape != self._shape)

    def update(self, time: float, image: np.ndarray, *, target_map: np.ndarray | None = None,
               destination_map: np.ndarray | None = None, regions: Sequence[FocusRegion] = ()) -> Moment:
        """Take the next frame.

        :param time: of the image's stamp, in seconds.
        :param image: (H, W, 3) uint8 RGB.
        :param target_map: (rows, cols) 0..1, where an instruction names a target that is in view.
        :param destination_map: the same for the destination.
        :param regions: focus regions of this frame; the best target region widens the focus area while
            the action is at it.
        :raises ValueError: ``image`` is of another shape or dtype, a map is not 2-D or has values that are no
            numbers, ``time`` is not finite.
        """
        _check(time, image, target_map, destination_map)
        if self._starts_anew(time, image.shape):
            self.reset()
            self._shape = image.shape
        elif self._last is not None and not self.due(time, image.shape):
            return replace(self._last, time=time, events=())
        elif self._last is not None and not self._motion.goes_on(image):
            self._broken = time if self._broken is None else self._broken
            if time - self._broken < BROKEN_SECONDS:
                return replace(self._last, time=time, events=())
            self.reset()
        self._broken = None
        token = make_token(self._motion.update(time, image), target_map, destination_map)
        with one_thread():
            observation = self._spatial.step(token)
            estimate = self._estimator.step(observation)
        self._tick = time
        self._times.append(time)
        height, width = image.shape[:2]
        area = None
        if observation.area is not None:
            x0, y0, x1, y1 = observation.area
            area = _with_region((x0 * width, y0 * height, x1 * width, y1 * height), regions)
        events = self._events.step(estimate.probabilities)
        matters = importance(estimate.probabilities, estimate.nearness)
        if events:
            self._event = (time, events[-1])
        if self._event is not None:
            matters = max(matters, after_event(self._event[1], time - self._event[0]))
        self._last = Moment(
            time=time, phase=PHASES[int(estimate.probabilities.argmax())],
            probabilities={phase: float(p) for phase, p in zip(PHASES, estimate.probabilities, strict=True)},
            importance=matters, focus_area=area,
            events=events,
            attention=tuple(float(weight) for weight in estimate.attention),
            attention_times=tuple(self._times)[-len(estimate.attention):] if len(estimate.attention) else ())
        return self._last


def _check(time: float, image: np.ndarray, *maps: np.ndarray | None) -> None:
    if not math.isfinite(time):
        raise ValueError(f'time must be finite, got {time}')
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image must be (H, W, 3) uint8, got {image.shape} {image.dtype}')
    if min(image.shape[:2]) < 16:
        raise ValueError(f'image must be 16 pixels or more a side, got {image.shape[1]}x{image.shape[0]}')
    for attention in maps:
        if attention is not None and (attention.ndim != 2 or attention.size == 0):
            raise ValueError(f'an attention map must be (rows, cols), got {attention.shape}')
        if attention is not None and not np.isfinite(attention).all():
            raise ValueError('an attention map has values that are no numbers')


def _with_region(area: tuple[float, float, float, float],
                 regions: Sequence[FocusRegion]) -> tuple[float, float, float, float]:
    """Widen the area to hold the best target region, where the two touch."""
    targets = [region for region in regions if region.role == 'target']
    if not targets:
        return area
    x0, y0, x1, y1 = max(targets, key=lambda region: region.score).box
    if x0 >= area[2] or x1 <= area[0] or y0 >= area[3] or y1 <= area[1]:
        return area
    return min(x0, area[0]), min(y0, area[1]), max(x1, area[2]), max(y1, area[3])
