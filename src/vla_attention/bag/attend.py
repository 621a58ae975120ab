"""One bag in, one bag out: the stages run over the recorded images."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vla_attention import __version__
from vla_attention.bag import messages
from vla_attention.bag.reader import BagError, BagReader, Record, Topics, choose_topics
from vla_attention.bag.writer import LATCHED, BagWriter, made_with
from vla_attention.focus import Camera, Tracker, region_ids
from vla_attention.focus.intrinsics import is_rectified
from vla_attention.focus.pose import SteadyAxes
from vla_attention.language import Instruction
from vla_attention.pipeline import REGION_ROLES, Look, Pipeline, Query
from vla_attention.pixels import ImageError, read_depth, read_rgb
from vla_attention.view.overlay import draw_overlay

SLOP = 20_000_000           # nanoseconds by which the stamp of depth may differ from the image's
PATIENCE = 500_000_000      # nanoseconds of the recording that an image waits for its depth
MOST_WARNINGS = 10          # of a topic; how many more there were is said at the end


@dataclass(frozen=True)
class Task:
    """What is to be done with one bag.

    ``topics`` {'image', 'depth', 'camera_info', 'instruction': topic} as far as they are not to be found out;
    ``instruction`` '' takes those of the bag; ``prefix`` goes before the names of the output topics;
    ``merge`` copies the messages of the source. ``backend`` and ``options`` make the pipeline.
    """

    source: Path
    target: Path
    instruction: str = ''
    topics: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ''
    merge: bool = False
    overlay: bool = True
    backend: str = 'embedded'
    options: Mapping[str, Any] = field(default_factory=dict)

    def made_with(self) -> dict[str, Any]:
        """Return what the result depends on, kept in the target to know it by.

        :raises OSError: the source cannot be read.
        """
        paths = self.source.iterdir() if self.source.is_dir() else [self.source]
        files = [path.stat() for path in paths if path.resolve() != self.target.resolve()]
        return {'source': self.source.name, 'source_bytes': sum(file.st_size for file in files),
                'source_modified': max((file.st_mtime_ns for file in files), default=0),
                'instruction': self.instruction, 'topics': dict(self.topics),
                'prefix': self.prefix, 'merge': self.merge, 'overlay': self.overlay, 'backend': self.backend,
                'options': {name: str(value) for name, value in self.options.items()},
                'version': __version__}

    def done(self) -> bool:
        """Say whether the target is there already.

        :raises BagError: it is, but was made with something else.
        """
        if not self.target.exists():
            return False
        before = made_with(self.target)
        if before is None:
            raise BagError(f'{self.target} is there and was not made by vla-attention bag')
        asked = json.loads(json.dumps(self.made_with()))
        other = [name for name, value in asked.items() if before.get(name) != value]
        if other:
            raise BagError(f'{self.target} was made with another {", ".join(other)}; '
                           '--overwrite makes it again')
        return True


@dataclass(frozen=True)
class Summary:
    """What came of one bag: frames attended to, messages skipped, frames whose regions are in space."""

    frames: int
    skipped: int
    lifted: int
    warnings: tuple[str, ...]


def attend_bag(task: Task, make_pipeline: Callable[[], Pipeline],
               progress: Callable[[int], None] = lambda _: None) -> Summary:
    """Attend to every image of a bag and write the target.

    :param make_pipeline: called when the bag turns out to be one that can be worked on.
    :param progress: called with the number of images that were just dealt with.
    :raises BagError: the bag cannot be worked on.
    :raises OSError: a file cannot be read or written.
    """
    with BagReader(task.source) as reader:
        types = reader.types()
        topics = choose_topics(types, task.topics, str(task.source))
        if not task.instruction and not topics.instruction:
            raise BagError(f'{task.source} has no instruction topic: give an instruction')
        if task.merge and not reader.is_ros2:
            raise BagError(f'{task.source} is a bag of ROS 1, whose messages cannot be merged')
        reader.check_fields(_to_be_read(task, topics))
        taken = sorted(set(_outputs(task).values()) & set(reader.types())) if task.merge else []
        if taken:
            raise BagError(f'{task.source} has {", ".join(taken)} already: give another --prefix')
        with BagWriter(task.target, task.made_with()) as writer:
            return _Run(task, make_pipeline(), reader, topics, writer, progress).summary()


def _to_be_read(task: Task, topics: Topics) -> set[str]:
    instruction = '' if task.instruction else topics.instruction
    return {each for each in (topics.image, topics.depth, topics.camera_info, instruction) if each}


def _outputs(task: Task) -> dict[str, str]:
    """Return {what is written: the topic that it gets}."""
    return {name: f'{task.prefix}/{name}' for name in (
        'instruction/parsed', 'attention/target', 'attention/destination', 'attention/avoid',
        'focus/regions', 'focus/regions_3d', 'overlay/compressed')}


@dataclass(frozen=True)
class _Frame:
    time: int       # when the image was recorded
    header: Any
    message: Any
    query: Query


class _Run:
    """The state of going through one bag."""

    def __init__(self, task: Task, pipeline: Pipeline, reader: BagReader, topics: Topics, writer: BagWriter,
                 progress: Callable[[int], None]) -> None:
        self._task, self._pipeline, self._reader, self._topics = task, pipeline, reader, topics
        self._writer, self._progress = writer, progress
        self._outputs = _outputs(task)
        self._query = pipeline.instruct(task.instruction or Instruction(''))
        self._told: Instruction | None = None
        self._tracker = Tracker()
        self._axes = SteadyAxes()
        self._frames: deque[_Frame] = deque()
        self._depths: deque[tuple[int, Any]] = deque(maxlen=90)
        self._camera: Camera | None = None
        self._counts: Counter[str] = Counter()
        self._warnings: list[str] = []
        self._warned: Counter[str] = Counter()
        self._left_out: set[str] = set()

    def summary(self) -> Summary:
        chosen = _to_be_read(self._task, self._topics)
        for record in self._reader.records(None if self._task.merge else chosen):
            if self._task.merge:
                self._copy(record)
            if record.topic in chosen:
                self._take(record)
            self._attend_to_what_is_ready(record.time)
        while self._frames:
            self._attend(self._frames.popleft())
        more = {topic: count - MOST_WARNINGS for topic, count in self._warned.items()
                if count > MOST_WARNINGS}
        self._warnings += [f'{topic}: {count} more' for topic, count in more.items()]
        return Summary(self._counts['frames'], self._counts['skipped'], self._counts['lifted'],
                       tuple(self._warnings))

    def _copy(self, record: Record) -> None:
        if record.topic in self._left_out:
            return
        try:
            self._writer.write_raw(record.topic, record.type, record.data, record.time, record.text,
                                   record.language, record.qos)
        except KeyError:
            self._left_out.add(record.topic)
            self._warnings.append(f'{self._task.source.name}: {record.topic} is left out: the bag has no '
                                  f'definition of {record.type}')

    def _take(self, record: Record) -> None:
        try:
            message = self._reader.read(record)
            if record.topic == self._topics.image:
                self._frames.append(_Frame(record.time, messages.header_of(message), message, self._query))
                return
            if record.topic == self._topics.depth:
                self._depths.append((messages.nanoseconds(messages.header_of(message)), message))
            elif record.topic == self._topics.camera_info:
                self._camera = self._camera_of(message)
            else:
                self._query = self._pipeline.instruct(message.data)
        except ValueError as error:
            self._skip(record.topic, record.time, str(error))

    def _camera_of(self, info: Any) -> Camera:
        k, p, d = (info.k, info.p, info.d) if self._reader.is_ros2 else (info.K, info.P, info.D)
        camera, unread = Camera.read(info, k, p, () if is_rectified(self._topics.image) else d)
        warning = f'{self._task.source.name}: {self._topics.camera_info}: {unread}; the lens is ignored'
        if unread and warning not in self._warnings:
            self._warnings.append(warning)
        return camera

    def _attend_to_what_is_ready(self, now: int) -> None:
        while self._frames:
            frame = self._frames[0]
            if self._topics.depth and now - frame.time < PATIENCE and not self._has_depth_after(frame):
                return
            self._attend(self._frames.popleft())

    def _has_depth_after(self, frame: _Frame) -> bool:
        stamp = messages.nanoseconds(frame.header)
        return any(each >= stamp for each, _ in self._depths)

    def _attend(self, frame: _Frame) -> None:
        self._progress(1)
        try:
            image = read_rgb(frame.message)
            stamp = messages.nanoseconds(frame.header)
            look = self._pipeline.look(image, frame.query, stamp * 1e-9)
        except ValueError as error:     # ImageError, and pictures too small to look at
            self._skip(self._topics.image, frame.time, str(error))
            return
        look = replace(look, regions=tuple(self._tracker.update(look.regions, stamp * 1e-9)))
        self._write(look, image, frame)
        self._counts['frames'] += 1

    def _write(self, look: Look, image: np.ndarray, frame: _Frame) -> None:
        header = frame.header

        def write(name: str, message: Any) -> None:
            self._writer.write(self._outputs[name], message, frame.time)

        if look.query.instruction is not self._told:
            self._told = look.query.instruction
            self._writer.write(self._outputs['instruction/parsed'], messages.parsed(self._told), frame.time,
                               LATCHED)
        maps: np.ndarray | None = None
        for role in REGION_ROLES:
            attention = look.attention(role, step=-1)
            if attention is not None:
                write(f'attention/{role}', messages.image(attention.astype(np.float32), '32FC1', header))
                maps = attention if role == 'target' else maps
        write('focus/regions', messages.detections(look.regions, header))
        lifted = self._lifted(look, image, header)
        if lifted is not None:
            write('focus/regions_3d', messages.detections_3d(lifted.regions, header))
            self._counts['lifted'] += 1
        if self._task.overlay:
            drawn = draw_overlay(image, look.regions, attention=maps)
            write('overlay/compressed', messages.jpeg(drawn, header))

    def _lifted(self, look: Look, image: np.ndarray, header: Any) -> Look | None:
        stamp = messages.nanoseconds(header)
        near = min(self._depths, key=lambda each: abs(each[0] - stamp), default=None)
        if self._camera is None or near is None or abs(near[0] - stamp) > SLOP:
            return None
        try:
            depth, frame = read_depth(near[1]), messages.header_of(near[1]).frame_id
            if frame and header.frame_id and frame != header.frame_id:
                raise ValueError(f'it is in frame {frame!r}, the image in {header.frame_id!r}: it must be '
                                 'registered to the image')
            intrinsics = self._camera.shown(header.frame_id, (depth.shape[1], depth.shape[0]))
            lifted = self._pipeline.lift(look, image, depth, intrinsics)
            regions = self._axes.turn(lifted.regions, region_ids(lifted.regions))
            return replace(lifted, regions=tuple(regions))
        except (ImageError, ValueError) as error:
            self._skip(self._topics.depth, near[0], str(error))
            return None

    def _skip(self, topic: str, time: int, reason: str) -> None:
        self._counts['skipped'] += 1
        self._warned[topic] += 1
        if self._warned[topic] <= MOST_WARNINGS:
            self._warnings.append(
                f'{self._task.source.name}: {topic} at {time / 1e9:.3f} s: {reason}; skipped')
