"""The last instruction in a file, for a node that is started again after a crash."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import threading
from pathlib import Path

BYTES = 16384       # a file that is larger was not written here
ATTEMPTS = 5        # crashes that an instruction may be followed by before it is left alone


class KeptError(ValueError):
    """What was kept cannot be used; the message names the file and says why."""


class KeptInstruction:
    """One node's instruction in one folder; with '' as the folder nothing is kept.

    It is there from :meth:`keep` to :meth:`forget`, which an orderly end calls and a crash does not. The file
    is replaced as a whole, and none but the user may read it.
    """

    def __init__(self, folder: str, node: str) -> None:
        """Name the file; nothing is read or written.

        :param folder: where the file lies; made where it does not exist.
        :param node: the node's fully qualified name, which tells its file from those of other nodes.
        """
        name = node.strip('/').replace('/', '.')
        self._path = Path(folder).expanduser() / f'{name}.instruction.json' if folder else None
        self._lock = threading.Lock()
        self._text = ''
        self._attempts = 0

    def keep(self, text: str) -> None:
        """Keep an instruction in place of the one before.

        :raises OSError: it cannot be written; nothing is kept then, since what was kept is out of date.
        """
        with self._lock:
            if text != self._text:
                self._write(text, 0)

    def take_up(self) -> str:
        """Return what a process that crashed has kept, '' where there is nothing.

        :raises KeptError: there is a file that cannot be used; it is removed.
        """
        if self._path is None:
            return ''
        with self._lock:
            try:
                text, attempts = _read(self._path)
                if attempts >= ATTEMPTS:
                    raise KeptError(f'the process crashed {attempts} times soon after it had taken up '
                                    f'{text[:80]!r}, which is left alone now; say it again')
                self._write(text, attempts + 1)
            except FileNotFoundError:
                return ''
            except (OSError, ValueError, RecursionError) as error:
                self._remove()
                raise KeptError(f'{self._path}: {error}') from error
        return text

    def proven(self) -> None:
        """Note that the process has lived for a while with what was taken up.

        :raises OSError: it cannot be written.
        """
        with self._lock:
            if self._attempts:
                self._write(self._text, 0)

    def forget(self) -> None:
        """Keep nothing any more."""
        with self._lock:
            self._remove()

    def _write(self, text: str, attempts: int) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f'.{self._path.name}.', dir=self._path.parent)
            temporary = Path(name)
            try:
                with os.fdopen(handle, 'w', encoding='utf-8') as file:
                    json.dump({'text': text, 'attempts': attempts}, file, ensure_ascii=False)
                temporary.replace(self._path)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
        except OSError:
            self._remove()
            raise
        self._text, self._attempts = text, attempts

    def _remove(self) -> None:
        self._text, self._attempts = '', 0
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()


def _read(path: Path) -> tuple[str, int]:
    """Return text and attempts of a file that may hold anything."""
    # not to be held up by a pipe, nor led elsewhere by a link
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), 'rb') as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > BYTES:
            raise ValueError(f'no file of an instruction ({status.st_size} bytes)')
        content = file.read(BYTES)
    data = json.loads(content)
    if not isinstance(data, dict):
        raise ValueError('no JSON object')
    text, attempts = data.get('text'), data.get('attempts')
    if not isinstance(text, str) or not isinstance(attempts, int):
        raise ValueError("no 'text' and 'attempts'")
    return text, attempts
