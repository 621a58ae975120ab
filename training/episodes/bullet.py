"""Scripts played by simulated arms in PyBullet: a Panda to train with, a KUKA held out.

The arm follows the script by inverse kinematics and what it holds goes with it: the truth is the script's.
TinyRenderer draws it on the CPU, with shadows; photographs stand behind it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pybullet
import pybullet_data
from pybullet_utils.bullet_client import BulletClient

from training.episodes.camera import Camera, random_camera
from training.episodes.episode import Episode, Frame, crop_start, frame_times
from training.episodes.script import TASK_SHARES, TASKS, Script, ScriptWriter, State

SIZE = (216, 162)
BASE = np.array([-0.5, 0.0, 0.0])
MESHES = (('objects/mug.obj', 0.7), ('duck.obj', 0.05))


class BulletScene:
    """One arm, its table and things; :meth:`draw` poses them and gives the picture."""

    def __init__(self, rng: np.random.Generator, script: Script, arm: str, photos: Sequence[Path]) -> None:
        self.rng, self.script, self.arm = rng, script, arm
        self.client: Any = BulletClient(pybullet.DIRECT)
        self.client.setAdditionalSearchPath(pybullet_data.getDataPath())
        if arm == 'panda':
            self.body = self.client.loadURDF('franka_panda/panda.urdf', BASE.tolist(), useFixedBase=True)
            self.tip, self.fingers = 11, {9: 0.04, 10: 0.04}
            self.rest = [0.0, -0.3, 0.0, -2.2, 0.0, 2.0, 0.8]
        else:
            self.body = self.client.loadSDF('kuka_iiwa/kuka_with_gripper2.sdf')[0]
            self.client.resetBasePositionAndOrientation(self.body, BASE.tolist(), [0, 0, 0, 1])
            self.tip, self.fingers = 7, {8: -0.35, 11: 0.35}
            self.rest = [0.0, 0.5, 0.0, -1.4, 0.0, 1.1, 0.0]
        self.joints = [
            index
            for index in range(self.client.getNumJoints(self.body))
            if self.client.getJointInfo(self.body, index)[2] != self.client.JOINT_FIXED
        ]
        for joint, angle in zip(self.joints, self.rest, strict=False):
            self.client.resetJointState(self.body, joint, angle)
        self._paint()
        self.things = [self._thing(size) for size in script.sizes]
        in_view = np.vstack(
            [script.objects[:1], script.destination[None], script.destination[None] + [0, 0, 0.15]]
        )
        self.camera = random_camera(rng, SIZE, in_view, script.way(), float(np.sort(script.sizes[0])[1]))
        self.light = rng.normal(0, 1, 3) * [1, 1, 0] + [0, 0, rng.uniform(1, 3)]
        self.behind = self._photo(photos)
        self.noise, self.quality = rng.uniform(0, 6), int(rng.integers(40, 95))

    def _paint(self) -> None:
        rng, client = self.rng, self.client
        if rng.random() < 0.6:
            for link in range(-1, client.getNumJoints(self.body)):
                shade = rng.uniform(0.1, 1.0) if link % 3 == 0 else 0.8
                client.changeVisualShape(self.body, link, rgbaColor=[shade, shade, shade, 1])
        half = [*rng.uniform(0.6, 1.2, 2), 0.02]
        table = client.createVisualShape(
            client.GEOM_BOX, halfExtents=half, rgbaColor=[*rng.uniform(0.15, 0.95, 3), 1]
        )
        client.createMultiBody(baseVisualShapeIndex=table, basePosition=[0, 0, -0.021])
        for _ in range(int(rng.integers(0, 4))):
            size = rng.uniform(0.02, 0.06, 3)
            place = rng.uniform(-0.4, 0.4, 2)
            if all(
                np.hypot(*(place - other[:2])) > 0.12
                for other in (*self.script.objects, self.script.destination)
            ):
                self.client.resetBasePositionAndOrientation(
                    self._thing(size * 2), [*place, size[2]], [0, 0, 0, 1]
                )
        plate = client.createVisualShape(
            client.GEOM_CYLINDER,
            radius=rng.uniform(0.05, 0.1),
            length=0.006,
            rgbaColor=[*rng.uniform(0.1, 1, 3), 1],
        )
        if rng.random() < 0.6 and self.script.destination[2] == 0:
            client.createMultiBody(baseVisualShapeIndex=plate, basePosition=self.script.destination.tolist())

    def _thing(self, size: np.ndarray) -> int:
        rng, client = self.rng, self.client
        kind = int(rng.integers(0, 4))
        colour = [*rng.uniform(0, 1, 3), 1]
        if kind == 0:
            shape = client.createVisualShape(
                client.GEOM_CYLINDER, radius=size[0] / 2, length=size[2], rgbaColor=colour
            )
        elif kind == 1:
            shape = client.createVisualShape(client.GEOM_SPHERE, radius=size.mean() / 2, rgbaColor=colour)
        elif kind == 2:
            mesh, scale = MESHES[int(rng.integers(len(MESHES)))]
            shape = client.createVisualShape(
                client.GEOM_MESH, fileName=mesh, meshScale=[scale] * 3, rgbaColor=colour
            )
        else:
            shape = client.createVisualShape(
                client.GEOM_BOX, halfExtents=(size / 2).tolist(), rgbaColor=colour
            )
        return client.createMultiBody(baseVisualShapeIndex=shape)

    def _photo(self, photos: Sequence[Path]) -> np.ndarray:
        image = cv2.imread(str(photos[int(self.rng.integers(len(photos)))])) if photos else None
        if image is None:
            return np.full((SIZE[1], SIZE[0], 3), self.rng.uniform(0, 255, 3), np.uint8)
        return cv2.GaussianBlur(cv2.resize(image[..., ::-1], SIZE, interpolation=cv2.INTER_AREA), (0, 0), 1.0)

    def _pose(self, state: State) -> None:
        client = self.client
        turn = client.getQuaternionFromEuler([math.pi, state.tilt, 0.0])
        offset = 0.0 if self.arm == 'panda' else 0.24  # from the KUKA's flange to its fingertips
        axis = np.array(client.getMatrixFromQuaternion(turn)).reshape(3, 3)[:, 2]
        goal = state.tool - axis * offset
        for _ in range(4):
            angles = client.calculateInverseKinematics(
                self.body, self.tip if self.arm == 'panda' else 6, goal.tolist(), turn, maxNumIterations=40
            )
            for joint, angle in zip(self.joints[:7], angles[:7], strict=True):
                client.resetJointState(self.body, joint, angle)
        for joint, angle in self.fingers.items():
            client.resetJointState(self.body, joint, angle * (0.15 + 0.85 * state.opening))
        for index, (thing, place) in enumerate(zip(self.things, state.objects, strict=True)):
            lean = client.getQuaternionFromEuler([0, state.tilt if index == state.held else 0.0, 0])
            client.resetBasePositionAndOrientation(thing, place.tolist(), lean)

    def draw(self, state: State) -> np.ndarray:
        """Return the picture of a state, (162, 216, 3) uint8 RGB."""
        self._pose(state)
        camera, client = self.camera, self.client
        view = client.computeViewMatrix(
            camera.eye.tolist(), (camera.eye + camera.rotation[2]).tolist(), (-camera.rotation[1]).tolist()
        )
        angle = 2 * math.degrees(math.atan(SIZE[1] / 2 / camera.focal))
        lens = client.computeProjectionMatrixFOV(angle, SIZE[0] / SIZE[1], 0.05, 10.0)
        _, _, colour, _, ids = client.getCameraImage(
            *SIZE, view, lens, lightDirection=self.light.tolist(), shadow=1, renderer=client.ER_TINY_RENDERER
        )
        picture = np.reshape(colour, (SIZE[1], SIZE[0], 4))[..., :3].astype(np.float32)
        picture = np.where(np.reshape(ids, (SIZE[1], SIZE[0], 1)) < 0, self.behind, picture)
        picture = picture + self.rng.normal(0, self.noise, (*picture.shape[:2], 1))
        packed = cv2.imencode(
            '.jpg', np.clip(picture, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        )[1]
        return cv2.imdecode(packed, cv2.IMREAD_COLOR)

    def close(self) -> None:
        """Give the simulation back."""
        self.client.disconnect()


def bullet_episode(seed: int, *, held_out: bool = False, photos: Sequence[Path] = ()) -> Episode:
    """Make the simulated episode of a seed: a Panda, or where held out a KUKA half the time.

    There is no hand in the simulation, so no hand-over: that task is drawn only.
    """
    rng = np.random.default_rng(seed + 50_000_000)
    shares = np.array([share * (task != 'hand_over') for task, share in zip(TASKS, TASK_SHARES, strict=True)])
    while True:
        task = TASKS[int(rng.choice(len(TASKS), p=shares / shares.sum()))]
        home = np.array([rng.uniform(-0.15, 0.1), rng.uniform(-0.25, 0.25), rng.uniform(0.25, 0.45)])
        script = ScriptWriter(rng, task, reach=0.2, home=home).write()
        if script.duration < 25:
            break
    arm = 'kuka' if held_out and seed % 2 else 'panda'
    begin = crop_start(rng, script)
    times, shown = frame_times(rng, script.duration - begin)
    states = script.play(np.maximum.accumulate(shown + begin))
    events = tuple((time - begin, name) for time, name in script.events if time > begin)
    return Episode(
        f'{arm}_{seed}', script.task, events, _frames(rng, script, arm, photos, times, shown, states)
    )


def _frames(
    rng: np.random.Generator,
    script: Script,
    arm: str,
    photos: Sequence[Path],
    times: np.ndarray,
    shown: np.ndarray,
    states: Sequence[State],
) -> Iterator[Frame]:
    scene = BulletScene(rng, script, arm, photos)
    try:
        picture, last = None, math.nan
        for time, at, state in zip(times, shown, states, strict=True):
            if picture is None or at != last:
                picture, last = scene.draw(state), at
            yield Frame(
                float(time),
                picture,
                state.phase,
                state.contact,
                _share(scene.camera, state.tool),
                _share(scene.camera, state.objects[max(state.held, 0)]),
                _share(scene.camera, script.destination),
            )
    finally:
        scene.close()


def _share(camera: Camera, point: np.ndarray) -> tuple[float, float]:
    pixel = camera.project(point)[0][0]
    return float(pixel[0] / SIZE[0]), float(pixel[1] / SIZE[1])
