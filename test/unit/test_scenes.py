from __future__ import annotations

import colorsys
import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed (training/requirements.txt)')

from scene_words import ENGLISH_CLAIMS, ENGLISH_RELATIONS, read

from training.scenes import make_scene, play, sampler
from training.scenes.dataset import Job, load_scene, read_labels, write_dataset
from training.scenes.kind import Kind
from training.scenes.kinds import KINDS
from training.scenes.make import Setting, generator, make_setting, photograph
from training.scenes.materials import COLOURS, linear, names, paint, shade
from training.scenes.mesh import box, ellipsoid, lathe, merge
from training.scenes.phrases import KOREAN_COLOURS, absent_phrases
from training.scenes.referring import Description, Seen, needs, resolve
from training.scenes.render import Render
from training.scenes.scene import Scene, SceneObject
from training.scenes.tracer import Hits, World
from vla_attention.focus import Intrinsics

SIZE = (160, 120)
SEEDS = range(8)
SKETCHES = range(140, 180)


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


@dataclass(frozen=True)
class Sketch:
    """A scene whose picture is left white: exact depth, instances and phrases in a tenth of the time."""

    setting: Setting
    hits: Hits
    scene: Scene


@pytest.fixture(scope='module')
def sketches(no_photographs):
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


def rotation(q):
    x, y, z, w = q
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])


def thing(number, kind='cup', colour='red', *, x=0.0, away=0.0, edge=0.1, carrier=0, visible=1.0):
    """Stand a thing at x (share of a picture 100 pixels wide), ``away`` metres from the camera's side.

    The camera is half a metre before x = 0.5.
    """
    pixels = int(200 * edge)
    middle = int(100 * x)
    top = 50 - int(100 * away)
    object_ = SceneObject(number, kind, colour, 'plastic', 'medium',
                          (middle - pixels // 2, top, middle + pixels // 2, top + 30),
                          np.array([x - 0.5, 0.0, away + 0.5]),
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
            points = np.stack([(columns - cx) / fx * z, (rows - cy) / fy * z, z], axis=1)
            local = (points - entry.center) @ rotation(entry.orientation)
            assert (np.abs(local) <= entry.size / 2 + 0.004).mean() > 0.98, entry.kind
            checked += 1
    assert checked > 15


def test_depth_puts_the_table_at_height_zero(scenes):
    for scene in scenes:
        fx, fy, cx, cy = scene.intrinsics
        rows, columns = np.nonzero(scene.depth > 0)
        z = scene.depth[rows, columns]
        points = np.stack([(columns - cx) / fx * z, (rows - cy) / fy * z, z, np.ones_like(z)])
        height = (scene.camera_pose @ points)[2]
        assert (np.abs(height) < 0.003).mean() > 0.05


def test_intrinsics_are_those_of_opencv(sketches):
    """The focus stage takes pixel centres at whole numbers; half a pixel is a millimetre or two."""
    for each in sketches[:10]:
        cloud = Intrinsics(*each.scene.intrinsics).deproject(each.scene.depth).reshape(-1, 3)
        height = cloud @ each.scene.camera_pose[2, :3] + each.scene.camera_pose[2, 3]
        table = each.hits.found & (each.hits.part == 0) & (each.hits.flat[:, 2] > 0.99)
        assert table.sum() > 100
        assert np.abs(height[table]).max() < 0.0002


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


def has_colour(srgb, name):
    """Tell whether a colour lies within the range that objects of that name are painted from."""
    hue, saturation, value = colorsys.rgb_to_hsv(*srgb)
    (from_hue, to_hue), saturations, values = COLOURS[name]
    return ((360 * hue - from_hue) % 360 <= to_hue - from_hue
            and saturations[0] <= saturation <= saturations[1] and values[0] <= value <= values[1])


def test_phrases_heed_the_boxes_in_the_background(sketches):
    cluttered = 0
    for each in sketches:
        first = len(each.setting.fixed)
        visible = [part.surface.colour ** (1 / 2.2) for number, part in enumerate(each.setting.clutter)
                   if (each.hits.part[each.hits.found] == first + number).sum() > 5]
        cluttered += bool(visible)
        for phrase in each.scene.phrases if visible else ():
            said = read(phrase)
            if not phrase.target_id:
                assert said.kind not in ('box', 'block') or said.colour
            elif said.kind in ('', 'box', 'block') and not said.claims & {'on', 'in'}:
                assert said.colour, phrase
            if said.kind in ('', 'box', 'block') and not said.claims & {'on', 'in'}:
                assert not any(has_colour(srgb, said.colour) for srgb in visible), phrase
            if said.reference and said.reference.kind in ('box', 'block'):
                assert not any(has_colour(srgb, said.reference.colour) for srgb in visible), phrase
    assert cluttered > 5


def test_a_box_is_not_asked_for_as_absent_before_boxes():
    row, rng = (thing(1), thing(2, 'plate', 'blue')), np.random.default_rng(0)
    asked = Counter(phrase.text_en for _ in range(1500) for phrase in absent_phrases(row, rng, 2))
    assert {'box', 'block'} <= set(asked)
    clutter = frozenset({'red', 'brown'})
    asked = Counter(phrase.text_en for _ in range(1500) for phrase in absent_phrases(row, rng, 2, clutter))
    assert not [text for text in asked if text.split()[-1] in ('box', 'block')]
    # a box in view is asked for in a colour that neither it nor those behind it have
    row = (thing(1, 'box', 'blue'),)
    asked = {phrase.text_en for _ in range(1500) for phrase in absent_phrases(row, rng, 2, clutter)}
    boxes = {text for text in asked if text.split()[-1] == 'box'}
    assert 'green box' in boxes and not boxes & {'red box', 'brown box', 'blue box', 'box'}


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

    def test_depth_order_on_the_table_and_from_the_lens_must_agree(self):
        aside = (thing(1, x=0.0, away=0.0), thing(2, x=0.5, away=0.1))    # 0.71 m and 0.60 m from the lens
        assert resolve(Description(kind='cup', position='nearest'), aside, 100) == 0
        assert resolve(Description(kind='cup', position='farthest'), aside, 100) == 0
        third = (thing(1, x=0.1, away=0.0), thing(2, x=0.5, away=0.4), thing(3, x=0.5, away=0.1))
        assert resolve(Description(kind='cup', position='nearest'), third, 100) == 0
        assert resolve(Description(kind='cup', position='farthest'), third, 100) == 2

    def test_boxes_in_the_background_may_be_meant(self):
        tray = thing(9, 'tray', 'grey', x=0.8)
        row = (thing(1, x=0.2), thing(2, 'box', 'blue', x=0.5), thing(3, 'die', 'white', carrier=9), tray)
        red = frozenset({'red', 'pink'})
        for description, alone, before_boxes in (
                (Description(kind='box'), 2, 0), (Description(kind='box', colour='blue'), 2, 2),
                (Description(colour='red'), 1, 0), (Description(colour='blue'), 2, 2),
                (Description(kind='cup'), 1, 1), (Description(kind='cup', colour='red'), 1, 1),
                (Description(relation='on', reference=tray), 3, 3)):
            assert resolve(description, row, 100) == alone
            assert resolve(description, row, 100, red) == before_boxes
        assert needs(Description(kind='box', colour='blue'), 2, row, 100) == ()
        assert needs(Description(kind='box', colour='blue'), 2, row, 100, red) == ('colour',)

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
    assert all(record['split'] == 'test' and record['size'] == [160, 120] and record['jpeg'] is False
               and record['depth'].endswith('.png') for record in records)
    scene, fresh = load_scene(tmp_path, records[1]), make_scene(1, size=SIZE, split='test')
    assert np.array_equal(scene.image, fresh.image)
    assert np.array_equal(scene.instances, fresh.instances)
    assert np.allclose(scene.depth, fresh.depth, atol=0.00051)
    assert np.allclose(scene.intrinsics, fresh.intrinsics, atol=0.00005)
    assert scene.phrases == fresh.phrases
    assert scene.objects[0].box2d == fresh.objects[0].box2d


RECORD = {'seed': 1, 'split': 'train', 'size': [160, 120], 'jpeg': False, 'depth': 'depth/0000001.png'}


def test_a_half_written_line_is_left_out(tmp_path):
    whole = json.dumps(RECORD)
    labels = tmp_path / 'labels.jsonl'
    labels.write_text(whole + '\n{"seed": 2, "ima', encoding='utf-8')
    assert [record['seed'] for record in read_labels(tmp_path)] == [1]
    write_dataset(Job(str(tmp_path), SIZE), [0])
    assert [record['seed'] for record in read_labels(tmp_path)] == [1, 0]


@pytest.mark.parametrize(('options', 'named'), [
    ({'split': 'test'}, "split is 'test'"), ({'size': (320, 240)}, r'size is \[320, 240\]'),
    ({'jpeg': True}, 'jpeg is True'), ({'depth': False}, 'depth is False')])
def test_a_folder_holds_one_sort_of_scenes(tmp_path, options, named):
    line = json.dumps(RECORD) + '\n'
    (tmp_path / 'labels.jsonl').write_text(line, encoding='utf-8')
    assert write_dataset(Job(str(tmp_path), SIZE), [1]) == 0
    with pytest.raises(ValueError, match=f'{named}, but scene 1 '):
        write_dataset(Job(**{'folder': str(tmp_path), 'size': SIZE, **options}), [2])
    assert (tmp_path / 'labels.jsonl').read_text(encoding='utf-8') == line


def test_scenes_of_an_earlier_version_are_not_added_to(tmp_path):
    (tmp_path / 'labels.jsonl').write_text('{"seed": 1, "depth": null}\n', encoding='utf-8')
    with pytest.raises(ValueError, match='scene 1 does not say its split'):
        write_dataset(Job(str(tmp_path), SIZE), [2])


@pytest.mark.parametrize(('options', 'named'), [
    ({'split': 'dev'}, 'dev'), ({'size': (16, 120)}, '16')])
def test_bad_options_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        make_scene(0, **options)


def test_play_refuses_a_rate_of_zero():
    with pytest.raises(ValueError, match='rate_hz'):
        next(play(0, rate_hz=0))


class View:
    """Where the things of a scene are, measured in its picture and its labels."""

    def __init__(self, scene):
        self.scene = scene
        self.width = scene.image.shape[1]

    def x(self, entry):
        """Return the column of the middle of what is seen."""
        return np.nonzero(self.scene.instances == entry.id)[1].mean()

    def world(self, entry):
        return self.scene.camera_pose[:3, :3] @ entry.center + self.scene.camera_pose[:3, 3]

    def ahead(self, entry):
        """Return metres over the table, the way that the camera looks."""
        way = self.scene.camera_pose[:2, 2]
        return (self.world(entry) - self.scene.camera_pose[:3, 3])[:2] @ way / np.linalg.norm(way)

    def beside(self, entry, other):
        return np.linalg.norm((self.world(entry) - self.world(other))[:2])

    def named(self, said):
        return [entry for entry in self.scene.objects
                if said.kind in ('', entry.kind) and said.colour in ('', entry.colour)]

    def first(self, target, group, value):
        """Tell whether the target has the least value, and no other the same."""
        return all(value(target) < value(other) for other in group if other is not target)

    def holds(self, claim, target, group, other):
        """Tell whether a claim is true of the target among those that share its name."""
        first = self.first
        if ' from the ' in claim:
            sign = 1 if claim.endswith('left') else -1
            return sorted(group, key=lambda entry: sign * self.x(entry))[int(claim[0]) - 1] is target
        checks = {
            'leftmost': lambda: first(target, group, self.x),
            'rightmost': lambda: first(target, group, lambda entry: -self.x(entry)),
            'left': lambda: self.x(target) < self.width / 2 and first(target, group, self.x),
            'right': lambda: self.x(target) > self.width / 2 and first(target, group, lambda e: -self.x(e)),
            'middle': lambda: len(group) == 3 and sorted(group, key=self.x)[1] is target,
            'nearest': lambda: (first(target, group, self.ahead)
                                and first(target, group, lambda entry: np.linalg.norm(entry.center))),
            'farthest': lambda: (first(target, group, lambda entry: -self.ahead(entry))
                                 and first(target, group, lambda entry: -np.linalg.norm(entry.center))),
            'large': lambda: first(target, group, lambda entry: -entry.size.prod()),
            'small': lambda: first(target, group, lambda entry: entry.size.prod()),
            'left of': lambda: self.x(target) < self.x(other),
            'right of': lambda: self.x(target) > self.x(other),
            'behind': lambda: self.ahead(target) > self.ahead(other),
            'in front of': lambda: self.ahead(target) < self.ahead(other),
            'next to': lambda: self.beside(target, other) < (target.size.max() + other.size.max()) / 2 + 0.05,
            'on': lambda: (other.kind in ('plate', 'tray', 'book', 'cutting board')
                           and self.beside(target, other) < other.size[:2].max() / 2),
            'in': lambda: (other.kind in ('bowl', 'basket', 'pan')
                           and self.beside(target, other) < other.size[:2].max() / 2),
        }
        return checks[claim]()


def test_words_in_both_languages_fit_the_scene(sketches):
    """Swapped sides, sizes or numbers in a template are lies about the picture."""
    found = Counter()
    for each in sketches:
        view = View(each.scene)
        there = {entry.id: entry for entry in each.scene.objects}
        for phrase in each.scene.phrases:
            said = read(phrase)
            if not phrase.target_id:
                assert not said.claims and not view.named(said), phrase
                continue
            target, group = there[phrase.target_id], view.named(said)
            assert target in group, phrase
            assert bool(said.claims) == bool({'size', 'position', 'relation', 'ordinal'} & set(phrase.needs)
                                             or len(group) > 1), phrase
            others = view.named(said.reference) if said.reference else [None]
            assert len(others) == 1, phrase
            for claim in said.claims:
                found[claim] += 1
                assert view.holds(claim, target, group, others[0]), (each.scene.seed, claim, phrase)
    assert set(found) == set(ENGLISH_CLAIMS) | set(ENGLISH_RELATIONS)
