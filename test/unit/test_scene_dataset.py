"""Generated scenes in a folder: written once, read back, of one sort."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed (training/requirements.txt)')

from scene_fixtures import SIZE

from training.scenes import make_scene
from training.scenes.dataset import Job, load_scene, read_labels, write_dataset

pytest_plugins = ['scene_fixtures']
pytestmark = pytest.mark.usefixtures('no_photographs')


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
