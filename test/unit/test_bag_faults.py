"""What one bag leads to is that bag's error; what ends the command early leaves nothing half-made behind."""

from __future__ import annotations

import os
import resource
import select
import signal
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rosbags', reason='the extra [bag] is not installed')
pytest.importorskip('mcap', reason='the extra [bag] is not installed')

from bags import COFFEE, START, Colours, header, record, run
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore

from vla_attention.bag import many, messages
from vla_attention.bag.attend import Task
from vla_attention.bag.reader import BagError
from vla_attention.bag.writer import BagWriter, made_with, remove_abandoned

ASK = ('--instruction', 'pick up the cup')


@pytest.fixture
def quick(monkeypatch):
    """Let every pipeline of this process have the quick backend, and bags be attended to in this process."""
    monkeypatch.setattr(many, 'make_backend', lambda *_, **__: Colours())
    monkeypatch.setattr(many, '_pipelines', {})
    monkeypatch.setattr(many, 'attend_in_processes',
                        lambda tasks, jobs: (many.attend_one(task) for task in tasks))


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix == '.part')


# ---- one bag of several


TIME = 'MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n'
LINE = '=' * 80 + '\n'


@pytest.mark.parametrize(('topic', 'kind', 'text', 'field'), [
    ('/camera/color/camera_info', messages.CAMERA_INFO, 'uint32 height\nuint32 width\n', 'k'),
    ('/instruction', messages.STRING, 'uint32 number\n', 'data'),
    ('/camera/color/image_raw', messages.IMAGE, 'uint32 height\n', 'header.stamp.sec'),
    ('/camera/color/image_raw', messages.IMAGE,
     f'std_msgs/Header header\n{LINE}MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\n{LINE}{TIME}',
     'header.frame_id'),
])
def test_a_field_that_the_bag_does_not_define_is_named_and_the_next_bag_is_attended_to(
        quick, capsys, tmp_path, topic, kind, text, field):
    odd, good = tmp_path / 'odd.mcap', record(tmp_path / 'good.mcap', instructions={0: 'cup'})
    with BagWriter(odd, {}) as writer:
        writer.write_raw(topic, kind, bytes(100), START, text)
        if kind != messages.IMAGE:
            writer.write('/camera/color/image_raw', messages.image(COFFEE, 'rgb8', header(0)), START)
        if kind != messages.STRING:
            writer.write('/instruction', messages.make(messages.STRING, data='cup'), START)
    status, lines, err = run(capsys, odd, good, tmp_path / 'out')
    assert status == 2 and [line['status'] for line in lines] == ['failed', 'done']
    assert lines[0]['reason'].startswith(f'{odd}: {topic} has no field {field}')
    assert '1 of 2 bags failed' in err


def test_an_error_that_nobody_expected_is_that_of_its_bag(quick, monkeypatch, capsys, tmp_path):
    class Odd(Colours):
        seen = 0

        def attend(self, image, encoded):
            self.seen += 1
            if self.seen == 2:
                raise RuntimeError('the engine trips')
            return super().attend(image, encoded)

    monkeypatch.setattr(many, 'make_backend', lambda *_, **__: Odd())
    odd, good = (record(tmp_path / f'{name}.mcap', frames=2) for name in ('odd', 'good'))
    status, lines, _ = run(capsys, odd, good, tmp_path / 'out', *ASK)
    assert status == 2 and [line['status'] for line in lines] == ['failed', 'done']
    assert lines[0]['reason'] == f'{odd}: RuntimeError: the engine trips'
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['good.mcap']


def test_a_time_that_mcap_cannot_hold_is_said(quick, capsys, tmp_path):
    source = tmp_path / 'in'
    with Writer2(source, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connection = writer.add_connection('/image', messages.IMAGE, typestore=messages.type_store())
        data = messages.serialize(messages.image(COFFEE, 'rgb8', header(0)))
        writer.write(connection, -1, data)
    status, lines, _ = run(capsys, source, tmp_path / 'out.mcap', *ASK)
    assert status == 2
    assert str(source) in lines[0]['reason'] and 'recorded at -1 ns' in lines[0]['reason']
    assert not (tmp_path / 'out.mcap').exists() and not parts(tmp_path)


def ros1(path: Path) -> Path:
    """Write a bag of ROS 1 with one image, its depth and intrinsics."""
    store = get_typestore(Stores.ROS1_NOETIC)

    def make(name, **fields):
        return store.types[name](**fields)

    with Writer1(path) as writer:
        connections = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in (
            ('/image', messages.IMAGE), ('/depth', messages.IMAGE), ('/camera_info', messages.CAMERA_INFO))}
        stamped = make('std_msgs/msg/Header', seq=0, frame_id='camera', stamp=make(
            'builtin_interfaces/msg/Time', sec=START // 10**9, nanosec=0))
        shape = {'header': stamped, 'height': 400, 'width': 600}
        region = make('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0,
                      do_rectify=False)
        depth = np.full((400, 600), 800, np.uint16).view(np.uint8).reshape(-1)
        sent = {
            '/camera_info': make(
                messages.CAMERA_INFO, **shape, distortion_model='plumb_bob', D=np.zeros(5),
                K=np.array([500, 0, 300, 0, 500, 200, 0, 0, 1], float), R=np.eye(3).ravel(), P=np.zeros(12),
                binning_x=0, binning_y=0, roi=region),
            '/depth': make(messages.IMAGE, **shape, encoding='16UC1', is_bigendian=0, step=1200, data=depth),
            '/image': make(messages.IMAGE, **shape, encoding='rgb8', is_bigendian=0, step=1800,
                           data=COFFEE.reshape(-1)),
        }
        for index, (topic, message) in enumerate(sent.items()):
            data = store.serialize_ros1(message, message.__msgtype__)
            writer.write(connections[topic], START + index, data)
    return path


def test_fields_are_spelt_in_a_bag_of_ros_1_as_they_are_there(quick, capsys, tmp_path):
    status, lines, _ = run(capsys, ros1(tmp_path / 'in.bag'), tmp_path / 'out.mcap', *ASK)
    assert (status, lines[0]['frames'], lines[0]['in space']) == (0, 1, 1)


def test_an_instruction_that_is_no_text_is_refused_in_one_line(quick, capsys, tmp_path):
    source = record(tmp_path / 'in.mcap', frames=1)
    given = os.fsdecode(b'pick \xff')
    status, lines, err = run(capsys, source, tmp_path / 'out.mcap', '--instruction', given)
    assert (status, lines) == (2, [])
    assert err.splitlines() == [f'vla-attention bag: --instruction is no text: {given!r}']


def test_a_bag_may_have_a_name_that_is_no_text(quick, capsys, tmp_path):
    source = record(tmp_path / os.fsdecode(b'caf\xe9.mcap'), frames=1)
    assert run(capsys, source, tmp_path / 'out.mcap', *ASK)[0] == 0
    assert run(capsys, source, tmp_path / 'out.mcap', *ASK)[1][0]['status'] == 'done before'


def test_a_result_with_any_byte_broken_is_told_from_a_whole_one(tmp_path):
    path = tmp_path / 'out.mcap'
    with BagWriter(path, {'source': 'in.mcap'}) as writer:
        writer.write('/instruction', messages.make(messages.STRING, data='cup'), START)
    whole = path.read_bytes()
    for index in range(len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 255]) + whole[index + 1:])
        assert made_with(path) in (None, {'source': 'in.mcap'})


# ---- several processes


@dataclass(frozen=True)
class Quick(Task):
    """Has the quick backend in whatever process it is attended to."""

    def made_with(self):
        many.make_backend = lambda *_, **__: Colours()
        return super().made_with()


@dataclass(frozen=True)
class Deadly(Task):
    """Takes its process with it, as the kernel does where memory runs out."""

    def made_with(self):
        Path(f'{self.target}.{os.getpid()}.part').touch()
        os.kill(os.getpid(), signal.SIGKILL)


def test_of_the_bags_of_a_process_that_dies_only_the_guilty_one_fails(tmp_path):
    tasks = [kind(record(tmp_path / f'{name}.mcap', frames=1), tmp_path / 'out' / f'{name}.mcap', 'cup')
             for name, kind in (('guilty', Deadly), ('other', Quick))]
    (tmp_path / 'out').mkdir()
    guilty, other = many.attend_in_processes(tasks, 1)
    assert guilty.error == f'{tasks[0].source}: its process died (out of memory?)'
    assert other.summary.frames == 1
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['other.mcap']


class Endless:
    """Options of a backend that takes a minute to load, and says through a FIFO when it has begun."""

    def __init__(self, fifo: str) -> None:
        self._fifo = fifo

    def items(self):
        Path(self._fifo).write_text('begun')
        select.select([], [], [], 60)
        Path(f'{self._fifo}.over').touch()
        return ()


@dataclass(frozen=True)
class Slow(Task):
    """A bag whose target is half-written for a long time."""

    def made_with(self):
        return {}


def test_ending_early_ends_the_processes_and_removes_what_they_have_begun(tmp_path):
    fifo, broken = tmp_path / 'fifo', tmp_path / 'broken.mcap'
    os.mkfifo(fifo)
    broken.write_bytes(b'broken')
    slow = Slow(record(tmp_path / 'slow.mcap', frames=1), tmp_path / 'out.mcap', 'cup',
                options=Endless(str(fifo)))
    begun = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    outcomes = many.attend_in_processes([Task(broken, tmp_path / 'none.mcap', 'cup'), slow], 2)
    try:
        assert next(outcomes).task.source == broken
        assert select.select([begun], [], [], 120)[0]
        assert len(parts(tmp_path)) == 1
    finally:
        outcomes.close()
        os.close(begun)
    assert not parts(tmp_path)
    assert not Path(f'{fifo}.over').exists(), 'the bag was waited for'


# ---- what is half-written


def test_sigterm_removes_what_is_half_written(quick, monkeypatch, capsys, tmp_path):
    seen = []

    class Terminated(Colours):
        def attend(self, image, encoded):
            seen.append(parts(tmp_path))
            os.kill(os.getpid(), signal.SIGTERM)
            return super().attend(image, encoded)

    monkeypatch.setattr(many, 'make_backend', lambda *_, **__: Terminated())
    source = record(tmp_path / 'in.mcap')
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as end:
            run(capsys, source, tmp_path / 'out.mcap', *ASK)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert end.value.code == 143
    assert len(seen) == 1 and len(seen[0]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ['in.mcap']


def write_and_be_killed(target):
    with BagWriter(target, {}):
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_has_left_is_removed_at_the_next_start(quick, capsys, tmp_path):
    source = record(tmp_path / 'in.mcap', frames=1)
    target = tmp_path / 'out[1].mcap'
    process = get_context('forkserver').Process(target=write_and_be_killed, args=(target,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(parts(tmp_path)) == 1
    for other in ('other.mcap.1.part', 'out1.mcap.1.part'):
        (tmp_path / other).touch()
    assert run(capsys, source, target, *ASK)[0] == 0
    assert parts(tmp_path) == ['other.mcap.1.part', 'out1.mcap.1.part']


def test_what_a_process_is_writing_now_is_not_taken_for_abandoned(tmp_path):
    target = tmp_path / 'out.mcap'
    with BagWriter(target, {}):
        remove_abandoned(target)
        assert len(parts(tmp_path)) == 1
    assert target.exists()


def test_a_writer_that_cannot_begin_leaves_nothing_behind(tmp_path):
    with pytest.raises(TypeError), BagWriter(tmp_path / 'out.mcap', {'source': object()}):
        pass
    assert not parts(tmp_path)


def test_a_disk_that_is_full_to_the_end_leaves_nothing_behind(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(OSError, match='File too large'), BagWriter(tmp_path / 'out.mcap', {}):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
            raise BagError('the bag breaks off')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not parts(tmp_path)
