"""Who works, drawn: arms with a gripper, and people's arms and hands."""
# ruff: noqa: RUF005  (what is added here are arrays, not lists)

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np

from training.episodes.camera import Camera
from training.episodes.drawn_thing import Thing
from training.episodes.paint import random_colour, shaded
from training.episodes.script import State


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
        self.colours = [random_colour(rng, grey=0.6) for _ in range(3)]
        self.tool_colour = skin if human else random_colour(rng, grey=0.7)
        self.palm = rng.uniform(0.03, 0.06) if human else rng.uniform(0.04, 0.1)
        self.finger = rng.uniform(0.04, 0.09)
        self.width = rng.uniform(0.05, 0.1)
        self.radius = rng.uniform(0.009, 0.013) if human else rng.uniform(0.008, 0.018)
        self.bands = int(rng.integers(0, 5))    # rings, seams and labels on each link
        self.band_colour = random_colour(rng, grey=0.6)
        self.yaw = rng.uniform(0, math.pi)
        self.lean = rng.normal(0, 0.15 if not human else 0.5, 2)
        self.body = human and rng.random() < 0.75
        self.sway = rng.uniform(0.1, 0.5)
        self.hair = random_colour(rng, grey=0.8) * rng.uniform(0.1, 1.0)
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
            thick = self.thick[min(number, 1)]
            self._capsule(canvas, camera, first, second, thick, self.colours[number])
            for band in range(self.bands):
                share = (band + 0.7) / (self.bands + 0.5)
                self._capsule(canvas, camera, first + (second - first) * share,
                              first + (second - first) * (share + 0.05), thick * 0.9, self.band_colour)
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
            self._capsule(canvas, camera, bend, state.tool + offset, self.radius, self.tool_colour)
            if self.human:
                self._capsule(
                    canvas, camera, bend, state.tool + offset * 0.7 + axis * 0.02, self.radius,
                    self.tool_colour
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
        cv2.line(canvas, ends[0], ends[1], shaded(colour, 0.8), min(width, 200), cv2.LINE_AA)
        if width > 3:
            shift = width // 5
            cv2.line(
                canvas,
                (ends[0][0] - shift, ends[0][1] - shift),
                (ends[1][0] - shift, ends[1][1] - shift),
                shaded(colour, 1.1),
                max(1, min(width // 3, 100)),
                cv2.LINE_AA,
            )
