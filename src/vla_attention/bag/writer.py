"""An MCAP file that is there when it is finished, and not before."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from mcap.reader import make_reader
from mcap.writer import Writer
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2.metadata import dump_qos_v8

from vla_attention.bag import messages

try:
    import fcntl
except ImportError:     # Windows, where nobody can tell what is abandoned
    fcntl = None        # type: ignore[assignment]

RECORD = 'vla_attention'    # the metadata record that says what made the file
_ANY = QosTime(0, 0)
# what late subscribers get too
LATCHED = dump_qos_v8([Qos(QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL,
                           _ANY, _ANY, QosLiveliness.AUTOMATIC, _ANY, False)])


class BagWriter:
    """Writes messages to ``PATH.PID.part`` and renames it when all went well; else removes it."""

    def __init__(self, path: Path, made_with: Mapping[str, Any]) -> None:
        """Take the path; nothing is written yet.

        :param made_with: what the file is made with; kept in it, see :func:`made_with`.
        """
        self.path = path
        self._made_with = dict(made_with)
        self._part = path.with_name(f'{path.name}.{os.getpid()}.part')
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, str], int] = {}
        self._sequence: dict[int, int] = {}

    def __enter__(self) -> BagWriter:
        """Begin."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open('wb')
        try:
            _lock(self._file)
            self._writer = Writer(self._file)
            self._writer.start(profile='ros2', library='vla_attention')
            # as ASCII: the name of a bag may be bytes that are no text
            self._writer.add_metadata(RECORD, {'made_with': json.dumps(self._made_with)})
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        """Finish, on the disk before under its name; after an error leave nothing behind."""
        try:
            if kind is None:
                self._writer.finish()
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                self._part.replace(self.path)
        finally:
            self._discard()

    def _discard(self) -> None:
        try:
            self._file.close()
        finally:    # closing writes what is left, and a full disk refuses that
            self._part.unlink(missing_ok=True)

    def write(self, topic: str, message: Any, log_time: int, qos: str = '') -> None:
        """Write a message of :mod:`vla_attention.bag.messages`; see :meth:`write_raw`."""
        name = message.__msgtype__
        self.write_raw(topic, name, messages.serialize(message), log_time, qos=qos)

    def write_raw(self, topic: str, name: str, data: bytes, log_time: int, text: str = '',
                  language: str = 'ros2msg', qos: str = '') -> None:
        """Write a serialized message of the type ``name``.

        :param text: definition of the type; ours where empty.
        :param language: that ``text`` is written in: 'ros2msg' or 'ros2idl'.
        :param log_time: when it was recorded, in nanoseconds.
        :param qos: that it is to be played with, as rosbag2 writes it; '': the default of rosbag2.
        :raises KeyError: ``text`` is empty, and we have no definition of the type.
        :raises ValueError: ``log_time`` is negative or takes more than 64 bits.
        """
        if not 0 <= log_time < 2**64:
            raise ValueError(f'{topic}: recorded at {log_time} ns; MCAP holds 0 to 2**64 - 1')
        channel = self._channels.get((topic, name))
        if channel is None:
            if name not in self._schemas:
                if not text:
                    text, language = messages.definition(name), 'ros2msg'
                self._schemas[name] = self._writer.register_schema(name, language, text.encode())
            channel = self._channels[topic, name] = self._writer.register_channel(
                topic, 'cdr', self._schemas[name], {'offered_qos_profiles': qos})
            self._sequence[channel] = 0
        self._writer.add_message(channel, log_time, data, log_time, self._sequence[channel])
        self._sequence[channel] += 1


def remove_abandoned(path: Path) -> None:
    """Remove what processes that ended in the midst of writing ``path`` have left beside it."""
    for part in path.parent.glob(f'{glob.escape(path.name)}.*.part'):
        with suppress(OSError), part.open('r+b') as file:   # it goes meanwhile, or is not ours
            if _lock(file):
                part.unlink()


def _lock(file: IO[bytes]) -> bool:
    """Take a file until this process ends; say whether that was possible."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:     # another process has it, or the file system knows no locks
        return False
    return True


def made_with(path: Path) -> dict[str, Any] | None:
    """Return what a finished file was made with, None where it is not one of ours.

    :raises OSError: it cannot be opened.
    """
    with path.open('rb') as file:
        try:
            for record in make_reader(file).iter_metadata():
                if record.name == RECORD:
                    return dict(json.loads(record.metadata['made_with']))
        except Exception:       # whatever the library's parsers trip over in a broken file
            pass
    return None
