"""Things that are drawn: boxes, cylinders, balls, and cut-outs of photographs."""
# ruff: noqa: RUF005  (what is added here are arrays, not lists)

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from training.episodes.camera import Camera
from training.episodes.paint import random_colour, shaded


class Thing:
    """An object: a box, a cylinder, a ball, or a cut-out of a photograph."""

    def __init__(self, rng: np.random.Generator, size: np.ndarray, cutouts: Sequence[np.ndarray]) -> None:
        self.size = size
        self.kind = str(
            rng.choice(['box', 'cylinder', 'ball', 'cutout'] if cutouts else ['box', 'cylinder', 'ball'])
        )
        self.colour = random_colour(rng, grey=0.25)
        self.second = random_colour(rng, grey=0.3)
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
            cv2.circle(canvas, place, radius, shaded(self.colour), -1, cv2.LINE_AA)
            cv2.circle(
                canvas,
                (place[0] - radius // 3, place[1] - radius // 3),
                max(1, radius // 3),
                shaded(self.colour, 1.3),
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
                canvas, np.rint(pixels).astype(np.int32), shaded(self.colour, shade), cv2.LINE_AA
            )
            if self.banded:
                inner = pixels.mean(axis=0) + (pixels - pixels.mean(axis=0)) * 0.5
                cv2.fillConvexPoly(
                    canvas, np.rint(inner).astype(np.int32), shaded(self.second, shade), cv2.LINE_AA
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
        cv2.fillConvexPoly(canvas, place(hull), shaded(self.colour, 0.9), cv2.LINE_AA)
        if self.banded:
            band = np.array(
                [
                    [-width / 2, -body * 0.4],
                    [width / 2, -body * 0.4],
                    [width / 2, body * 0.4],
                    [-width / 2, body * 0.4],
                ]
            )
            cv2.fillConvexPoly(canvas, place(band), shaded(self.second, 0.95), cv2.LINE_AA)
        cv2.fillConvexPoly(canvas, place(ring - [0, body]), shaded(self.colour, 1.2), cv2.LINE_AA)

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
