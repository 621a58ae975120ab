"""Messages of a bag in the order in which they were recorded, and the topics that are of use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinitionFormat, Nodetype
from rosbags.rosbag2.metadata import dump_qos_v8

from vla_attention.bag.messages import CAMERA_INFO, COMPRESSED, IMAGE, STRING, type_store

_DEPTH = ('depth', 'disparity')     # words in the names of topics whose images are no pictures
_NO_PICTURE = (*_DEPTH, 'mask', 'infra', '/ir/', 'attention', 'label', 'overlay', 'heatmap')
_TYPES = {'image': (IMAGE, COMPRESSED), 'depth': (IMAGE,), 'camera_info': (CAMERA_INFO,),
          'instruction': (STRING,)}
_STAMPED = ('header.stamp.sec', 'header.stamp.nanosec', 'header.frame_id', 'data')
# what is read of messages, as ROS 2 spells it; a bag brings definitions of its own
_FIELDS = {IMAGE: (*_STAMPED, 'height', 'width', 'encoding', 'is_bigendian', 'step'),
           COMPRESSED: (*_STAMPED, 'format'), STRING: ('data',),
           CAMERA_INFO: ('k', 'p', 'header.frame_id', 'width', 'height', 'binning_x', 'binning_y',
                         'roi.x_offset', 'roi.y_offset', 'roi.width', 'roi.height')}


class BagError(ValueError):
    """A bag cannot be worked on; the message names it and says why."""


@dataclass(frozen=True)
class Topics:
    """Which topic is which; '' where there is none."""

    image: str
    depth: str = ''
    camera_info: str = ''
    instruction: str = ''


@dataclass(frozen=True)
class Record:
    """One message: its topic, when it was recorded (nanoseconds), its bytes and its type."""

    topic: str
    time: int
    data: bytes
    type: str
    text: str       # definition of the type, '' where the bag has none
    language: str   # that the definition is written in: 'ros2msg' or 'ros2idl'
    qos: str        # that it was offered with, as rosbag2 writes it; '' where the bag does not say


class BagReader:
    """Reads MCAP files, rosbag2 folders (MCAP or SQLite) and ROS 1 bags."""

    def __init__(self, path: Path) -> None:
        """Take the path; see ``with``."""
        self.path = path

    def __enter__(self) -> BagReader:
        """Open the bag.

        :raises BagError: it cannot be read.
        """
        try:
            self._reader = AnyReader([self.path], default_typestore=type_store())
            self._reader.open()
        except OSError:
            raise
        except Exception as error:      # whatever the library's parsers trip over in a broken file
            raise BagError(f'{self.path} is no bag that can be read: {error}') from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        """Close the bag."""
        self._reader.close()

    @property
    def is_ros2(self) -> bool:
        """Whether messages are serialized as in ROS 2."""
        return bool(self._reader.is2)

    def types(self) -> dict[str, str]:
        """Return the type of each topic."""
        return {connection.topic: connection.msgtype for connection in self._reader.connections}

    def count(self, topic: str) -> int:
        """Return how many messages a topic has."""
        return int(self._reader.topics[topic].msgcount)

    def check_fields(self, topics: Iterable[str]) -> None:
        """Look whether the messages of topics have the fields that are read here.

        :raises BagError: one has not, as this bag defines its type.
        """
        types = self.types()
        for topic in topics:
            kind = types[topic]
            for field in _FIELDS[kind]:
                spelt = field if self.is_ros2 or field not in 'kp' else field.upper()
                if not self._has_field(kind, spelt):
                    raise BagError(f'{self.path}: {topic} has no field {spelt}, as this bag defines {kind}')

    def _has_field(self, kind: str, field: str) -> bool:
        first, _, rest = field.partition('.')
        _, fields = self._reader.typestore.fielddefs.get(kind, ((), ()))
        node, detail = dict[str, Any](fields).get(first, (None, None))
        return node is not None and (not rest or (node == Nodetype.NAME and self._has_field(detail, rest)))

    def records(self, topics: set[str] | None = None) -> Iterator[Record]:
        """Yield the messages of the topics (None: of all), as bytes.

        :raises BagError: the file is broken at a place where messages cannot be told apart any more.
        """
        chosen = [each for each in self._reader.connections if topics is None or each.topic in topics]
        qos = {connection.id: _qos(connection) for connection in chosen}
        messages = self._reader.messages(chosen)
        while True:
            try:
                connection, time, data = next(messages)
            except StopIteration:
                return
            except Exception as error:      # whatever the library's parsers trip over in a broken file
                raise BagError(f'{self.path} breaks off: {error} (`mcap recover` may save the rest)'
                               ) from error
            definition = connection.msgdef
            yield Record(connection.topic, time, data, connection.msgtype, definition.data,
                         'ros2idl' if definition.format == MessageDefinitionFormat.IDL else 'ros2msg',
                         qos[connection.id])

    def read(self, record: Record) -> Any:
        """Return the message of a record.

        :raises BagError: it cannot be read.
        """
        try:
            return self._reader.deserialize(record.data, record.type)
        except Exception as error:      # struct, index, unicode errors: whatever broken bytes lead to
            raise BagError(f'{type(error).__name__} {error}'.strip()) from error


def _qos(connection: Connection) -> str:
    if not isinstance(connection.ext, ConnectionExtRosbag2):
        return ''
    return dump_qos_v8(connection.ext.offered_qos_profiles)     # in numbers, which every rosbag2 reads


def choose_topics(types: Mapping[str, str], named: Mapping[str, str], where: str) -> Topics:
    """Say which topics of a bag to take.

    :param types: the type of each topic.
    :param named: {'image', 'depth', 'camera_info', 'instruction': topic} as far as somebody said so; '' and
        what is not named is looked for.
    :raises BagError: a topic that was named is not there, or there is no or more than one picture to choose.
    """
    for role, topic in named.items():
        if topic and topic not in types:
            raise BagError(f'{where} has no topic {topic} ({role}); there are {", ".join(sorted(types))}')
    image = named.get('image') or _only_image(types, where)
    for role, topic in {**named, 'image': image}.items():
        if topic and types[topic] not in _TYPES[role]:
            raise BagError(f'{where}: {topic} ({role}) is a {types[topic]}, no {" or ".join(_TYPES[role])}')
    depth = named.get('depth') or _near(image, [topic for topic, kind in types.items() if kind == IMAGE
                                                and _says(topic, _DEPTH)])
    info = named.get('camera_info') or _near(image, [
        topic for topic, kind in types.items() if kind == CAMERA_INFO and not _says(topic, _NO_PICTURE)])
    instruction = named.get('instruction') or next(
        (topic for topic, kind in sorted(types.items(), key=lambda each: len(each[0]))
         if kind == STRING and topic.endswith('/instruction')), '')
    return Topics(image, depth, info, instruction)


def _only_image(types: Mapping[str, str], where: str) -> str:
    found = [topic for topic, kind in types.items()
             if kind in (IMAGE, COMPRESSED) and not _says(topic, _NO_PICTURE)]
    raw = [topic for topic in found if types[topic] == IMAGE]
    # the same camera is often recorded both ways
    found = [topic for topic in found if topic in raw or topic.rpartition('/')[0] not in raw]
    if len(found) != 1:
        raise BagError(f'{where} has {len(found) or "no"} image topics'
                       + (f' ({", ".join(sorted(found))}): say which one' if found else ''))
    return found[0]


def _near(topic: str, candidates: list[str]) -> str:
    """Return the candidate whose name begins most like that of the topic, '' where there is none."""
    def shared(candidate: str) -> int:
        return next((index for index, (a, b) in enumerate(zip(topic, candidate, strict=False)) if a != b),
                    min(len(topic), len(candidate)))
    return max(sorted(candidates), key=shared, default='')


def _says(topic: str, words: tuple[str, ...]) -> bool:
    return any(word in topic for word in words)
