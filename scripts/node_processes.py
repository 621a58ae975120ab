"""Nodes of the package, a process each: what the demo, the benchmarks and the tests start them with."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
STACK = ('instruction_node', 'attention_node', 'focus_node', 'moments_node', 'overlay_node')
STACKS = {'composed': ('attention_stack',), 'separate': STACK}     # which processes they run in
PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')  # Fast DDS 2, Fast DDS 3
DOMAINS = range(20, 39)     # for those who must not meet a robot's own nodes; 39 is for tests in one process


def node_command(name: str, parameters: Mapping[str, object], arguments: tuple[str, ...] = ()) -> list[str]:
    """Return the command that runs a node; values of parameters are written as YAML."""
    given = [word for key, value in parameters.items() for word in ('-p', f'{key}:={value}')]
    return [sys.executable, '-m', f'vla_attention.ros.{name}', '--ros-args', *arguments, *given]


def use_fastdds_profile() -> None:
    """Let images go through shared memory, here and in what is started, unless the user chose how they go."""
    if not any(os.environ.get(name) for name in (*PROFILES, 'FASTDDS_BUILTIN_TRANSPORTS')):
        os.environ.update(dict.fromkeys(PROFILES, str(ROOT / 'config' / 'fastdds.xml')))


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does, so that what it started is stopped too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def free_domain() -> tuple[int, IO]:
    """Return a domain that no other run on this machine uses, and the lock that says so while it is open."""
    while True:
        for domain in DOMAINS:
            lock = (Path(tempfile.gettempdir()) / f'vla_attention_test_domain_{domain}').open('w')
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return domain, lock
            except BlockingIOError:
                lock.close()
        time.sleep(0.1)


@dataclass
class _Running:
    command: list[str]
    process: subprocess.Popen
    log: IO[bytes]


class Processes:
    """Processes by name, each with a log file of its own."""

    def __init__(self, logs: Path, domain: int | None = None) -> None:
        """Start nothing yet.

        :param logs: folder of the log files.
        :param domain: ROS_DOMAIN_ID of what is started; that of this process when None.
        """
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self.environment = dict(os.environ)
        if domain is not None:
            self.environment['ROS_DOMAIN_ID'] = str(domain)
        self._running: dict[str, _Running] = {}

    def start_node(self, name: str, **parameters: object) -> None:
        """Start a node of the package under its name."""
        self.start(name, node_command(name, parameters))

    def start(self, name: str, command: list[str]) -> None:
        """Start any command under a name."""
        log = self.log(name).open('ab')
        # a group of its own: Ctrl-C reaches the nodes through stop
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   start_new_session=True, env=self.environment)
        self._running[name] = _Running(command, process, log)

    def stop(self, *names: str, sent: int = signal.SIGINT) -> dict[str, int]:
        """Stop some, or all, as Ctrl-C would (or by another signal), and return their exit statuses."""
        stopped = {name: self._running.pop(name) for name in names or list(self._running)}
        for running in stopped.values():
            with contextlib.suppress(ProcessLookupError):
                running.process.send_signal(sent)
        return {name: self._wait(running) for name, running in stopped.items()}

    def _wait(self, running: _Running) -> int:
        try:
            return running.process.wait(20)
        except subprocess.TimeoutExpired:
            running.process.kill()
            return running.process.wait()
        finally:
            running.log.close()

    def kill(self, name: str) -> list[str]:
        """End one with SIGKILL, as the kernel does when memory is short, and return its command."""
        running = self._running.pop(name)
        running.process.kill()
        running.process.wait()
        running.log.close()
        return running.command

    def wait(self, name: str, seconds: float = 300.0) -> int:
        """Wait until one has ended by itself, and return its exit status.

        :raises subprocess.TimeoutExpired: it has not.
        """
        return self._running[name].process.wait(seconds)

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
