"""Draws a script straight with OpenCV: arms, hands and things over photographs, hundreds of frames a second.

Not beautiful, but of endless variety: cameras at every angle, arms with one or two links or from out of
view, human hands, grippers of all colours, shadows, shaky cameras, compression, exposure that wanders.
"""
# ruff: noqa: RUF005  (what is added here are arrays, not lists)

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from training.episodes.camera import random_camera
from training.episodes.drawn_thing import Thing
from training.episodes.drawn_worker import Worker
from training.episodes.paint import noise_texture, random_colour, shaded
from training.episodes.script import Script, State

MARGIN = 12  # pixels around the image, so that a shaky camera sees no border


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
        long_side = 240
        aspect = float(rng.choice([4 / 3, 16 / 9, 1.25, 1.0], p=[0.45, 0.35, 0.12, 0.08]))
        self.inner = (long_side, round(long_side / aspect))
        size = (self.inner[0] + 2 * MARGIN, self.inner[1] + 2 * MARGIN)
        in_view = np.vstack(
            [script.objects[:1], script.destination[None], script.destination[None] + [0, 0, 0.1]]
        )
        thing = float(np.sort(script.sizes[0])[1])
        self.camera = random_camera(rng, size, in_view, script.way(), thing)
        self.worker = Worker(rng, human)
        self.things = [Thing(rng, size, cutouts) for size in script.sizes]
        self.receiver = Worker(rng, human=rng.random() < 0.8) if script.receiver else None
        self.other = Worker(rng, human) if rng.random() < (0.5 if human else 0.1) else None
        self.wander = rng.uniform(0.0, 0.04, 3) * (rng.random() < 0.5)
        self.pot = rng.uniform([0.04, 0.05], [0.09, 0.13]) if rng.random() < 0.25 else None
        self.pot_colour = random_colour(rng)
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
        self.passer_colour = random_colour(rng)
        self.passer_size = (int(rng.integers(8, 26)), int(rng.integers(20, 60)))

    def _photo(self, photos: Sequence[Path], size: tuple[int, int]) -> np.ndarray:
        rng = self.rng
        if photos and rng.random() < 0.8:
            image = cv2.imread(str(photos[int(rng.integers(len(photos)))]))
            if image is not None:
                image = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
                blur = rng.uniform(0, 3)
                return cv2.GaussianBlur(image, (0, 0), blur) if blur > 0.3 else image
        flat = random_colour(rng) + noise_texture(rng, *size, rng.uniform(0, 25))
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
        colour = random_colour(self.rng)
        for share, height, shade in (
            (0.7, 0.0, 0.8),
            (1.0, 0.03 if bowl else 0.006, 1.0),
            (0.85, 0.03 if bowl else 0.006, 0.85),
        ):
            pixels, _ = self.camera.project(self.script.destination + ring * share + [0, 0, height])
            cv2.fillConvexPoly(canvas, np.rint(pixels).astype(np.int32), shaded(colour, shade), cv2.LINE_AA)

    def _wall(self, canvas: np.ndarray, begin: float, end: float, shade: float) -> None:
        """Draw a part of the pot's wall, from one angle to another."""
        assert self.pot is not None
        angle = np.linspace(begin, end, 16)
        ring = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(16)]) * self.pot[0]
        low = self.script.destination + ring
        pixels, _ = self.camera.project(np.vstack([low, low + [0, 0, self.pot[1]]]))
        hull = cv2.convexHull(np.rint(pixels).astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, shaded(self.pot_colour, shade), cv2.LINE_AA)

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
            colour = shaded(self.passer_colour)
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
            noise = rng.normal(0, self.noise, (self.inner[1], self.inner[0]))
            picture += noise.astype(np.float32)[..., None]
        if self.flicker:
            picture *= 1 + rng.normal(0, self.flicker)
        picture = np.clip(picture, 0, 255).astype(np.uint8)
        packed = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
        return cv2.imdecode(packed, cv2.IMREAD_COLOR)
