"""The nodes of the demo, a process each."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

STACK = ('instruction_node', 'attention_node', 'focus_node', 'moments_node', 'overlay_node')


@dataclass
class _Running:
    command: list[str]
    process: subprocess.Popen
    log: IO[bytes]


class Processes:
    """Processes by name, each with a log file of its own."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._running: dict[str, _Running] = {}

    def start_node(self, name: str, **parameters: object) -> None:
        """Start a node of the package; values of parameters are written as YAML."""
        given = [word for key, value in parameters.items() for word in ('-p', f'{key}:={value}')]
        self.start(name, [sys.executable, '-m', f'vla_attention.ros.{name}', '--ros-args', *given])

    def start(self, name: str, command: list[str]) -> None:
        """Start any command under a name."""
        log = self.log(name).open('ab')
        # a group of its own: Ctrl-C reaches the nodes through stop
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   start_new_session=True)
        self._running[name] = _Running(command, process, log)

    def stop(self, *names: str) -> dict[str, int]:
        """Stop some, or all, as Ctrl-C would, and return their exit statuses."""
        stopped = {name: self._running.pop(name) for name in names or list(self._running)}
        for running in stopped.values():
            with contextlib.suppress(ProcessLookupError):
                running.process.send_signal(signal.SIGINT)
        return {name: self._wait(running) for name, running in stopped.items()}

    def _wait(self, running: _Running) -> int:
        try:
            return running.process.wait(20)
        except subprocess.TimeoutExpired:
            running.process.kill()
            return running.process.wait()
        finally:
            running.log.close()

    def ended(self) -> Iterator[tuple[str, int]]:
        """Yield name and exit status of those that have ended by themselves."""
        for name, running in list(self._running.items()):
            status = running.process.poll()
            if status is not None:
                yield name, status

    def restart(self, name: str) -> None:
        """Start one that has ended with the command that it had."""
        running = self._running.pop(name)
        running.log.close()
        self.start(name, running.command)

    def pids(self) -> dict[str, int]:
        """Return the process ids by name."""
        return {name: running.process.pid for name, running in self._running.items()}

    def log(self, name: str) -> Path:
        """Return where a process writes."""
        return self._logs / f'{name}.log'

    def last_words(self, lines: int = 8) -> str:
        """Return the end of every log."""
        parts = []
        for name in self._running:
            tail = self.log(name).read_text(encoding='utf-8', errors='replace').splitlines()[-lines:]
            parts.append('\n'.join([f'--- {name}', *tail]))
        return '\n'.join(parts)
