"""Generated scenes for the tests of them: whole ones, and sketches of many more.

Modules that import from here name it in ``pytest_plugins`` too: PYTEST_DONT_REWRITE, it asserts nothing.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed (training/requirements.txt)')

from training.scenes import make_scene
from training.scenes.make import Setting, generator, make_setting, photograph
from training.scenes.render import Render
from training.scenes.scene import Scene
from training.scenes.tracer import Hits

SIZE = (160, 120)
SEEDS = range(8)
SKETCHES = range(140, 180)


@pytest.fixture(scope='module')
def no_photographs(tmp_path_factory):
    """Photographs that lie beside a checkout must not change what these tests see."""
    from training.scenes import textures
    patch = pytest.MonkeyPatch()
    patch.setenv(textures.PHOTOS, str(tmp_path_factory.mktemp('none')))
    textures._photographs.cache_clear()
    yield
    patch.undo()
    textures._photographs.cache_clear()


@pytest.fixture(scope='module')
def scenes(no_photographs):
    return [make_scene(seed, size=SIZE, depth_noise=False) for seed in SEEDS]


@dataclass(frozen=True)
class Sketch:
    """A scene whose picture is left white: exact depth, instances and phrases in a tenth of the time."""

    setting: Setting
    hits: Hits
    scene: Scene


@pytest.fixture(scope='module')
def sketches(no_photographs):
    return _sketches()


@functools.cache    # more than one module looks at them
def _sketches():
    return [sketch(seed) for seed in SKETCHES]


def sketch(seed):
    rng = generator(seed, 'train')
    setting = make_setting(rng, SIZE, 'train')
    camera, shape = setting.camera, SIZE[::-1]
    origins, directions = camera.rays(camera.grid())
    hits = setting.world().hit(origins, directions)
    depth = np.where(hits.found, hits.distance * (directions @ camera.pose[:3, 2]), 0).astype(np.float32)
    picture = Render(np.ones((*shape, 3), np.float32), depth.reshape(shape), hits.instance.reshape(shape))
    return Sketch(setting, hits, photograph(seed, setting.items, setting.clutter, camera, picture, rng,
                                            depth_noise=False, sensor_noise=False))
