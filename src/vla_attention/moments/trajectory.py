"""What the tip does: how it goes and stops, and what has changed where it is and where it stopped.

Positions and speeds are in image diagonals and seconds. The vectors made here are what the attention over
time looks at.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from vla_attention.moments.action import FEATURES, Action
from vla_attention.moments.cues import CHANNELS, FLOWS, GRID, Token

LAGS = (0.4, 0.8, 1.6, 3.2, 6.4)    # seconds over which the tip's way is told
CROP = 3                            # rows and columns of the surroundings, each CROP cells wide
STOP_SHARE = 0.22                   # of the tip's top speed so far: slower, it stops
STOP_SPEED = 0.012                  # diagonals per second: slower, it stops in any case
STOP_SECONDS = 0.3
LEFT_BEHIND = 0.05                  # diagonals from the last stop: the tip has left it
STOPS = 3                           # so many places where it stopped are remembered
SCALARS = ('dt', 'camera', 'certainty', 'x', 'y', 'velocity_x', 'velocity_y', 'speed', 'smooth_x',
           'smooth_y', 'smooth', 'share_of_top', 'top', 'still', 'going', 'stopped',
           *(f'{name}_{lag}' for lag in LAGS for name in ('way_x', 'way_y', 'way', 'path')),
           *(f'{name}_{number}' for number in range(STOPS) for name in
             ('stop_x', 'stop_y', 'stop', 'stop_age', 'stop_length', 'stop_fresh', 'stop_settled',
              'stop_gone')),
           'start_x', 'start_y', 'lowest', 'reach_x', 'reach_y', 'spread_x', 'spread_y',
           *(f'all_{name}' for name in CHANNELS[FLOWS:-1]),
           *(f'{role}_{name}' for role in ('target', 'destination') for name in ('known', 'here', 'x', 'y')))
CROPPED = CROP * CROP * len(CHANNELS)
_ROWS = (np.arange(GRID[0], dtype=np.float32) + 0.5) / GRID[0]        # of the cells' middles, in shares
_COLUMNS = (np.arange(GRID[1], dtype=np.float32) + 0.5) / GRID[1]
SIZE = len(SCALARS) + CROPPED + FEATURES    # of a vector


@dataclass
class Stop:
    """A place where the tip stopped.

    ``point`` in diagonals, from ``begin`` to ``end`` in seconds; since the tip left, ``fresh`` is the most
    fresh change that was seen there, ``settled`` what is changed there now.
    """

    point: np.ndarray
    begin: float
    end: float
    fresh: float = 0.0
    settled: float = 0.0


@dataclass(frozen=True)
class Observation:
    """One tick as the attention over time takes it.

    ``vector`` (SIZE,) float32, named in :data:`SCALARS` as far as these go; ``point`` (x, y) of the action
    and ``area`` (x0, y0, x1, y1) around it in shares of width and height, None before anything moved.
    """

    time: float
    vector: np.ndarray
    point: tuple[float, float]
    area: tuple[float, float, float, float] | None


class Trajectory:
    """Follows the tip, tick by tick, and tells of its way."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the way."""
        # time, point, length of the path so far
        self._way: deque[tuple[float, np.ndarray, float]] = deque()
        self._stops: deque[Stop] = deque(maxlen=STOPS)
        self._smooth = np.zeros(2)
        self._start: np.ndarray | None = None
        self._top = self._still = self._going = 0.0
        self._lowest = 0.0
        self._moved = False

    def read(self, token: Token, action: Action) -> Observation:
        """Take the next tick and where its action is."""
        aspect = np.array(token.aspect)
        point = np.array(action.point) * aspect
        first = not self._way
        before = self._way[-1] if self._way else (token.time - token.dt, point, 0.0)
        step = point - before[1]
        velocity = step / token.dt
        self._smooth += (1 - math.exp(-token.dt / 0.4)) * (velocity - self._smooth)
        smooth = float(np.hypot(*self._smooth))
        self._top = max(self._top * math.exp(-token.dt / 20.0), smooth)
        self._way.append((token.time, point, before[2] + float(np.hypot(*step))))
        while len(self._way) > 2 and token.time - self._way[1][0] >= LAGS[-1]:
            self._way.popleft()
        if first:
            self._start, self._lowest = point, float(point[1])
        self._lowest = max(self._lowest, float(point[1]))
        stopped = smooth < max(STOP_SHARE * self._top, STOP_SPEED)
        self._still, self._going = ((self._still + token.dt, 0.0) if stopped else
                                    (0.0, self._going + token.dt))
        maps = token.maps.astype(np.float32) / 255
        # slow arms move less than the flow can tell from tick to tick
        self._moved = (self._moved or float(maps[CHANNELS.index('speed')].max()) > 0.15
                       or float(maps[CHANNELS.index('slow')].max()) > 0.6)
        self._note_stop(token, point, stopped, maps, aspect)
        scalars = self._scalars(token, action, point, velocity, smooth, stopped, maps, aspect)
        crop = _crop(maps, action.point)
        vector = np.concatenate([np.clip(scalars, -4, 4), crop.ravel(), action.feature]).astype(np.float32)
        return Observation(token.time, vector, action.point, self._area(action.point, maps))

    def _note_stop(self, token: Token, point: np.ndarray, stopped: bool, maps: np.ndarray,
                   aspect: np.ndarray) -> None:
        last = self._stops[-1] if self._stops else None
        if stopped and self._still >= STOP_SECONDS:
            if last is None or np.hypot(*(point - last.point)) > LEFT_BEHIND:
                self._stops.append(Stop(point, token.time - self._still, token.time))
            elif last is not None:
                last.end = token.time
        for stop in self._stops:
            if np.hypot(*(point - stop.point)) > LEFT_BEHIND:
                window = _window(stop.point / aspect, 1)
                stop.fresh = max(stop.fresh, float(maps[CHANNELS.index('fresh')][window].mean()))
                stop.settled = float(maps[CHANNELS.index('settled')][window].mean())

    def _scalars(self, token: Token, action: Action, point: np.ndarray, velocity: np.ndarray, smooth: float,
                 stopped: bool, maps: np.ndarray, aspect: np.ndarray) -> np.ndarray:
        values: list[float] = [
            token.dt, min(token.camera * 3, 2.0), action.certainty, action.point[0] * 2 - 1,
            action.point[1] * 2 - 1, *(_squash(each) for each in velocity), _squash(np.hypot(*velocity)),
            *(_squash(each) for each in self._smooth), _squash(smooth), smooth / (self._top + 0.01),
            _squash(self._top), math.log1p(self._still), math.log1p(self._going), float(stopped)]
        length = self._way[-1][2]
        for lag in LAGS:
            _, place, path = next((old for old in reversed(self._way) if token.time - old[0] >= lag - 0.05),
                                  self._way[0])
            way = point - place
            values += [*(way * 4), float(np.hypot(*way)) * 4, (length - path) * 3]
        stops = list(self._stops)[::-1]
        for number in range(STOPS):
            if number < len(stops):
                stop = stops[number]
                away = point - stop.point
                gone = float(np.hypot(*away))
                values += [*(away * 4), gone * 4, math.log1p(token.time - stop.end) / 2,
                           math.log1p(stop.end - stop.begin), 2 * stop.fresh, 2 * stop.settled,
                           float(gone > LEFT_BEHIND)]
            else:
                values += [0.0] * 8
        assert self._start is not None
        mover = maps[CHANNELS.index('mover')]
        across, down = mover.sum(axis=0), mover.sum(axis=1)
        mass = float(across.sum()) + 1e-3
        centre = np.array([float(across @ _COLUMNS), float(down @ _ROWS)]) / mass
        spread = np.sqrt([float(across @ (_COLUMNS - centre[0]) ** 2) / mass,
                          float(down @ (_ROWS - centre[1]) ** 2) / mass])
        values += [*((point - self._start) * 3), (self._lowest - float(point[1])) * 5,
                   *((np.array(action.point) - centre) * aspect * 4), *(spread * 3)]
        values += (maps[FLOWS:-1].mean(axis=(1, 2)) * 4).tolist()
        for attention in token.attention:
            values += _to_map(attention, action.point)
        return np.asarray(values, np.float32)

    def _area(self, point: tuple[float, float], maps: np.ndarray) -> tuple[float, float, float, float] | None:
        """Return the surroundings of the tip: wider the more moves there."""
        if not self._moved:
            return None
        speed = maps[CHANNELS.index('speed')]
        across = np.exp(-(_COLUMNS - point[0]) ** 2 / 0.02)
        down = np.exp(-(_ROWS - point[1]) ** 2 / 0.02)
        share = float(down @ speed @ across / (down.sum() * across.sum()))
        half = 0.09 + 0.1 * min(1.0, 3 * share)
        x, y = point
        return max(x - half, 0.0), max(y - half, 0.0), min(x + half, 1.0), min(y + half, 1.0)


def _squash(speed: float) -> float:
    """Return a speed on a scale on which slow arms and fast hands differ about the same: asinh."""
    return math.asinh(speed * 20) / 2


def _window(point: np.ndarray, radius: int) -> tuple[slice, slice]:
    """Return the cells around a point (x, y) in shares."""
    row = int(np.clip(point[1] * GRID[0], 0, GRID[0] - 1))
    column = int(np.clip(point[0] * GRID[1], 0, GRID[1] - 1))
    return slice(max(row - radius, 0), row + radius + 1), slice(max(column - radius, 0), column + radius + 1)


def _crop(maps: np.ndarray, point: tuple[float, float]) -> np.ndarray:
    """Return (12, 3, 3) means around the point, each over 3x3 cells; flows around 0.

    :param maps: (12, 24, 32) 0..1.
    """
    reach = CROP * CROP // 2
    row = int(np.clip(point[1] * GRID[0], 0, GRID[0] - 1))
    column = int(np.clip(point[0] * GRID[1], 0, GRID[1] - 1))
    window = np.zeros((len(maps), 2 * reach + 1, 2 * reach + 1), np.float32)
    window[:FLOWS] = 128 / 255
    top, left = max(row - reach, 0), max(column - reach, 0)
    inside = maps[:, top:row + reach + 1, left:column + reach + 1]
    window[:, top - row + reach:top - row + reach + inside.shape[1],
           left - column + reach:left - column + reach + inside.shape[2]] = inside
    window *= 255 / 128
    window[:FLOWS] -= 1
    return window.reshape(len(maps), CROP, CROP, CROP, CROP).mean(axis=(2, 4))


def _to_map(attention: np.ndarray, point: tuple[float, float]) -> list[float]:
    """Return 1, the attention at the point, and dx and dy from there to its peak; zeros for an empty map."""
    if not attention.any():
        return [0.0] * 4
    rows, columns = attention.shape
    row, column = min(int(point[1] * rows), rows - 1), min(int(point[0] * columns), columns - 1)
    peak_row, peak_column = np.unravel_index(int(attention.argmax()), attention.shape)
    return [1.0, float(attention[row, column]) / 255, ((peak_column + 0.5) / columns - point[0]) * 2,
            ((peak_row + 0.5) / rows - point[1]) * 2]
