from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed (training/requirements.txt)')

from training.scenes import make_scene, play
from training.scenes.dataset import Job, load_scene, read_labels, write_dataset
from training.scenes.kind import Kind
from training.scenes.kinds import KINDS
from training.scenes.materials import COLOURS, paint, shade
from training.scenes.mesh import box, ellipsoid, lathe, merge
from training.scenes.phrases import KOREAN_COLOURS
from training.scenes.referring import Description, Seen, needs, resolve
from training.scenes.scene import SceneObject

SIZE = (160, 120)
SEEDS = range(8)


@pytest.fixture(scope='module', autouse=True)
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


def rotation(q):
    x, y, z, w = q
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])


def thing(number, kind='cup', colour='red', *, x=0.0, away=0.0, edge=0.1, carrier=0, visible=1.0):
    """Stand a thing at x (share of a picture 100 pixels wide), ``away`` metres from the camera's side."""
    pixels = int(200 * edge)
    middle = int(100 * x)
    top = 50 - int(100 * away)
    object_ = SceneObject(number, kind, colour, 'plastic', 'medium',
                          (middle - pixels // 2, top, middle + pixels // 2, top + 30), np.zeros(3),
                          np.full(3, edge), np.array([0, 0, 0, 1.0]), visible)
    return Seen(object_, KINDS[kind], pixels ** 2, (middle, 50.0), (x, away), carrier)


def test_a_seed_is_one_scene(scenes):
    again = make_scene(3, size=SIZE, depth_noise=False)
    assert np.array_equal(again.image, scenes[3].image)
    assert np.array_equal(again.instances, scenes[3].instances)
    assert again.phrases == scenes[3].phrases
    assert not np.array_equal(make_scene(3, size=SIZE, split='test').image, scenes[3].image)


def test_arrays_have_the_promised_form(scenes):
    for scene in scenes:
        assert scene.image.shape == (120, 160, 3) and scene.image.dtype == np.uint8
        assert scene.depth.shape == (120, 160) and scene.depth.dtype == np.float32
        assert scene.instances.shape == (120, 160) and scene.instances.dtype == np.int32
        assert len(scene.intrinsics) == 4
        turn = scene.camera_pose[:3, :3]
        assert np.allclose(turn @ turn.T, np.eye(3)) and np.linalg.det(turn) == pytest.approx(1)
        assert scene.image.std() > 8


def test_instances_and_objects_agree(scenes):
    for scene in scenes:
        assert set(np.unique(scene.instances)) - {0} == {entry.id for entry in scene.objects}
        for entry in scene.objects:
            rows, columns = np.nonzero(scene.instances == entry.id)
            assert entry.box2d == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert 0 < entry.visible <= 1
            assert entry.kind in KINDS and entry.colour in COLOURS


def test_visible_surface_lies_in_the_oriented_box(scenes):
    checked = 0
    for scene in scenes:
        fx, fy, cx, cy = scene.intrinsics
        for entry in scene.objects:
            rows, columns = np.nonzero((scene.instances == entry.id) & (scene.depth > 0))
            z = scene.depth[rows, columns]
            points = np.stack([(columns + 0.5 - cx) / fx * z, (rows + 0.5 - cy) / fy * z, z], axis=1)
            local = (points - entry.center) @ rotation(entry.orientation)
            assert (np.abs(local) <= entry.size / 2 + 0.004).mean() > 0.98, entry.kind
            checked += 1
    assert checked > 15


def test_depth_puts_the_table_at_height_zero(scenes):
    for scene in scenes:
        fx, fy, cx, cy = scene.intrinsics
        rows, columns = np.nonzero(scene.depth > 0)
        z = scene.depth[rows, columns]
        points = np.stack([(columns + 0.5 - cx) / fx * z, (rows + 0.5 - cy) / fy * z, z, np.ones_like(z)])
        height = (scene.camera_pose @ points)[2]
        assert (np.abs(height) < 0.003).mean() > 0.05


def test_every_phrase_points_to_what_it_names(scenes):
    asked = 0
    for scene in scenes:
        there = {entry.id: entry for entry in scene.objects}
        for phrase in scene.phrases:
            assert phrase.text_en and phrase.text_ko
            if not phrase.target_id:
                assert phrase.needs == ()
                continue
            asked += 1
            target = there[phrase.target_id]
            named = [colour for colour in KOREAN_COLOURS if phrase.text_en.split()[0] == colour]
            if named and 'next to' not in phrase.text_en:
                assert target.colour in named
            if phrase.needs == ('kind',):
                assert [entry.id for entry in scene.objects if entry.kind == target.kind] == [target.id]
    assert asked > 30


def test_depth_noise_leaves_holes_and_small_errors():
    clean = make_scene(1, size=SIZE, depth_noise=False).depth
    noisy = make_scene(1, size=SIZE).depth
    both = (clean > 0) & (noisy > 0)
    assert (noisy == 0).sum() > (clean == 0).sum()
    assert 0 < np.median(np.abs(noisy - clean)[both]) < 0.005


def test_play_moves_the_camera_and_keeps_ids():
    frames = list(play(5, size=SIZE, rate_hz=2, seconds=1.5))
    assert [time for time, _ in frames] == [0.0, 0.5, 1.0]
    kinds = {}
    for _, scene in frames:
        assert scene.phrases == frames[0][1].phrases
        for entry in scene.objects:
            assert kinds.setdefault(entry.id, entry.kind) == entry.kind
    assert not np.allclose(frames[0][1].camera_pose, frames[2][1].camera_pose)


def test_play_moves_one_object_when_asked():
    def places(moving):
        moved = {}
        for _, scene in play(5, size=SIZE, rate_hz=1, seconds=3, moving=moving):
            for entry in scene.objects:
                world = scene.camera_pose[:3, :3] @ entry.center + scene.camera_pose[:3, 3]
                moved.setdefault(entry.id, []).append(world)
        return {number: np.ptp(where, axis=0).max() for number, where in moved.items()}
    assert max(places(False).values()) < 1e-6
    assert sum(distance > 0.01 for distance in places(True).values()) == 1


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


class TestReferring:
    pair = (thing(1, x=0.2), thing(2, x=0.7), thing(3, 'plate', 'blue', x=0.5, away=0.3))

    def test_kind_and_colour(self):
        assert resolve(Description(kind='plate'), self.pair, 100) == 3
        assert resolve(Description(kind='cup'), self.pair, 100) == 0
        assert resolve(Description(colour='blue'), self.pair, 100) == 3
        assert needs(Description(kind='plate', colour='blue'), 3, self.pair, 100) == ()
        assert needs(Description(kind='plate'), 3, self.pair, 100) == ('kind',)

    def test_position(self):
        assert resolve(Description(kind='cup', position='leftmost'), self.pair, 100) == 1
        assert resolve(Description(kind='cup', position='right'), self.pair, 100) == 2
        close = (thing(1, x=0.50), thing(2, x=0.52))
        assert resolve(Description(kind='cup', position='leftmost'), close, 100) == 0

    def test_depth_order(self):
        rows = (thing(1, x=0.5, away=0.0), thing(2, x=0.5, away=0.3))
        assert resolve(Description(kind='cup', position='nearest'), rows, 100) == 1
        assert resolve(Description(kind='cup', position='farthest'), rows, 100) == 2

    def test_size(self):
        sizes = (thing(1, x=0.2, edge=0.05), thing(2, x=0.7, edge=0.1))
        assert resolve(Description(kind='cup', size='large'), sizes, 100) == 2
        assert resolve(Description(kind='cup', size='small'), sizes, 100) == 1
        alike = (thing(1, x=0.2, edge=0.100), thing(2, x=0.7, edge=0.105))
        assert resolve(Description(kind='cup', size='large'), alike, 100) == 0

    def test_ordinal_and_hidden_things(self):
        row = (thing(1, x=0.2), thing(2, x=0.5), thing(3, x=0.8))
        assert resolve(Description(kind='cup', ordinal=(2, 'left')), row, 100) == 2
        assert resolve(Description(kind='cup', ordinal=(1, 'right')), row, 100) == 3
        hidden = (*row[:2], thing(3, x=0.8, visible=0.1))
        assert resolve(Description(kind='cup', ordinal=(2, 'left')), hidden, 100) == 0

    def test_relation(self):
        reference = thing(9, 'laptop', 'grey', x=0.5)
        scene = (thing(1, x=0.2), thing(2, x=0.8), reference)
        left = Description(kind='cup', relation='left_of', reference=reference)
        assert resolve(left, scene, 100) == 1
        assert needs(left, 1, scene, 100) == ('relation',)
        doubtful = (*scene, thing(3, x=0.3, away=0.3))
        assert resolve(left, doubtful, 100) == 0
        carried = (thing(1, x=0.2, carrier=9), thing(2, x=0.8), reference)
        assert resolve(Description(kind='cup', relation='on', reference=reference), carried, 100) == 1

    def test_a_confusable_kind_makes_a_name_unclear(self):
        assert resolve(Description(kind='cup'), (thing(1), thing(2, 'mug')), 100) == 0


def test_dataset_is_written_once_and_read_back(tmp_path):
    job = Job(str(tmp_path), SIZE, 'test')
    assert write_dataset(job, range(2)) > 0
    before = (tmp_path / 'labels.jsonl').read_text(encoding='utf-8')
    assert write_dataset(job, range(2)) == 0
    assert (tmp_path / 'labels.jsonl').read_text(encoding='utf-8') == before
    records = list(read_labels(tmp_path))
    assert [record['seed'] for record in records] == [0, 1]
    scene, fresh = load_scene(tmp_path, records[1]), make_scene(1, size=SIZE, split='test')
    assert np.array_equal(scene.image, fresh.image)
    assert np.array_equal(scene.instances, fresh.instances)
    assert np.allclose(scene.depth, fresh.depth, atol=0.00051)
    assert scene.phrases == fresh.phrases
    assert scene.objects[0].box2d == fresh.objects[0].box2d


def test_a_half_written_line_is_left_out(tmp_path):
    whole = json.dumps({'seed': 1})
    labels = tmp_path / 'labels.jsonl'
    labels.write_text(whole + '\n{"seed": 2, "ima', encoding='utf-8')
    assert [record['seed'] for record in read_labels(tmp_path)] == [1]
    write_dataset(Job(str(tmp_path), SIZE), [0])
    assert [record['seed'] for record in read_labels(tmp_path)] == [1, 0]


@pytest.mark.parametrize(('options', 'named'), [
    ({'split': 'dev'}, 'dev'), ({'size': (16, 120)}, '16')])
def test_bad_options_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        make_scene(0, **options)


def test_play_refuses_a_rate_of_zero():
    with pytest.raises(ValueError, match='rate_hz'):
        next(play(0, rate_hz=0))
