"""Kinds of things in generated scenes: their shapes, their colours, and what lies in or on them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed (training/requirements.txt)')

from training.scenes import sampler
from training.scenes.kind import Kind
from training.scenes.kinds import KINDS
from training.scenes.materials import COLOURS, linear, names, paint, shade
from training.scenes.mesh import box, ellipsoid, lathe, merge
from training.scenes.phrases import KOREAN_COLOURS
from training.scenes.tracer import World

pytest_plugins = ['scene_fixtures']
pytestmark = pytest.mark.usefixtures('no_photographs')


@pytest.mark.parametrize('kind', KINDS.values(), ids=lambda kind: kind.name)
def test_kinds_make_sound_meshes(kind: Kind):
    shapes = []
    for seed in (2, 3):
        rng = np.random.default_rng(seed)
        parts = kind.make(rng, paint(kind.colours[0], kind.materials[0], rng))
        mesh = merge([part.mesh for part in parts])
        shapes.append(mesh.vertices)
        assert np.isfinite(mesh.vertices).all()
        length = np.linalg.norm(mesh.normals, axis=1)
        assert np.allclose(length[length > 1e-6], 1, atol=1e-6)
        assert mesh.faces.max() < len(mesh.vertices)
        assert 0.01 < np.ptp(mesh.vertices, axis=0).max() < 0.6
        assert mesh.vertices[:, 2].min() > -0.006
    assert shapes[0].shape != shapes[1].shape or not np.allclose(shapes[0], shapes[1])


def test_there_are_enough_kinds_and_words():
    assert len(KINDS) >= 30
    assert all(kind.ko for kind in KINDS.values())
    assert set(KOREAN_COLOURS) == set(COLOURS)


@pytest.mark.parametrize('mesh', [
    box((1, 2, 3)), ellipsoid((1, 2, 3)), lathe([(0, 0), (1, 0), (1, 2), (0, 2)]),
], ids=['box', 'ellipsoid', 'lathe'])
def test_solids_face_outwards(mesh):
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    assert ((mesh.normals * (mesh.vertices - middle)).sum(1) > -1e-6).all()
    corners = mesh.vertices[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normal * mesh.normals[mesh.faces[:, 0]]).sum(1) > -1e-9).all()


def test_held_out_shades_are_apart_from_training_shades():
    rng = np.random.default_rng(0)
    train = {round(float(shade('white', rng).max() ** (1 / 2.2)), 6) for _ in range(200)}
    test = {round(float(shade('white', rng, held_out=True).max() ** (1 / 2.2)), 6) for _ in range(200)}
    low, high = COLOURS['white'][2]
    third = (high - low) / 3
    assert all(low + third <= value <= high - third for value in test)
    assert not any(low + third < value < high - third for value in train)


def heights(parts, xy, start, way):
    """Return where rays along z meet parts first, NaN where they meet nothing."""
    origins = np.column_stack([xy, np.broadcast_to(start, len(xy))]).astype(np.float32)
    directions = np.tile(np.array([0, 0, way], np.float32), (len(xy), 1))
    hits = World(parts, [1] * len(parts)).hit(origins, directions)
    return np.where(hits.found, origins[:, 2] + way * hits.distance, np.nan)


@pytest.mark.parametrize('holder', [kind for kind in KINDS.values() if kind.holds],
                         ids=lambda kind: kind.name)
def test_things_lie_on_the_floor_of_upright_carriers(holder: Kind, monkeypatch):
    def plan(rng, *, held_out):
        def draw(kind, size):
            return sampler.Plan(kind, kind.colours[0], kind.materials[0], size, int(rng.integers(2**30)))
        kinds = [kind for kind in KINDS.values() if not kind.holds]
        return [draw(holder, 'large'),
                *(draw(kinds[int(rng.integers(len(kinds)))], 'small') for _ in range(5))]

    monkeypatch.setattr(sampler, 'plan', plan)
    carried = 0
    for seed in range(16):
        items, _ = sampler.lay_out(np.random.default_rng([seed, 1]), held_out=False)
        for item in (item for item in items if item.carrier >= 0):
            carrier = items[item.carrier]
            assert carrier.kind is holder and carrier.pose == 'upright'
            vertices = np.concatenate([part.mesh.vertices for part in item.parts])
            low, high = vertices.min(0), vertices.max(0)
            xy = np.random.default_rng(seed).uniform(low[:2], high[:2], (4000, 2))
            under = heights(item.parts, xy, low[2] - 0.1, 1)
            support = heights(carrier.parts, xy, np.nan_to_num(under) + 1e-5, -1)
            assert np.nanmin(under - support) < 0.005, (item.kind.name, seed)
            # nor does it stand in a wall or on a rim: what is seen from above is all below it
            top = heights(carrier.parts, xy, 2.0, -1)
            assert np.nanmean(np.where(np.isnan(under), np.nan, under - top < -0.003)) < 0.02
            if holder.holds == 'in':
                around = carrier.middle[:2] + np.random.default_rng(seed).uniform(-1, 1, (4000, 2)) * 0.05
                floor = np.nanmin(heights(carrier.parts, around, 2.0, -1))
                assert floor < 0.02 and low[2] - floor < 0.025, (item.kind.name, seed)
            carried += 1
    assert carried >= 5


def test_a_bowl_carries_when_it_is_upright_alone(monkeypatch):
    bowl = KINDS['bowl']
    monkeypatch.setattr(sampler, 'plan', lambda rng, *, held_out: [
        sampler.Plan(bowl, 'red', 'ceramic', 'large', 2 * int(rng.integers(2**30)))])
    poses = {}
    for seed in range(30):
        (item,), _ = sampler.lay_out(np.random.default_rng(seed), held_out=False)
        poses[item.pose] = item
    half, rng = np.full(3, 0.02), np.random.default_rng(0)
    found = {}
    for pose, item in poses.items():
        opens_up = bool(heights(item.parts, item.middle[None, :2], 2.0, -1)[0] < item.middle[2])
        found[pose] = opens_up, {sampler._carrier([item], half, rng) for _ in range(60)}
    assert found == {'upright': (True, {-1, 0}), 'down': (False, {-1})}


def test_a_colour_goes_by_its_own_name():
    rng = np.random.default_rng(0)
    for name in COLOURS:
        assert all(name in names(shade(name, rng)) for _ in range(50))
    assert all(names(linear(rng.uniform(0, 1, 3))) for _ in range(500))
    assert not names(linear(np.array([0.1, 0.2, 0.9]))) & {'red', 'yellow', 'green', 'brown', 'white'}
