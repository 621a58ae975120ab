"""One token a tick: what the temporal attention sees of a frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from vla_attention.moments.motion import MotionMaps

GRID = (12, 16)             # rows, columns over the whole image
GRID_CHANNELS = ('flow_x', 'flow_y', 'speed', 'slow', 'settled', 'fresh', 'mover', 'target', 'destination')
CROP = 12                   # rows and columns around the point of action
CROP_CHANNELS = ('flow_x', 'flow_y', 'speed', 'slow', 'changed', 'fresh', 'born', 'left')
CROP_SIDE = 0.32            # of the image's longer side
SPEED_SCALE = 0.6           # diagonals per second that fill a channel
SCALARS = ('dt', 'elapsed', 'moving_area', 'slow_area', 'mean_speed', 'top_speed', 'velocity_x',
           'velocity_y', 'point_x', 'point_y', 'point_velocity_x', 'point_velocity_y', 'from_start_x',
           'from_start_y', 'from_stop_x', 'from_stop_y', 'since_stop', 'still_time', 'moving_time',
           'born_share', 'left_share', 'settled_area', 'fresh_area', 'fresh_at_stop', 'settled_at_stop',
           'changed_at_point', 'camera', 'target_known', 'target_at_point', 'target_dx', 'target_dy',
           'destination_known', 'destination_at_point', 'destination_dx', 'destination_dy')
MOVING_AREA = 0.0012        # share of the image that must move for the scene to move
STOP_SPEED = 0.035          # diagonals per second: slower, the point of action has stopped


@dataclass(frozen=True)
class Token:
    """What is kept of one tick.

    ``grid`` (9, 12, 16) and ``crop`` (8, 12, 12) uint8, channels as named in :data:`GRID_CHANNELS` and
    :data:`CROP_CHANNELS` (flows: 128 is no motion); ``scalars`` (35,) float32 as in :data:`SCALARS`;
    ``point`` (x, y) of the action and ``area`` (x0, y0, x1, y1) around it as shares of width and height,
    None before anything has moved.
    """

    time: float
    grid: np.ndarray
    crop: np.ndarray
    scalars: np.ndarray
    point: tuple[float, float]
    area: tuple[float, float, float, float] | None


class CueReader:
    """Follows the point of action through the motion maps and makes a token of each tick."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget where the action was."""
        self._point: np.ndarray | None = None       # pixels of the working size
        self._start: np.ndarray | None = None
        self._stop: np.ndarray | None = None
        self._stop_time = self._first_time = 0.0
        self._still = self._moving = 0.0
        self._stopped = True
        self._spread: np.ndarray = np.zeros(2)

    def read(self, maps: MotionMaps, target_map: np.ndarray | None = None,
             destination_map: np.ndarray | None = None) -> Token:
        """Make the token of one tick.

        :param maps: the motion of the tick.
        :param target_map: (rows, cols) in 0..1 over the whole image, where an instruction names a target.
        :param destination_map: the same for the destination.
        """
        height, width = maps.speed.shape
        diagonal = math.hypot(height, width)
        if self._point is None:
            self._point = np.array([width / 2, height / 2])
            self._first_time = maps.time
        moving_area = float((maps.speed > 0).mean())
        old_point = self._point
        if moving_area > MOVING_AREA:
            self._follow(maps)
        velocity = (self._point - old_point) / (diagonal * maps.dt)
        self._count(maps, moving_area, velocity)
        scalars = self._scalars(maps, moving_area, velocity, target_map, destination_map)
        return Token(maps.time, _grid(maps, target_map, destination_map), self._crop(maps), scalars,
                     (self._point[0] / width, self._point[1] / height), self._area(width, height))

    def _follow(self, maps: MotionMaps) -> None:
        """Move the point of action to where the motion is fastest; slowly when that jumps."""
        weight = maps.speed * maps.speed
        total = float(weight.sum())
        if total <= 0:
            return
        ys, xs = np.mgrid[:weight.shape[0], :weight.shape[1]]
        centre = np.array([float((weight * xs).sum()), float((weight * ys).sum())]) / total
        spread = np.sqrt([float((weight * (xs - centre[0]) ** 2).sum()) / total,
                          float((weight * (ys - centre[1]) ** 2).sum()) / total])
        assert self._point is not None
        if self._start is None:
            self._point = self._start = centre
            self._spread = spread
        rate = 1 - math.exp(-maps.dt / 0.25)
        self._point = self._point + rate * (centre - self._point)
        self._spread = self._spread + rate * (spread - self._spread)

    def _count(self, maps: MotionMaps, moving_area: float, velocity: np.ndarray) -> None:
        """Keep the times of moving and standing still, and where the action last stopped."""
        slow = moving_area <= MOVING_AREA or float(np.hypot(*velocity)) < STOP_SPEED
        if slow:
            self._still, self._moving = self._still + maps.dt, 0.0
            if not self._stopped and self._still >= 0.35:
                self._stopped, self._stop, self._stop_time = True, self._point, maps.time
        else:
            self._moving, self._still = self._moving + maps.dt, 0.0
            self._stopped = False

    def _scalars(self, maps: MotionMaps, moving_area: float, velocity: np.ndarray,
                 target_map: np.ndarray | None, destination_map: np.ndarray | None) -> np.ndarray:
        height, width = maps.speed.shape
        size = np.array([width, height], np.float64)
        diagonal = math.hypot(height, width)
        point = self._point
        assert point is not None
        moving = maps.speed[maps.speed > 0]
        flow = maps.flow.reshape(-1, 2).sum(axis=0) / max(moving.size, 1)
        start = np.zeros(2) if self._start is None else (point - self._start) / diagonal
        stop = np.zeros(2) if self._stop is None else (point - self._stop) / diagonal
        since_stop = 0.0 if self._stop is None else maps.time - self._stop_time
        at_stop = point if self._stop is None else self._stop
        values = [
            maps.dt, math.log1p(maps.time - self._first_time) / 3, math.sqrt(moving_area) * 3,
            math.sqrt(float(maps.slow.mean())) * 3, float(moving.mean()) * 3 if moving.size else 0.0,
            float(np.percentile(moving, 95)) * 2 if moving.size else 0.0, *(flow * 4),
            *(point / size * 2 - 1), *(velocity * 3), *(start * 2), *(stop * 2),
            math.log1p(since_stop) / 2, math.log1p(self._still), math.log1p(self._moving),
            float(maps.born.sum()) / (moving.size + 20.0), math.sqrt(float(maps.left.mean())) * 5,
            math.sqrt(float(maps.settled.mean())) * 3, math.sqrt(float(maps.fresh.mean())) * 5,
            _near(maps.fresh, at_stop), _near(maps.settled, at_stop), _near(maps.changed, point),
            min(maps.camera * 3, 2.0), *self._to_map(target_map, size), *self._to_map(destination_map, size)]
        return np.clip(np.asarray(values, np.float32), -4.0, 4.0)

    def _to_map(self, attention: np.ndarray | None, size: np.ndarray) -> tuple[float, float, float, float]:
        """Return (1, attention at the point of action, dx and dy from there to the attention's peak)."""
        if attention is None:
            return 0.0, 0.0, 0.0, 0.0
        assert self._point is not None
        cells = np.array(attention.shape[::-1])
        cell = np.clip((self._point / size * cells).astype(int), 0, cells - 1)
        row, column = np.unravel_index(int(attention.argmax()), attention.shape)
        offset = (np.array([column + 0.5, row + 0.5]) / cells - self._point / size) * 2
        return 1.0, float(attention[cell[1], cell[0]]), float(offset[0]), float(offset[1])

    def _crop(self, maps: MotionMaps) -> np.ndarray:
        side = CROP_SIDE * max(maps.speed.shape)
        assert self._point is not None
        step = side / CROP
        corner = self._point - side / 2
        x0, y0 = np.maximum((corner - 4).astype(int), 0)
        x1, y1 = (corner + side + 5).astype(int)
        # the matrix takes a pixel of the crop to a pixel of the window that is cut out
        matrix = np.array([[step, 0, corner[0] + step / 2 - x0], [0, step, corner[1] + step / 2 - y0]])
        window = (slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1)))
        flow = maps.flow[window] / SPEED_SCALE * 127
        layers = [flow[..., 0], flow[..., 1], maps.speed[window] / SPEED_SCALE * 255]
        layers += [mask[window] * 255 for mask in (maps.slow, maps.changed, maps.fresh, maps.born, maps.left)]
        cells = np.stack([cv2.warpAffine(
            cv2.blur(np.ascontiguousarray(layer, np.float32), (5, 5)),  # about a cell: no aliasing
            matrix, (CROP, CROP), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP) for layer in layers])
        cells[:2] = cells[:2] + 128
        return np.clip(np.rint(cells), 0, 255).astype(np.uint8)

    def _area(self, width: int, height: int) -> tuple[float, float, float, float] | None:
        if self._start is None or self._point is None:
            return None
        half = np.clip(1.6 * self._spread, 0.07 * max(width, height), 0.3 * max(width, height))
        low = np.clip((self._point - half) / (width, height), 0, 1)
        high = np.clip((self._point + half) / (width, height), 0, 1)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _near(mask: np.ndarray, point: np.ndarray) -> float:
    """Return the share of a mask that is set around a point."""
    radius = 0.07 * max(mask.shape)
    x0, y0 = np.maximum((point - radius).astype(int), 0)
    x1, y1 = (point + radius).astype(int) + 1
    window = mask[y0:y1, x0:x1]
    return float(window.mean()) if window.size else 0.0


def _cells(values: np.ndarray) -> np.ndarray:
    return cv2.resize(values, (GRID[1], GRID[0]), interpolation=cv2.INTER_AREA)


def _grid(maps: MotionMaps, target_map: np.ndarray | None, destination_map: np.ndarray | None) -> np.ndarray:
    """Pool the maps onto the grid; small things count, so shares are raised by their square root."""
    flow = _cells(maps.flow)
    layers = [128 + flow[..., 0] / SPEED_SCALE * 255, 128 + flow[..., 1] / SPEED_SCALE * 255,
              _cells(maps.speed) / SPEED_SCALE * 510]
    layers += [np.sqrt(np.maximum(_cells(layer), 0)) * 255
               for layer in (maps.slow, maps.settled, maps.fresh, maps.mover)]
    layers += [np.zeros(GRID) if attention is None else _cells(np.asarray(attention, np.float32)) * 255
               for attention in (target_map, destination_map)]
    return np.clip(np.rint(np.stack(layers)), 0, 255).astype(np.uint8)
