"""Draws a script straight with OpenCV: arms, hands and things over photographs, hundreds of frames a second.

Not beautiful, but of endless variety: cameras at every angle, arms with one or two links or from out of
view, human hands, grippers of all colours, shadows, shaky cameras, compression, exposure that wanders.
"""
# ruff: noqa: RUF005  (what is added here are arrays, not lists)

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from training.episodes.camera import Camera, random_camera
from training.episodes.script import Script, State

MARGIN = 12  # pixels around the image, so that a shaky camera sees no border


def _colour(rng: np.random.Generator, *, grey: float = 0.5) -> np.ndarray:
    """Return a random RGB colour, grey with the probability."""
    if rng.random() < grey:
        return np.full(3, rng.uniform(15, 240)) + rng.normal(0, 6, 3)
    hue = np.uint8([[[rng.integers(0, 180), rng.integers(60, 255), rng.integers(50, 255)]]])
    return cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def _ints(colour: np.ndarray, shade: float = 1.0) -> tuple[int, int, int]:
    red, green, blue = np.clip(colour * shade, 0, 255)
    return int(red), int(green), int(blue)


def noise_texture(rng: np.random.Generator, width: int, height: int, strength: float) -> np.ndarray:
    """Return (height, width, 1) float32 around 0: clouds with a grain."""
    texture = np.zeros((height, width), np.float32)
    for cells in (3, 8, 24, 64):
        rows, columns = max(2, cells * height // max(width, height)), cells
        layer = rng.normal(0, 1, (rows, columns)).astype(np.float32)
        texture += cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC) / cells**0.4
    return (texture * strength)[..., None]


class Thing:
    """An object: a box, a cylinder, a ball, or a cut-out of a photograph."""

    def __init__(self, rng: np.random.Generator, size: np.ndarray, cutouts: Sequence[np.ndarray]) -> None:
        self.size = size
        self.kind = str(
            rng.choice(['box', 'cylinder', 'ball', 'cutout'] if cutouts else ['box', 'cylinder', 'ball'])
        )
        self.colour = _colour(rng, grey=0.25)
        self.second = _colour(rng, grey=0.3)
        self.yaw = rng.uniform(0, math.pi)
        self.banded = rng.random() < 0.5
        if self.kind == 'cutout':
            self.patch = cutouts[int(rng.integers(len(cutouts)))]
            mask = np.zeros(self.patch.shape[:2], np.float32)
            height, width = mask.shape
            cv2.ellipse(
                mask, (width // 2, height // 2), (int(width * 0.47), int(height * 0.47)), 0, 0, 360, 1.0, -1
            )
            self.mask = cv2.GaussianBlur(mask, (0, 0), 1.0)

    def draw(self, canvas: np.ndarray, camera: Camera, centre: np.ndarray, tilt: float) -> None:
        """Draw it at ``centre`` (3,), turned by ``tilt`` about the view direction."""
        pixels, depths = camera.project(centre)
        scale = camera.focal / depths[0]
        middle, half = pixels[0], self.size / 2
        if self.kind == 'ball':
            radius = max(1, round(scale * float(half.mean())))
            place = (round(middle[0]), round(middle[1]))
            cv2.circle(canvas, place, radius, _ints(self.colour), -1, cv2.LINE_AA)
            cv2.circle(
                canvas,
                (place[0] - radius // 3, place[1] - radius // 3),
                max(1, radius // 3),
                _ints(self.colour, 1.3),
                -1,
                cv2.LINE_AA,
            )
        elif self.kind == 'box':
            self._draw_box(canvas, camera, centre, tilt)
        else:
            up = math.cos(camera.elevation)
            width, height = (
                scale * half[0] * 2,
                scale * (half[2] * 2 * up + half[1] * 2 * math.sin(camera.elevation)),
            )
            if self.kind == 'cylinder':
                self._draw_cylinder(canvas, middle, width, height, tilt, camera.elevation)
            else:
                self._draw_cutout(canvas, middle, max(width, 3.0), max(height, 3.0), tilt)

    def _draw_box(self, canvas: np.ndarray, camera: Camera, centre: np.ndarray, tilt: float) -> None:
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        lean = np.array(
            [[math.cos(tilt), 0, math.sin(tilt)], [0, 1, 0], [-math.sin(tilt), 0, math.cos(tilt)]]
        )
        faces = []
        for axis in range(3):
            for sign in (-1, 1):
                normal = np.zeros(3)
                normal[axis] = sign
                first, second = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
                corners = (
                    np.array(
                        [
                            normal + first + second,
                            normal + first - second,
                            normal - first - second,
                            normal - first + second,
                        ]
                    )
                    * self.size
                    / 2
                )
                corners = corners @ lean.T @ turn.T + centre
                outward = turn @ lean @ normal
                if outward @ (camera.eye - corners.mean(axis=0)) > 0:
                    faces.append((corners, 0.75 + 0.35 * outward[2] + 0.1 * outward[0]))
        for corners, shade in faces:
            pixels, _ = camera.project(corners)
            cv2.fillConvexPoly(
                canvas, np.rint(pixels).astype(np.int32), _ints(self.colour, shade), cv2.LINE_AA
            )
            if self.banded:
                inner = pixels.mean(axis=0) + (pixels - pixels.mean(axis=0)) * 0.5
                cv2.fillConvexPoly(
                    canvas, np.rint(inner).astype(np.int32), _ints(self.second, shade), cv2.LINE_AA
                )

    def _draw_cylinder(
        self,
        canvas: np.ndarray,
        middle: np.ndarray,
        width: float,
        height: float,
        tilt: float,
        elevation: float,
    ) -> None:
        cap = width / 2 * math.sin(elevation)
        body = max(height / 2 - cap / 2, 1.0)
        angle = np.linspace(0, 2 * math.pi, 16, endpoint=False)
        ring = np.column_stack([np.cos(angle) * width / 2, np.sin(angle) * cap])
        turn = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])

        def place(points: np.ndarray) -> np.ndarray:
            return np.rint(points @ turn.T + middle).astype(np.int32)

        hull = cv2.convexHull(np.vstack([ring + [0, body], ring - [0, body]]).astype(np.float32))[:, 0]
        cv2.fillConvexPoly(canvas, place(hull), _ints(self.colour, 0.9), cv2.LINE_AA)
        if self.banded:
            band = np.array(
                [
                    [-width / 2, -body * 0.4],
                    [width / 2, -body * 0.4],
                    [width / 2, body * 0.4],
                    [-width / 2, body * 0.4],
                ]
            )
            cv2.fillConvexPoly(canvas, place(band), _ints(self.second, 0.95), cv2.LINE_AA)
        cv2.fillConvexPoly(canvas, place(ring - [0, body]), _ints(self.colour, 1.2), cv2.LINE_AA)

    def _draw_cutout(
        self, canvas: np.ndarray, middle: np.ndarray, width: float, height: float, tilt: float
    ) -> None:
        rows, columns = self.patch.shape[:2]
        cos, sin = math.cos(tilt), math.sin(tilt)
        scale = np.array(
            [[cos * width / columns, -sin * height / rows], [sin * width / columns, cos * height / rows]]
        )
        offset = middle - scale @ np.array([columns / 2, rows / 2])
        reach = int(math.hypot(width, height) / 2) + 2
        x0, y0 = max(int(middle[0]) - reach, 0), max(int(middle[1]) - reach, 0)
        x1, y1 = min(int(middle[0]) + reach, canvas.shape[1]), min(int(middle[1]) + reach, canvas.shape[0])
        if x1 <= x0 or y1 <= y0:
            return
        matrix = np.column_stack([scale, offset - [x0, y0]])
        patch = cv2.warpAffine(self.patch, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_AREA)
        mask = cv2.warpAffine(self.mask, matrix, (x1 - x0, y1 - y0))[..., None]
        window = canvas[y0:y1, x0:x1]
        window[:] = (window * (1 - mask) + patch * mask).astype(np.uint8)


class Worker:
    """An arm with a gripper, or a person's arm and hand."""

    def __init__(self, rng: np.random.Generator, human: bool) -> None:
        self.human = human
        self.kind = 'outside' if rng.random() < (0.6 if human else 0.3) else 'links'
        angle = rng.uniform(0, 2 * math.pi)
        far = rng.uniform(0.45, 0.75)
        self.base = np.array([far * math.cos(angle), far * math.sin(angle), rng.uniform(0, 0.35)])
        if human:
            self.base[2] = rng.uniform(0.25, 0.5)
        reach = far + 0.45
        self.upper, self.lower = reach * rng.uniform(0.5, 0.62), reach * rng.uniform(0.5, 0.62)
        self.thick = rng.uniform(0.03, 0.06, 2) * (1.1 if human else 1.0)
        skin = np.array([rng.uniform(140, 235), 0, 0])
        skin[1], skin[2] = skin[0] * rng.uniform(0.65, 0.8), skin[0] * rng.uniform(0.5, 0.68)
        self.colours = [_colour(rng, grey=0.6) for _ in range(3)]
        self.tool_colour = skin if human else _colour(rng, grey=0.7)
        self.palm = rng.uniform(0.03, 0.06)
        self.finger = rng.uniform(0.04, 0.09)
        self.width = rng.uniform(0.05, 0.1)
        self.yaw = rng.uniform(0, math.pi)
        self.lean = rng.normal(0, 0.15 if not human else 0.5, 2)
        self.body = human and rng.random() < 0.75
        self.sway = rng.uniform(0.1, 0.5)
        self.hair = _colour(rng, grey=0.8) * rng.uniform(0.1, 1.0)
        self.girth = rng.uniform(0.1, 0.19)
        self.tracking = rng.random() < 0.5  # the wrist follows the arm's direction

    def joints(self, wrist: np.ndarray) -> np.ndarray:
        """Return base, elbow, wrist (elbow up)."""
        if self.kind == 'outside':
            return np.vstack([self.base + (self.base - wrist) * 0.6 + [0, 0, 0.25], wrist])
        line = wrist - self.base
        span = min(float(np.linalg.norm(line)), (self.upper + self.lower) * 0.999)
        along = (self.upper**2 - self.lower**2 + span**2) / (2 * span)
        height = math.sqrt(max(self.upper**2 - along**2, 0.0))
        direction = line / np.linalg.norm(line)
        up = np.array([0, 0, 1.0]) - direction[2] * direction
        up = up / max(float(np.linalg.norm(up)), 1e-6)
        elbow = self.base + direction * along + up * height
        return np.vstack([self.base, elbow, wrist])

    def draw(
        self, canvas: np.ndarray, camera: Camera, state: State, thing: tuple[Thing, np.ndarray, float] | None
    ) -> None:
        """Draw it, and what it holds between its fingers."""
        lean = np.array([*self.lean, 1.0])
        axis = lean / np.linalg.norm(lean)
        side = np.array([math.cos(self.yaw), math.sin(self.yaw), 0.0])
        if state.tilt:
            axis = axis * math.cos(state.tilt) + side * math.sin(state.tilt)
        knuckles = state.tool + axis * self.finger
        wrist = knuckles + axis * (self.palm + 0.06)
        joints = self.joints(wrist)
        if self.body:  # it leans along with the hand
            base = self.base + self.sway * (state.tool - self.base) * [1, 1, 0]
            head = base + self.sway * 0.4 * (state.tool - self.base) * [1, 1, 0]
            self._capsule(canvas, camera, base + [0, 0, -0.4], base, self.girth, self.colours[2])
            self._capsule(canvas, camera, head + [0, 0, 0.2], head + [0, 0, 0.25], 0.09, self.tool_colour)
            self._capsule(canvas, camera, head + [0, 0, 0.1], head + [0, 0, 0.3], 0.085, self.hair)
        elif self.kind == 'links':
            self._capsule(
                canvas, camera, self.base * [1, 1, 0], self.base, self.thick[0] * 1.3, self.colours[2]
            )
        for number, (first, second) in enumerate(pairwise(joints)):
            self._capsule(canvas, camera, first, second, self.thick[min(number, 1)], self.colours[number])
            self._capsule(canvas, camera, second, second, self.thick[min(number, 1)] * 1.15, self.colours[2])
        gap = side * self.width / 2 * (0.25 + 0.75 * state.opening)
        order = sorted(
            (gap, -gap), key=lambda offset: -float(np.linalg.norm(state.tool + offset - camera.eye))
        )
        above = camera.elevation > 0.9
        if above and thing is not None:
            thing[0].draw(canvas, camera, thing[1], thing[2])
        for number, offset in enumerate(order):
            if number == 1 and not above and thing is not None:
                thing[0].draw(canvas, camera, thing[1], thing[2])
            bend = knuckles + offset * 1.1
            radius = 0.011 if self.human else 0.009
            self._capsule(canvas, camera, bend, state.tool + offset, radius, self.tool_colour)
            if self.human:
                self._capsule(
                    canvas, camera, bend, state.tool + offset * 0.7 + axis * 0.02, radius, self.tool_colour
                )
        self._capsule(
            canvas,
            camera,
            knuckles - side * self.width / 2,
            knuckles + side * self.width / 2,
            self.palm / 2,
            self.tool_colour,
        )
        self._capsule(canvas, camera, knuckles, wrist, self.palm / 2 * 1.2, self.tool_colour)

    def _capsule(
        self,
        canvas: np.ndarray,
        camera: Camera,
        first: np.ndarray,
        second: np.ndarray,
        radius: float,
        colour: np.ndarray,
    ) -> None:
        pixels, depths = camera.project(np.vstack([first, second]))
        pixels = np.clip(pixels, -2000, 3000)
        width = max(1, round(2 * radius * camera.focal / float(depths.mean())))
        ends = [(round(float(x)), round(float(y))) for x, y in pixels]
        cv2.line(canvas, ends[0], ends[1], _ints(colour, 0.8), min(width, 200), cv2.LINE_AA)
        if width > 3:
            shift = width // 5
            cv2.line(
                canvas,
                (ends[0][0] - shift, ends[0][1] - shift),
                (ends[1][0] - shift, ends[1][1] - shift),
                _ints(colour, 1.1),
                max(1, min(width // 3, 100)),
                cv2.LINE_AA,
            )


class DrawnScene:
    """Everything that is drawn of one episode; :meth:`draw` gives the frames."""

    def __init__(
        self,
        rng: np.random.Generator,
        script: Script,
        *,
        human: bool,
        photos: Sequence[Path] = (),
        cutouts: Sequence[np.ndarray] = (),
    ) -> None:
        self.rng, self.script = rng, script
        long_side = 216
        aspect = float(rng.choice([4 / 3, 16 / 9, 1.25, 1.0], p=[0.45, 0.35, 0.12, 0.08]))
        self.inner = (long_side, round(long_side / aspect))
        size = (self.inner[0] + 2 * MARGIN, self.inner[1] + 2 * MARGIN)
        in_view = np.vstack(
            [script.objects[:1], script.destination[None], script.destination[None] + [0, 0, 0.1]]
        )
        self.camera = random_camera(rng, size, in_view)
        self.worker = Worker(rng, human)
        self.things = [Thing(rng, size, cutouts) for size in script.sizes]
        self.receiver = Worker(rng, human=rng.random() < 0.8) if script.receiver else None
        self.other = Worker(rng, human) if rng.random() < (0.5 if human else 0.1) else None
        self.wander = rng.uniform(0.0, 0.04, 3) * (rng.random() < 0.5)
        self.pot = rng.uniform([0.04, 0.05], [0.09, 0.13]) if rng.random() < 0.25 else None
        self.pot_colour = _colour(rng)
        self.shadow = rng.uniform(0.0, 0.5)
        self.shaky = rng.random() < 0.2
        self.passer_by = rng.random() < 0.15
        self.swaying = rng.random() < 0.5
        self.light_waves = rng.uniform(0, 0.05) * (rng.random() < 0.3)
        self.noise = rng.uniform(0, 6)
        self.quality = int(rng.integers(35, 95))
        self.flicker = rng.uniform(0, 0.02) if rng.random() < 0.5 else 0.0
        self.background = self._background(size, photos)
        self.drift = np.zeros(4)
        self.passer = np.array([rng.uniform(0, size[0]), rng.uniform(0, size[1] * 0.4)])
        self.passer_speed = rng.normal(0, 25, 2) * [1, 0.2]
        self.passer_colour = _colour(rng)
        self.passer_size = (int(rng.integers(8, 26)), int(rng.integers(20, 60)))

    def _photo(self, photos: Sequence[Path], size: tuple[int, int]) -> np.ndarray:
        rng = self.rng
        if photos and rng.random() < 0.8:
            image = cv2.imread(str(photos[int(rng.integers(len(photos)))]))
            if image is not None:
                image = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
                blur = rng.uniform(0, 3)
                return cv2.GaussianBlur(image, (0, 0), blur) if blur > 0.3 else image
        flat = _colour(rng) + noise_texture(rng, *size, rng.uniform(0, 25))
        return np.clip(flat, 0, 255).astype(np.uint8)

    def _background(self, size: tuple[int, int], photos: Sequence[Path]) -> np.ndarray:
        rng, camera = self.rng, self.camera
        canvas = self._photo(photos, size).copy()
        half = rng.uniform(0.4, 1.2, 2)
        corners = np.array([[x, y, 0.0] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]) * [*half, 0]
        local = (corners - camera.eye) @ camera.rotation[2]
        if (local > 0.1).all():
            top = self._photo(photos if rng.random() < 0.25 else (), (160, 160))
            pixels, _ = camera.project(corners)
            square = np.array([[0, 0], [160, 0], [160, 160], [0, 160]], np.float32)
            matrix = cv2.getPerspectiveTransform(square, pixels.astype(np.float32))
            table = cv2.warpPerspective(top, matrix, size)
            mask = cv2.warpPerspective(np.full((160, 160), 255, np.uint8), matrix, size)[..., None] > 127
            canvas = np.where(mask, table, canvas)
        for _ in range(int(rng.integers(0, 5))):  # things that nobody touches
            size3 = rng.uniform(0.03, 0.12, 3)
            place = np.array([*rng.uniform(-0.45, 0.45, 2), size3[2] / 2])
            if (
                min(
                    np.hypot(*(place - other)[:2])
                    for other in (*self.script.objects, self.script.destination)
                )
                > 0.1
            ):
                Thing(rng, size3, ()).draw(canvas, camera, place, 0.0)
        kind = rng.choice(['plate', 'bowl', 'none'])
        if self.pot is not None:
            self._wall(canvas, 0.0, 2 * math.pi, 0.75)
        elif kind != 'none' and self.script.destination[2] == 0:
            self._dish(canvas, rng.uniform(0.06, 0.11), kind == 'bowl')
        return np.ascontiguousarray(canvas)

    def _dish(self, canvas: np.ndarray, radius: float, bowl: bool) -> None:
        angle = np.linspace(0, 2 * math.pi, 24, endpoint=False)
        ring = np.column_stack([np.cos(angle) * radius, np.sin(angle) * radius, np.zeros(24)])
        colour = _colour(self.rng)
        for share, height, shade in (
            (0.7, 0.0, 0.8),
            (1.0, 0.03 if bowl else 0.006, 1.0),
            (0.85, 0.03 if bowl else 0.006, 0.85),
        ):
            pixels, _ = self.camera.project(self.script.destination + ring * share + [0, 0, height])
            cv2.fillConvexPoly(canvas, np.rint(pixels).astype(np.int32), _ints(colour, shade), cv2.LINE_AA)

    def _wall(self, canvas: np.ndarray, begin: float, end: float, shade: float) -> None:
        """Draw a part of the pot's wall, from one angle to another."""
        assert self.pot is not None
        angle = np.linspace(begin, end, 16)
        ring = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(16)]) * self.pot[0]
        low = self.script.destination + ring
        pixels, _ = self.camera.project(np.vstack([low, low + [0, 0, self.pot[1]]]))
        hull = cv2.convexHull(np.rint(pixels).astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, _ints(self.pot_colour, shade), cv2.LINE_AA)

    def _rim(self, canvas: np.ndarray, tool: np.ndarray) -> None:
        """Draw the wall of the pot that stands before what is in it."""
        if self.pot is None:
            return
        toward = (self.camera.eye - self.script.destination)[:2]
        before = (tool - self.script.destination)[:2] @ toward / np.linalg.norm(toward) > self.pot[0]
        low = (self.camera.elevation < 1.1) & (self.script.destination[2] < 0.01)
        if low and not before:
            angle = math.atan2(toward[1], toward[0])
            # seen from the side: the nearer half up to the rim hides what is behind it
            self._wall(canvas, angle - math.pi / 2, angle + math.pi / 2, 1.0)

    def _shade(self, canvas: np.ndarray, place: np.ndarray, radius: float) -> None:
        """Darken the table below a thing."""
        pixels, depths = self.camera.project(place * [1, 1, 0])
        reach = max(2, round(radius * self.camera.focal / float(depths[0])))
        x, y = (round(float(value)) for value in pixels[0])
        flat = max(1, round(reach * math.sin(self.camera.elevation)))
        x0, y0, x1, y1 = (
            max(x - reach, 0),
            max(y - flat, 0),
            min(x + reach, canvas.shape[1]),
            min(y + flat, canvas.shape[0]),
        )
        if x1 <= x0 or y1 <= y0:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.float32)
        cv2.ellipse(mask, (x - x0, y - y0), (reach, flat), 0, 0, 360, 1.0, -1)
        window = canvas[y0:y1, x0:x1]
        window[:] = (window * (1 - self.shadow * mask[..., None])).astype(np.uint8)

    def draw(self, time: float, dt: float, state: State) -> np.ndarray:
        """Return the frame at ``time``, (H, W, 3) uint8 RGB."""
        canvas = self.background.copy()
        if self.passer_by:
            step = self.passer_speed * dt * (math.cos(2 * time) if self.swaying else 1.0)
            self.passer = self.passer + step
            x, y = (round(float(value)) for value in self.passer)
            colour = _ints(self.passer_colour)
            cv2.ellipse(canvas, (x, y), self.passer_size, 0, 0, 360, colour, -1, cv2.LINE_AA)
        after = time - self.script.release_time()
        objects = state.objects
        if self.receiver is not None:
            away = np.array([0.0, 0.0, 0.0])
            if after > 0.3:
                outward = self.receiver.base / np.linalg.norm(self.receiver.base)
                away = outward * min((after - 0.3) * 0.3, 0.5)
            hand = self.script.destination + [0, 0, self.script.sizes[0][2] / 2] + away
            if after > 0:
                objects = objects.copy()
                objects[0] = objects[0] + away
            taken = State(hand, 0.3 if after > -0.3 else 0.8, 0.0, objects, None, -1, False)
            self.receiver.draw(canvas, self.camera, taken, None)
        if self.other is not None:
            wave = self.wander * np.sin(time * np.array([1.1, 0.7, 1.7]))
            rest = self.other.base * [0.65, 0.65, 0.4] + wave
            self.other.draw(canvas, self.camera, State(rest, 0.5, 0.0, objects, None, -1, False), None)
        order = sorted(
            range(len(objects)), key=lambda index: -float(np.linalg.norm(objects[index] - self.camera.eye))
        )
        for index in range(len(objects)):
            self._shade(canvas, objects[index], float(self.script.sizes[index].max()) * 0.7)
        self._shade(canvas, state.tool, 0.05)
        for index in order:
            if index != state.held:
                self.things[index].draw(canvas, self.camera, objects[index], 0.0)
        held = None
        if state.held >= 0:
            held = (self.things[state.held], objects[state.held], state.tilt)
        self.worker.draw(canvas, self.camera, state, held)
        self._rim(canvas, state.tool)
        return self._photograph(canvas, dt, 1 + self.light_waves * math.sin(time))

    def _photograph(self, canvas: np.ndarray, dt: float, light: float) -> np.ndarray:
        """Do to the picture what a real camera does."""
        rng = self.rng
        if self.shaky:
            self.drift = self.drift * math.exp(-dt / 2) + rng.normal(0, 1, 4) * [
                2.0,
                2.0,
                0.005,
                0.005,
            ] * math.sqrt(dt)
            centre = (canvas.shape[1] / 2, canvas.shape[0] / 2)
            matrix = cv2.getRotationMatrix2D(
                centre, math.degrees(float(self.drift[2])), 1 + float(self.drift[3])
            )
            matrix[:, 2] += self.drift[:2]
            canvas = cv2.warpAffine(
                canvas, matrix, (canvas.shape[1], canvas.shape[0]), borderMode=cv2.BORDER_REFLECT
            )
        canvas = canvas[MARGIN : MARGIN + self.inner[1], MARGIN : MARGIN + self.inner[0]]
        picture = canvas.astype(np.float32) * light
        if self.noise > 0.5:
            picture += cv2.resize(
                rng.normal(0, self.noise, (self.inner[1], self.inner[0])).astype(np.float32), self.inner
            )[..., None]
        if self.flicker:
            picture *= 1 + rng.normal(0, self.flicker)
        picture = np.clip(picture, 0, 255).astype(np.uint8)
        packed = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
        return cv2.imdecode(packed, cv2.IMREAD_COLOR)
