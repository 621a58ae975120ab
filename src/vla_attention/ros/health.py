"""What a node knows of its own health, as one DiagnosticStatus that a technician understands."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

MOST = 500          # characters of a text; others' words go in here, and all of it is sent each second
RECENT = 10.0       # seconds that a problem stays in the status after it happened last
LATER = 1e-3        # seconds that a timeout is looked at after it, so that it is over by then
MAX_LATENCY = 60.0  # seconds; beyond this the stamp is not of this clock (a bag without use_sim_time)

OK, WARN, ERROR, STALE = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR,
                          DiagnosticStatus.STALE)


class Source:
    """One thing that must keep coming (an image topic) or must come once (an instruction)."""

    def __init__(self, name: str, timeout: Callable[[], float] | None, missing: str) -> None:
        self.name = name
        self.timeout = timeout    # seconds without a message before it is missed; None: once is enough
        self.missing = missing    # what is said before the first message
        self.since = time.monotonic()
        self.last: float | None = None

    def complaint(self, now: float) -> tuple[bytes, str] | None:
        """Return level and text where the source is missing, else None."""
        if self.last is None:
            if self.timeout is None or now - self.since > self.timeout():
                return WARN, self.missing
            return None
        if self.timeout is not None and now - self.last > self.timeout():
            return STALE, f'no {self.name} for {now - self.last:.0f} s'
        return None

    def due(self) -> float:
        """Return when it is missed, or was, unless something comes (monotonic seconds)."""
        since = self.since if self.last is None else self.last
        return math.inf if self.timeout is None else since + self.timeout() + LATER


class Health:
    """Counters, latencies, sources and problems of one node; any thread may report.

    Levels: OK; WARN where something is missing that never came, a problem happened in the last 10 s, or
    results are later than ``latency_limit``; STALE where a stream has stopped; ERROR where the node cannot
    work (configure failed, work raised). A node that is not active is OK too, and says so.
    """

    def __init__(self, name: str, hardware_id: str = '') -> None:
        self._lock = threading.Lock()
        self._name = name
        self.hardware_id = hardware_id
        self.state = 'active'       # of the lifecycle
        self._counts: Counter[str] = Counter()
        self._latencies: deque[tuple[float, float]] = deque(maxlen=512)  # (when, seconds)
        self._facts: dict[str, str] = {}
        self._sources: dict[str, Source] = {}
        self._problems: dict[str, tuple[float, bytes, str]] = {}
        self._standing: dict[str, tuple[bytes, str]] = {}
        self._last_problem: float | None = None
        self.latency_limit: Callable[[], float] = lambda: 0.0   # seconds at p95; 0: none
        self.changed: Callable[[], None] = lambda: None     # called where the gist may be another now

    def expect(self, key: str, name: str, *, timeout: Callable[[], float] | None, missing: str) -> None:
        """Say when the source ``key`` is missing, from now on; see :class:`Source`."""
        with self._lock:
            self._sources[key] = Source(name, timeout, missing)
        self.changed()

    def no_longer_expect(self, *keys: str) -> None:
        """Forget these sources, or all where none is named (the node is not active)."""
        with self._lock:
            for key in keys or tuple(self._sources):
                self._sources.pop(key, None)
        self.changed()

    def forget(self) -> None:
        """Forget what was told of a configuration that is gone; why the next one failed stays."""
        with self._lock:
            self.hardware_id = ''
            self._facts = {key: value for key, value in self._facts.items() if key == 'last problem'}
            self._standing = {key: value for key, value in self._standing.items() if key == 'transition'}
        self.changed()

    def came(self, key: str) -> None:
        """Note that the source has sent something."""
        with self._lock:
            source, now = self._sources.get(key), time.monotonic()
            if source is None:
                return
            missed, source.last = source.complaint(now) is not None, now
        if missed:
            self.changed()

    def missing(self, key: str) -> str:
        """Return what there is to say of the source where it is missing, else ''."""
        return self.sources().get(key, '')

    def sources(self) -> dict[str, str]:
        """Return each source that is expected, with what there is to say where it is missing, else ''."""
        with self._lock:
            now = time.monotonic()
            complaints = {key: source.complaint(now) for key, source in self._sources.items()}
        return {key: complaint[1] if complaint else '' for key, complaint in complaints.items()}

    def count(self, what: str, number: int = 1) -> None:
        """Add to a counter, for example 'replaced'."""
        with self._lock:
            self._counts[what] += number

    def counted(self, what: str) -> int:
        """Return a counter."""
        with self._lock:
            return self._counts[what]

    def done(self, latency: float) -> None:
        """Note that one result went out, ``latency`` seconds after its image was taken."""
        with self._lock:
            self._latencies.append((time.monotonic(), latency))
            self._counts['worked on'] += 1

    def fact(self, key: str, value: object) -> None:
        """Set a line that is always shown, for example the device."""
        with self._lock:
            self._facts[key] = _shown(value)

    def problem(self, key: str, text: str, level: bytes = WARN) -> None:
        """Note a problem that just happened; it leaves the status 10 s after it happened last."""
        text = _shown(text)
        with self._lock:
            now = time.monotonic()
            known = self._problems.get(key, ())[1:] == (level, text)
            self._problems[key] = (now, level, text)
            self._counts['problems'] += 1
            self._facts['last problem'] = text
            self._last_problem = now
        if not known:
            self.changed()

    def standing(self, key: str, text: str, level: bytes = WARN) -> str:
        """Set a problem that lasts until it is set to ''; return what stood there before."""
        text = _shown(text)
        with self._lock:
            before = self._standing.get(key, (level, ''))
            if text:
                self._standing[key] = (level, text)
            else:
                self._standing.pop(key, None)
        if before != (level, text):
            self.changed()
        return before[1]

    def gist(self) -> object:
        """Return something that is another one where the status complains of something else now.

        Figures that change all the time (for how long nothing has come) make no other one.
        """
        with self._lock:
            complaints = self._complaints(time.monotonic())
        return self.state, {(level, what) for level, _, what in complaints}

    def next_change(self) -> float:
        """Return when time alone will change the gist (monotonic seconds); infinity: never."""
        now = time.monotonic()
        with self._lock:
            times = [source.due() for source in self._sources.values()]
            times += [when + RECENT for when, _, _ in self._problems.values()]
        return min((each for each in times if each > now), default=math.inf)

    def status(self) -> DiagnosticStatus:
        """Return the status now."""
        now = time.monotonic()
        with self._lock:
            complaints = self._complaints(now)
            values = dict(self._facts)
            if self._last_problem is not None:
                values['since the last problem (s)'] = f'{now - self._last_problem:.0f}'
            values.update({f'age of {source.name} (s)': f'{now - source.last:.1f}'
                           for source in self._sources.values() if source.last is not None})
            values.update(self._speed(now))
            values.update({key: str(number) for key, number in sorted(self._counts.items())})
        # a node that cannot work outranks one that hears nothing
        rank = {OK: 0, WARN: 1, STALE: 2, ERROR: 3}
        complaints.sort(key=lambda complaint: -rank[complaint[0]])
        return DiagnosticStatus(
            level=complaints[0][0] if complaints else OK, name=self._name, hardware_id=self.hardware_id,
            message='; '.join(text for _, text, _ in complaints) or (
                'working' if self.state == 'active' else f'{self.state}: not at work'),
            values=[KeyValue(key=key, value=value) for key, value in values.items()])

    def _complaints(self, now: float) -> list[tuple[bytes, str, str]]:
        """Return the level and the text of what is wrong, and that text without figures that change."""
        self._problems = {key: problem for key, problem in self._problems.items()
                          if now - problem[0] < RECENT}
        found = [(*complaint, f'no {source.name}') for source in self._sources.values()
                 if (complaint := source.complaint(now)) is not None]
        found += [(level, text, text) for level, text in self._standing.values()]
        found += [(level, text, text) for _, level, text in self._problems.values()]
        if self.state == 'active' and (late := self._late(now)):
            found.append((WARN, late, 'late'))
        return found

    def _recent(self, now: float) -> list[float]:
        """Return the latencies of the last 10 s that are of this clock, in order, in seconds."""
        return sorted(latency for when, latency in self._latencies
                      if now - when < RECENT and 0 <= latency < MAX_LATENCY)

    def _late(self, now: float) -> str:
        recent, limit = self._recent(now), self.latency_limit()
        if not limit or not recent or (p95 := recent[int(len(recent) * 0.95)]) <= limit:
            return ''
        return (f'results are {p95 * 1e3:.0f} ms old (p95), latency_limit is {limit * 1e3:.0f} ms: is the '
                'machine busy with something else, or the backend too slow for it?')

    def _speed(self, now: float) -> dict[str, str]:
        recent = [(when, latency) for when, latency in self._latencies if now - when < RECENT]
        values = {'rate (Hz)': f'{len(recent) / RECENT:.1f}'}
        if len(recent) > 1:  # from first to last, so that the figure is right before 10 s are over
            values['rate (Hz)'] = f'{(len(recent) - 1) / max(recent[-1][0] - recent[0][0], 1e-3):.1f}'
            if now - recent[-1][0] > RECENT / 2:
                values['rate (Hz)'] = '0.0'
        if ordered := self._recent(now):
            values['latency p50 (ms)'] = f'{ordered[len(ordered) // 2] * 1e3:.1f}'
            values['latency p95 (ms)'] = f'{ordered[int(len(ordered) * 0.95)] * 1e3:.1f}'
        elif recent:
            values['latency'] = 'unknown: the stamps are not of this clock (use_sim_time?)'
        return values


def _shown(value: object) -> str:
    """Return a text that a message can carry: no lone surrogates, and not endless."""
    text = str(value).encode('utf-8', 'replace').decode()
    return text if len(text) <= MOST else f'{text[:MOST - 1]}…'


def fingerprint(weights: str | Path) -> str:
    """Return the name of a weights file with the first digits of its SHA-256, to compare robots by."""
    path = Path(weights).expanduser()
    if not str(weights) or not path.is_file():
        return str(weights) or 'those of the backend'
    return f'{path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}'
