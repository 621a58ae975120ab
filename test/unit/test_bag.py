"""Bags: what is recorded is attended to, with its own stamps; what is broken is skipped, and said."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('rosbags', reason='the extra [bag] is not installed')
pytest.importorskip('mcap', reason='the extra [bag] is not installed')

from bags import COFFEE, DELAY, START, STEP, Colours, header, of, read, record, run
from mcap.reader import make_reader
from mcap.writer import Writer
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability

from vla_attention.bag import attend, many, messages
from vla_attention.bag.attend import Task
from vla_attention.bag.writer import LATCHED, BagWriter, made_with

CUP = (160, 20, 440, 320)           # where the cup is


@pytest.fixture
def quick(monkeypatch):
    """Let every pipeline of this process have the quick backend."""
    monkeypatch.setattr(many, 'make_backend', lambda *_, **__: Colours())
    monkeypatch.setattr(many, '_pipelines', {})


# ---- one bag


def test_the_coffee_cup_is_found_in_a_recorded_bag(capsys, tmp_path):
    source = record(tmp_path / 'in.mcap', frames=2)
    status, lines, _ = run(capsys, source, tmp_path / 'out.mcap', '--instruction', '컵을 집어줘')
    assert status == 0
    assert lines == [{'bag': str(source), 'out': str(tmp_path / 'out.mcap'), 'status': 'done', 'frames': 2,
                      'skipped': 0, 'in space': 0}]
    found = read(tmp_path / 'out.mcap')
    assert set(found) == {'/instruction/parsed', '/attention/target', '/focus/regions', '/overlay/compressed'}
    assert json.loads(found['/instruction/parsed'][0][1].data)['roles']['target'] == ['컵']
    for index, (time, regions) in enumerate(found['/focus/regions']):
        assert time == START + index * STEP, 'recorded when its image was'
        best = regions.detections[0]
        assert of(regions) == of(best) == (START + index * STEP - DELAY, 'camera_optical')
        assert best.results[0].hypothesis.class_id == '컵' and best.id == 'target/0'
        x, y = best.results[0].pose.pose.position.x, best.results[0].pose.pose.position.y
        assert CUP[0] < x < CUP[2] and CUP[1] < y < CUP[3]
    for (_, attention), (_, overlay) in zip(found['/attention/target'], found['/overlay/compressed'],
                                            strict=True):
        assert attention.encoding == '32FC1' and of(attention) == of(overlay)
        values = np.frombuffer(attention.data, np.float32).reshape(attention.height, attention.width)
        assert values.min() >= 0 and values.max() == pytest.approx(1, abs=0.05)     # nearly sure


def test_the_instructions_of_the_bag_hold_from_when_they_were_said(quick, capsys, tmp_path):
    source = record(tmp_path / 'in.mcap', frames=4, instructions={1: 'pick up the cup', 3: '접시를 집어'})
    status, lines, _ = run(capsys, source, tmp_path / 'out.mcap')
    assert status == 0 and lines[0]['frames'] == 4
    found = read(tmp_path / 'out.mcap')
    named = [sorted({each.results[0].hypothesis.class_id for each in regions.detections})
             for _, regions in found['/focus/regions']]
    assert named == [[], ['cup'], ['cup'], ['접시']], 'an empty array before the first one, never silence'
    told = [json.loads(message.data)['text'] for _, message in found['/instruction/parsed']]
    assert told == ['', 'pick up the cup', '접시를 집어']


def test_depth_gives_boxes_in_space(quick, capsys, tmp_path):
    source = record(tmp_path / 'in.mcap', depth=True)
    status, lines, _ = run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'pick up the cup')
    assert status == 0 and lines[0]['in space'] == 3
    found = read(tmp_path / 'out.mcap')['/focus/regions_3d']
    assert [of(message)[0] for _, message in found] == [START + index * STEP - DELAY for index in range(3)]
    best = found[0][1].detections[0]
    assert best.bbox.center.position.z == pytest.approx(0.8, abs=0.05)
    assert best.results[0].hypothesis.class_id == 'cup'


def test_compressed_images_are_taken(quick, capsys, tmp_path):
    source = record(tmp_path / 'in.mcap', compressed=True)
    assert run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'pick up the cup')[0] == 0
    assert len(read(tmp_path / 'out.mcap')['/focus/regions']) == 3


@pytest.mark.parametrize(('wrong', 'said'), [
    ({'depth_frame': 'depth_optical'}, "in frame 'depth_optical', the image in 'camera_optical'"),
    ({'width': 1280, 'height': 720}, 'camera_info is of 1280x720 pixels, depth of 600x400'),
    ({'header': header(0, 'depth_optical')}, "camera_info is in frame 'depth_optical'")])
def test_depth_of_another_camera_puts_nothing_in_space(quick, capsys, caplog, tmp_path, wrong, said):
    source = record(tmp_path / 'in.mcap', frames=1, depth=True, **wrong)
    status, lines, _ = run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'cup')
    assert status == 0 and lines[0]['frames'] == 1
    assert (lines[0]['in space'], lines[0]['skipped']) == (0, 1) and said in caplog.text


def test_a_binned_camera_is_that_of_the_image(quick, capsys, tmp_path):
    binned = {'width': 1200, 'height': 800, 'binning_x': 2, 'binning_y': 2}
    source = record(tmp_path / 'in.mcap', frames=1, depth=True, **binned)
    _, lines, _ = run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'cup')
    assert lines[0]['in space'] == 1


def test_the_lens_of_a_raw_image_is_taken_into_account(quick, capsys, caplog, tmp_path):
    places = []
    for d in ([], [-0.4, 0.0, 0.0, 0.0, 0.0], [0.4] * 3):
        source = record(tmp_path / 'in.mcap', frames=1, depth=True, d=np.array(d))
        run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'cup', '--overwrite')
        place = read(tmp_path / 'out.mcap')['/focus/regions_3d'][0][1].detections[0].bbox.center.position
        places.append(np.array([place.x, place.y, place.z]))
    straight, bent, unreadable = places
    assert np.linalg.norm(bent[:2]) > np.linalg.norm(straight[:2]) + 1e-4     # a barrel lens draws inwards
    np.testing.assert_array_equal(unreadable, straight)
    assert '/camera/color/camera_info: d is [0.4, 0.4, 0.4]' in caplog.text


def test_what_late_subscribers_get_too_is_so_after_merging(quick, capsys, tmp_path):
    with BagWriter(tmp_path / 'in.mcap', {}) as writer:
        writer.write('/tf_static', messages.make(messages.STRING, data='stands for it'), START, LATCHED)
        writer.write('/image', messages.image(COFFEE, 'rgb8', header(0)), START + 1)
    run(capsys, tmp_path / 'in.mcap', tmp_path / 'out.mcap', '--instruction', 'cup', '--merge')
    with AnyReader([tmp_path / 'out.mcap']) as reader:
        offered = {each.topic: each.ext.offered_qos_profiles for each in reader.connections}
    for topic in ('/tf_static', '/instruction/parsed'):
        assert [each.durability for each in offered[topic]] == [QosDurability.TRANSIENT_LOCAL], topic
    assert offered['/image'] == offered['/focus/regions'] == []


def test_a_merged_bag_has_the_inputs_byte_for_byte(quick, monkeypatch, capsys, tmp_path):
    source = record(tmp_path / 'in.mcap', instructions={0: 'pick up the cup'}, depth=True)
    status, _, _ = run(capsys, source, tmp_path / 'out.mcap', '--merge', '--prefix', '/vla')
    assert status == 0

    def raw(path):
        with path.open('rb') as file:
            return {(channel.topic, message.log_time): message.data
                    for _, channel, message in make_reader(file).iter_messages()}
    before, after = raw(source), raw(tmp_path / 'out.mcap')
    assert not before.items() - after.items()
    assert {topic for topic, _ in after.keys() - before.keys()} == {
        '/vla/instruction/parsed', '/vla/attention/target', '/vla/focus/regions', '/vla/focus/regions_3d',
        '/vla/overlay/compressed'}
    monkeypatch.setattr(many, '_pipeline', None)    # no model loads for what cannot be written
    again = run(capsys, tmp_path / 'out.mcap', tmp_path / 'again.mcap', '--merge', '--prefix', '/vla',
                '--image-topic', '/camera/color/image_raw')
    assert again[0] == 2 and 'give another --prefix' in again[1][0]['reason']


FORCE = b'\0\1\0\0' + np.float32(2.5).tobytes()     # a message of one number as CDR


def test_a_definition_in_idl_stays_one(quick, capsys, tmp_path):
    text = 'module grip_msgs { module msg { struct Force { float newton; }; }; };'
    source = tmp_path / 'in.mcap'
    with BagWriter(source, {}) as writer:
        writer.write('/image', messages.image(COFFEE, 'rgb8', header(0)), START)
        writer.write_raw('/force', 'grip_msgs/msg/Force', FORCE, START, text, 'ros2idl')
    assert run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'cup', '--merge')[0] == 0
    with (tmp_path / 'out.mcap').open('rb') as file:
        schemas = {schema.name: (schema.encoding, schema.data.decode())
                   for schema in make_reader(file).get_summary().schemas.values()}
    assert schemas['grip_msgs/msg/Force'] == ('ros2idl', text)
    assert schemas[messages.IMAGE][0] == 'ros2msg'
    assert read(tmp_path / 'out.mcap')['/force'][0][1].newton == 2.5


def test_a_bag_without_definitions_is_merged_as_far_as_types_are_known(quick, capsys, caplog, tmp_path):
    source = tmp_path / 'in.mcap'
    with source.open('wb') as file:
        writer = Writer(file)
        writer.start('ros2', 'test')
        picture = messages.serialize(messages.image(COFFEE, 'rgb8', header(0)))
        for topic, name, data in (('/image', messages.IMAGE, picture),
                                  ('/force', 'grip_msgs/msg/Force', FORCE)):
            channel = writer.register_channel(topic, 'cdr', writer.register_schema(name, '', b''))
            for index in range(2):
                writer.add_message(channel, START + index, data, START + index)
        writer.finish()
    status, lines, _ = run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'cup', '--merge')
    assert (status, lines[0]['frames']) == (0, 2)
    found = read(tmp_path / 'out.mcap')
    assert len(found['/image']) == 2 and '/force' not in found
    assert caplog.text.count('/force is left out: the bag has no definition of grip_msgs/msg/Force') == 1


# ---- what is broken


def test_broken_messages_are_skipped_and_said_with_topic_and_time(quick, capsys, caplog, tmp_path):
    source = record(tmp_path / 'in.mcap', frames=4, broken=1, tiny=2)
    status, lines, _ = run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'pick up the cup')
    assert status == 0
    assert (lines[0]['frames'], lines[0]['skipped']) == (2, 2)
    stamps = [message.header.stamp.nanosec for _, message in read(tmp_path / 'out.mcap')['/focus/regions']]
    assert stamps == [header(index).stamp.nanosec for index in (0, 3)]
    assert '/camera/color/image_raw at 1700000000.100 s' in caplog.text
    assert '/camera/color/image_raw at 1700000000.200 s' in caplog.text


def test_depth_of_another_size_costs_the_space_but_not_the_regions(quick, capsys, caplog, tmp_path):
    source = tmp_path / 'in.mcap'
    with BagWriter(source, {}) as writer:
        writer.write('/image', messages.image(COFFEE, 'rgb8', header(0)), START)
        writer.write('/camera_info', messages.make(messages.CAMERA_INFO, k=np.array(
            [500, 0, 300, 0, 500, 200, 0, 0, 1], float)), START)
        writer.write('/depth', messages.image(np.full((20, 30), 800, np.uint16), '16UC1', header(0)), START)
    status, lines, _ = run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'pick up the cup')
    assert status == 0 and (lines[0]['frames'], lines[0]['in space']) == (1, 0)
    assert '/depth at' in caplog.text
    assert read(tmp_path / 'out.mcap')['/focus/regions'][0][1].detections


@pytest.mark.parametrize('content', [b'', b'no bag', b'\x89MCAP0\r\n' + bytes(100)])
def test_what_is_no_bag_is_said_in_one_line(quick, capsys, tmp_path, content):
    (tmp_path / 'in.mcap').write_bytes(content)
    status, _, err = run(capsys, tmp_path / 'in.mcap', tmp_path / 'out.mcap', '--instruction', 'cup')
    assert status == 2 and 'in.mcap' in err
    assert [path.name for path in tmp_path.iterdir()] == ['in.mcap'], 'nothing half-made is left'


def test_a_failure_half_way_leaves_nothing_behind(quick, monkeypatch, capsys, tmp_path):
    source = record(tmp_path / 'in.mcap')
    written = []
    write = BagWriter.write

    def full_disk(self, topic, message, log_time):
        written.append(topic)
        if len(written) > 5:
            raise OSError(28, 'No space left on device')
        write(self, topic, message, log_time)

    monkeypatch.setattr(BagWriter, 'write', full_disk)
    status, lines, err = run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'pick up the cup')
    assert status == 2 and lines[0]['status'] == 'failed' and 'in.mcap' in err
    assert [path.name for path in tmp_path.iterdir()] == ['in.mcap']


# ---- many bags


def test_many_bags_go_into_a_folder_and_the_second_call_does_what_is_missing(quick, capsys, tmp_path):
    sources = [record(tmp_path / f'{name}.mcap', frames=1) for name in 'abc']
    ask = ('--instruction', 'pick up the cup', '--jobs', '1')
    assert run(capsys, sources[0], tmp_path / 'out', *ask)[0] == 0
    first = (tmp_path / 'out' / 'a.mcap').stat().st_mtime_ns
    (tmp_path / 'b.mcap').write_bytes(b'broken')
    many_at_once = many.attend_in_processes
    many.attend_in_processes = lambda tasks, jobs: (many.attend_one(task) for task in tasks)
    try:
        status, lines, err = run(capsys, *sources, tmp_path / 'out', *ask)
    finally:
        many.attend_in_processes = many_at_once
    assert [line['status'] for line in lines] == ['done before', 'failed', 'done']
    assert status == 2 and '1 of 3 bags failed' in err and 'b.mcap' in err
    assert (tmp_path / 'out' / 'a.mcap').stat().st_mtime_ns == first
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['a.mcap', 'c.mcap']


def test_a_result_that_was_made_with_something_else_is_not_taken_for_done(quick, capsys, tmp_path):
    source = record(tmp_path / 'in.mcap', frames=1)
    target = tmp_path / 'out.mcap'
    assert run(capsys, source, target, '--instruction', 'pick up the cup')[0] == 0
    status, _, err = run(capsys, source, target, '--instruction', 'pick up the plate')
    assert status == 2 and 'in.mcap' in err
    assert made_with(target)['instruction'] == 'pick up the cup'
    assert run(capsys, source, target, '--instruction', 'pick up the plate', '--overwrite')[0] == 0
    assert made_with(target)['instruction'] == 'pick up the plate'
    target.write_bytes(b'somebody else wrote this')
    assert run(capsys, source, target, '--instruction', 'pick up the plate')[0] == 2
    assert target.read_bytes() == b'somebody else wrote this'


def test_another_bag_of_the_same_name_is_not_taken_for_done(quick, capsys, caplog, tmp_path):
    source = record(tmp_path / 'in.mcap', frames=1)
    ask = (source, tmp_path / 'out.mcap', '--instruction', 'pick up the cup')
    assert run(capsys, *ask)[1][0]['status'] == 'done'
    assert run(capsys, *ask)[1][0]['status'] == 'done before'
    record(source, frames=2)
    status, lines, err = run(capsys, *ask)
    assert (status, lines) == (2, []) and 'in.mcap' in err
    assert 'was made with another source_bytes, source_modified' in caplog.text


def test_a_result_inside_the_folder_of_its_bag_changes_nothing(tmp_path):
    record(tmp_path / 'bag_0.mcap', frames=1)
    task = Task(tmp_path, tmp_path / 'out.mcap')
    before = task.made_with()
    record(task.target, frames=1)
    assert task.made_with() == before
    record(tmp_path / 'bag_1.mcap', frames=1)
    assert task.made_with() != before


def test_bags_are_attended_to_in_processes(tmp_path):
    tasks = [Task(record(tmp_path / f'{name}.mcap', frames=1), tmp_path / f'{name}_out.mcap',
                  'pick up the cup', overlay=False) for name in 'ab']
    (tmp_path / 'b.mcap').write_bytes(b'broken')
    outcomes = {outcome.task.source.name: outcome for outcome in many.attend_in_processes(tasks, 1)}
    assert outcomes['a.mcap'].summary.frames == 1
    assert 'b.mcap is no bag' in outcomes['b.mcap'].error


def test_bags_are_attended_to_on_ray(tmp_path):
    pytest.importorskip('ray', reason='Ray (extra [serve]) is not installed')
    import ray
    tasks = [Task(record(tmp_path / 'a.mcap', frames=1), tmp_path / 'a_out.mcap', 'pick up the cup')]
    try:
        outcomes = list(many.attend_on_ray(tasks, 2, {'num_cpus': 1}))
    finally:
        ray.shutdown()
    assert outcomes[0].summary.frames == 1 and (tmp_path / 'a_out.mcap').exists()


# ---- arguments and warnings


@pytest.mark.parametrize(('arguments', 'says'), [
    (['missing.mcap', 'out.mcap'], 'missing.mcap'),
    (['in.mcap', 'in.mcap'], 'would be overwritten'),
    (['in.mcap', 'in.mcap', 'out'], 'several bags would become'),
    (['in.mcap', 'out.mcap', '--jobs', '0'], '--jobs'),
    (['in.mcap', 'out.mcap', '--prefix', 'vla'], '--prefix'),
    (['in.mcap', 'out.mcap'], 'in.mcap'),
    (['in.mcap', 'out.mcap', '--instruction', 'cup', '--image-topic', '/other'], 'in.mcap'),
])
def test_bad_input_is_status_2(quick, capsys, monkeypatch, tmp_path, arguments, says):
    monkeypatch.chdir(tmp_path)
    record(tmp_path / 'in.mcap', frames=1)
    status, _, err = run(capsys, *arguments)
    assert status == 2 and says in err


def test_warnings_do_not_flood(quick, monkeypatch, capsys, caplog, tmp_path):
    monkeypatch.setattr(attend, 'MOST_WARNINGS', 1)
    source = tmp_path / 'in.mcap'
    with BagWriter(source, {}) as writer:
        for index in range(4):
            image = messages.image(COFFEE[:8, :8], 'rgb8', header(index))
            writer.write('/image', image, START + index * STEP)
    status, lines, _ = run(capsys, source, tmp_path / 'out.mcap', '--instruction', 'pick up the cup')
    assert status == 0 and lines[0]['skipped'] == 4
    assert caplog.text.count('skipped') == 1 and '/image: 3 more' in caplog.text
