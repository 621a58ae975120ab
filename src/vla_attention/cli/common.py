"""What the commands share: errors, their place in the parser, JSON lines, progress."""

from __future__ import annotations

import argparse
import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm


class UsageError(ValueError):
    """What the user gave cannot be worked with; the message says what and why, in one line."""


class Parser(argparse.ArgumentParser):
    """Takes a command line apart; what it cannot be taken apart by is told in one line."""

    def error(self, message: str) -> NoReturn:
        """Tell it and end with 2, without the usage in many lines that argparse puts before it."""
        self.exit(2, f'{self.prog}: {message}; --help tells what there is\n')


def path(text: str) -> Path:
    """Take an argument for a path; an empty one would be the current folder, which nobody means by it.

    What is not there as it is typed is looked for in other spellings (:func:`as_on_disk`).

    :raises argparse.ArgumentTypeError: it is empty; argparse names the option.
    """
    if not text:
        raise argparse.ArgumentTypeError('is empty; give a path')
    return as_on_disk(Path(text))


def as_on_disk(path: Path) -> Path:
    """Return a path as it is there, whether its names are composed or decomposed: they look the same.

    Names from macOS come decomposed (Hangul as single letters), those that are typed composed. A path that is
    there in neither way stays as it is.
    """
    try:
        if path.exists():
            return path
        parent = path.parent if path.parent == path else as_on_disk(path.parent)
        wanted = unicodedata.normalize('NFC', path.name)
        if path.name.isascii() or not parent.is_dir():
            return path if parent == path.parent else parent / path.name
        return next((entry for entry in sorted(parent.iterdir())
                     if unicodedata.normalize('NFC', entry.name) == wanted), parent / path.name)
    except (OSError, ValueError):       # a name that no file can have, a folder that cannot be read
        return path


def make_folder(folder: Path, option: str) -> None:
    """Make the folder that ``option`` names, before the work whose results go there.

    :raises UsageError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f'{option} {folder}: is not a folder') from error
    except OSError as error:
        raise UsageError(f'{option} {folder}: cannot be made: {error.strerror}') from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f'{option} {folder}: cannot be written to')


def told(error: Exception) -> str:
    """Say an error as people do: "FILE: is a directory", not "[Errno 21] Is a directory: 'FILE'"."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    reason = error.strerror[:1].lower() + error.strerror[1:]
    return reason if error.filename is None else f'{_text(error.filename)}: {reason}'


def _text(name: object) -> str:
    return os.fsdecode(name) if isinstance(name, (bytes, os.PathLike)) else str(name)


def add_command(commands: Any, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    """Add a command, described by one sentence and examples, and return its parser."""
    return commands.add_parser(name, help=text, description=text, epilog='examples:\n' + examples,
                               formatter_class=argparse.RawDescriptionHelpFormatter)


def print_json(data: dict[str, Any]) -> None:
    """Print one JSON object as one line, at once."""
    line = json.dumps(data, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding or 'utf-8')
    except UnicodeEncodeError:      # half a surrogate pair, or an output that is not UTF-8
        line = json.dumps(data)
    print(line, flush=True)


def progress(items: Iterable[Any], what: str, total: int | None = None) -> Iterator[Any]:
    """Show a bar on stderr while items go by; none where stderr is not a terminal."""
    yield from tqdm(items, desc=what, total=total, file=sys.stderr, disable=None)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 file, which end with LF or CR LF.

    :raises UsageError: it is not UTF-8.
    """
    try:
        text = path.read_bytes().decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise UsageError(f'{path} is not UTF-8 text: {error.reason} at byte {error.start}'
                         f'{_likely_encoding(path)}') from error
    if '\0' in text:        # UTF-16 of Latin letters is UTF-8 of zeros
        raise UsageError(f'{path} is not UTF-8 text: it holds zeros{_likely_encoding(path)}')
    # not splitlines, which splits at U+2028 and form feeds too
    return [line.removesuffix('\r') for line in text.removesuffix('\n').split('\n')] if text else []


def _likely_encoding(path: Path) -> str:
    """Say what a file is written in that is not UTF-8, and what to do; '' where nothing tells."""
    data = path.read_bytes()
    zeros = data[:1000].count(0)
    if data.startswith((b'\xff\xfe', b'\xfe\xff')) or zeros > 0.1 * min(len(data), 1000):
        name = 'UTF-16'
    else:
        try:
            name = 'CP949' if any('가' <= letter <= '힣' for letter in data.decode('cp949')) else ''
        except UnicodeDecodeError:
            name = ''
    return f'; it looks like {name}: save it as UTF-8 (iconv -f {name} -t UTF-8)' if name else ''
