"""Generated scenes: pictures, depth, instances and phrases that agree, the same for a seed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed (training/requirements.txt)')

from scene_fixtures import SIZE

from training.scenes import make_scene, play
from training.scenes.kinds import KINDS
from training.scenes.materials import COLOURS
from training.scenes.phrases import KOREAN_COLOURS
from vla_attention.focus import Intrinsics

pytest_plugins = ['scene_fixtures']
pytestmark = pytest.mark.usefixtures('no_photographs')


def rotation(q):
    x, y, z, w = q
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])


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


@pytest.mark.parametrize(('options', 'named'), [
    ({'split': 'dev'}, 'dev'), ({'size': (16, 120)}, '16')])
def test_bad_options_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        make_scene(0, **options)


def test_play_refuses_a_rate_of_zero():
    with pytest.raises(ValueError, match='rate_hz'):
        next(play(0, rate_hz=0))
