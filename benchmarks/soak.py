"""Hours of stream with faults injected: memory, latency, lost instructions and restarts over time.

The real processes take 640x480 RGB-D at 30 Hz; every half minute something goes wrong, in turn. A line of
JSON every 10 s goes to a file, so that a run that was cut off goes on where it ended, and the curve is drawn
from that file. Nodes are killed with SIGKILL only before memory is first looked at and after it was looked at
last: a restart would hide a leak. Latency is the age of results on their arrival; on a machine that computes
other things at the same time it says little.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sensor_msgs.msg import Image
from std_msgs.msg import String
from tqdm import tqdm
from vision_msgs.msg import Detection2DArray, Detection3DArray

from benchmarks import hub
from benchmarks._faults import Faults
from benchmarks._observer import Load, NothingCameError, Observer, summary
from scripts.node_processes import (
    STACK,
    STACKS,
    Processes,
    end_on_sigterm,
    free_domain,
    node_command,
    use_fastdds_profile,
)
from vla_attention.ros import qos

COMPOSED, = STACKS['composed']
PERIOD = 10.0       # seconds between two lines
PAUSE = 30.0        # seconds between two faults
FIRST_PAUSE = 5.0   # the same until memory is settled
SETTLED = 5.0       # minutes after which memory is settled, once everything has happened once
RESTING = 0.05      # of a core: what an inactive camera takes once all its frames are rendered
CAMERA = {'rate': 30.0, 'autostart': False}
RESULTS = Path(__file__).with_name('results')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--minutes', type=float, default=10.0, help='how long (default: 10)')
    parser.add_argument('--stack', choices=tuple(STACKS), default='composed',
                        help='how the nodes run (default: in one process, as the launch file has it)')
    parser.add_argument('--curve', type=Path, default=RESULTS / 'soak.jsonl', metavar='JSONL',
                        help='lines of the run; one that was cut off goes on; drawn as a PNG of that name')
    parser.add_argument('--priority', type=int, default=None, metavar='N',
                        help='autogroup priority of every process that runs, 19 (least) to -20 (Linux)')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Run, and return rows of one process each: memory, growth, restarts."""
    end_on_sigterm()
    use_fastdds_profile()
    lines = _read(options.curve)
    if lines and lines[-1]['minute'] >= options.minutes:
        lines = []
        options.curve.unlink()
    domain, lock = free_domain()
    with tempfile.TemporaryDirectory() as logs, lock:
        processes = Processes(Path(logs), domain)
        observer = Observer(domain, processes, patience=300.0)
        try:
            soak = Soak(observer, processes, options, lines)
            soak.run()
        finally:
            processes.stop()
            observer.close()
    result = report(soak.lines, options.minutes)
    try:
        draw(soak.lines, options.curve.with_suffix('.png'))
    except ImportError:
        print(f'no picture of {options.curve}: it needs matplotlib')
    return {**result, 'machine': hub.machine(), 'load average at the end': os.getloadavg()[0],
            'autogroup priority': options.priority}


class Soak:
    """One run."""

    def __init__(self, observer: Observer, processes: Processes, options: argparse.Namespace,
                 lines: list[dict[str, Any]]) -> None:
        self.lines = lines
        self._observer = observer
        self._processes = processes
        self._options = options
        self._names = STACKS[options.stack]
        self._begun = lines[-1]['minute'] if lines else 0.0
        self._settled = False
        self._restarts: Counter[str] = Counter(lines[-1]['restarts'] if lines else {})
        if lines:       # what went on before was of other processes, and so is its memory
            self._restarts.update(self._names)
        self._crashes = lines[-1]['crashes'] if lines else 0
        self._since = self._due = time.monotonic()
        self._happened: list[dict[str, Any]] = []
        self._heard: dict[str, list[float]] = {}

    @property
    def minute(self) -> float:
        """Minutes of stream so far."""
        return self._begun + (time.monotonic() - self._since) / 60

    def run(self) -> None:
        """Start everything, let it run with faults, and kill each node once at the end."""
        self._start()
        faults = Faults(self._observer, self._spin)
        kills = {f'kill {name}': self._killer(name) for name in self._names}
        others = {name: getattr(faults, name) for name in faults.ALL}
        turn = [*others.items()] if self._settled else [*kills.items(), *others.items()]
        total = self._options.minutes
        with tqdm(total=round(total * 60), desc='soak', unit='s', disable=None) as bar:
            while self.minute < total:
                pause = PAUSE if self._settled else FIRST_PAUSE
                self._spin(min(pause, max(0.0, total - self.minute) * 60))
                bar.update(round(min(self.minute, total) * 60) - bar.n)
                if self.minute < total:
                    self._happen(*turn.pop(0))
                if not turn:
                    self._settled = self.minute >= min(SETTLED, total / 6)
                    turn = [*others.items()]
            self._sample()      # what memory is compared by
            for name, kill in kills.items():
                self._happen(name, kill)
                self._spin(5.0)
            self._sample()

    def _start(self) -> None:
        start, apart = self._processes, ('-r', 'instruction:=unused')    # instructions are this benchmark's
        start.start('scene_camera', node_command(
            'scene_camera', {**CAMERA, 'source': 'scene', 'scene_frames': 15}, apart))
        start.start('other_camera', node_command(
            'scene_camera', {**CAMERA, 'source': 'coffee'}, (*apart, '-r', '__node:=other_camera')))
        for camera in ('scene_camera', 'other_camera'):
            self._observer.change(camera, 'configure')
        process = psutil.Process(start.pids()['scene_camera'])
        while process.cpu_percent(1.0) / 100 > RESTING:
            pass
        for name in self._names:
            # what was said last outlives the whole stack in a file alone
            kept = {'state_directory': start.log(name).parent} if name == COMPOSED else {}
            start.start_node(name, **kept)
        self._observer.wait_active(STACK)
        for topic, message_type in (('focus/regions', Detection2DArray), ('overlay', Image),
                                    ('focus/regions_3d', Detection3DArray)):
            self._heard[topic] = self._observer.ages(message_type, topic, qos.result())[1]
        parsed = self._observer.latest(String, 'instruction/parsed', qos.latched())
        say = self._observer.node.create_publisher(String, 'instruction', 10)
        self._observer.wait(say.get_subscription_count, 'instruction_node')
        say.publish(String(data='빨간 컵을 집어서 파란 접시 위에 놓아줘'))
        self._observer.wait(parsed, 'parse')
        self._observer.change('scene_camera', 'activate')
        for topic, ages in self._heard.items():
            self._observer.wait(lambda ages=ages: ages, topic)
        self._make_way()
        self._since = self._due = time.monotonic()

    def _spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            self._observer.spin(max(0.0, min(left, self._due - time.monotonic())))
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + PERIOD
                self._sample()
            elif left <= 0:
                return

    def _happen(self, name: str, fault: Callable[[], dict[str, Any] | None]) -> None:
        """Let one thing go wrong, and take the time until results are there again and no later than usual."""
        regions = self._heard['focus/regions']
        normal = self._normal()
        try:
            seen = fault() or {}
        except NothingCameError as error:
            seen = {'failed': str(error)[:2000]}
        over, heard = time.monotonic(), len(regions)

        def recovered() -> bool:
            return any(age < max(2 * normal, 100.0) for age in regions[heard:])
        while not recovered() and time.monotonic() - over < 60:
            before = len(regions)
            self._spin(0.1)
            if len(regions) < before:   # a line was written meanwhile
                heard = 0
        self._happened.append({'fault': name, 'seconds to normal': round(time.monotonic() - over, 1),
                               'recovered': recovered(), **seen})

    def _normal(self) -> float:
        known = [line['focus/regions']['p95 ms'] for line in self.lines[-30:]
                 if line['focus/regions']['messages']]
        return statistics.median(known) if known else 1000.0

    def _killer(self, name: str) -> Callable[[], None]:
        nodes = STACK if name == COMPOSED else (name,)

        def kill() -> None:
            command = self._processes.kill(name)
            self._spin(2.0)     # as the launch files' respawn_delay
            self._processes.start(name, command)
            self._restarts[name] += 1
            self._observer.forget(nodes)
            self._observer.wait_active(nodes)
            self._make_way()
        return kill

    def _make_way(self) -> None:
        """Let other work of the machine go first; not while a node starts, which could take forever."""
        if self._options.priority is not None:
            # each process that was started is a session, and with that a group of the scheduler: nice counts
            # only within it
            for pid in (os.getpid(), *self._processes.pids().values()):
                Path(f'/proc/{pid}/autogroup').write_text(str(self._options.priority), encoding='ascii')

    def _sample(self) -> None:
        for name, status in list(self._processes.ended()):
            self._crashes += 1
            self._happened.append({'fault': f'{name} ended by itself with status {status}',
                                   'said': self._processes.log(name).read_text(errors='replace')[-500:]})
            self._processes.restart(name)
            self._restarts[name] += 1
        load = Load({**self._processes.pids(), 'observer': os.getpid()})
        line = {'minute': round(self.minute, 3), 'settled': self._settled,
                'rss MB': {name: round(value, 1) for name, value in load.memory().items()},
                'own MB': {name: round(value, 1) for name, value in load.own().items()},
                **{topic: {'messages': len(ages), **summary(ages)} for topic, ages in self._heard.items()},
                'restarts': dict(self._restarts), 'crashes': self._crashes, 'happened': self._happened,
                'errors': {node: self._observer.status(node).get('message', '') for node in STACK
                           if self._observer.status(node).get('level') == '2'}}
        for ages in self._heard.values():
            ages.clear()
        self._happened = []
        self.lines.append(line)
        self._options.curve.parent.mkdir(parents=True, exist_ok=True)
        with self._options.curve.open('a', encoding='utf-8') as file:
            file.write(json.dumps(line, ensure_ascii=False) + '\n')


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    *whole, unfinished = path.read_text(encoding='utf-8').split('\n')
    if unfinished:      # cut off while it was written
        path.write_text(''.join(f'{line}\n' for line in whole), encoding='utf-8')
    return [json.loads(line) for line in whole]


def _nodes(lines: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the processes of the stack that ran."""
    return tuple(name for name in (COMPOSED, *STACK) if any(name in line['rss MB'] for line in lines))


def report(lines: list[dict[str, Any]], minutes: float) -> dict[str, Any]:
    """Return rows of memory by process, and of what happened by fault.

    Memory is the median of a minute of lines: of the first one that is settled, and of the last one before
    the final kills; both of the same processes, for a restart would hide a leak. ``own`` is resident memory
    without files and shared memory, which the kernel takes back when others need room.
    """
    last = [line for line in lines if minutes - 1 <= line['minute']]
    same = [line for line in lines if last and line['restarts'] == last[0]['restarts']]
    settled = next((line['minute'] for line in same if line['settled']), minutes)
    early = [line for line in same if settled <= line['minute'] < settled + 1]
    late = [line for line in same if minutes - 1 <= line['minute']] if early else []
    rows = []
    names = _nodes(lines)
    for name in (*names, 'all nodes', 'scene_camera', 'observer'):
        row: dict[str, Any] = {'process': name}
        for kind in ('rss', 'own'):
            before, after = (_memory(part, f'{kind} MB', name, names) for part in (early, late))
            row |= {f'{kind} MB settled': before, f'{kind} MB at the end': after,
                    f'{kind} growth %': round((after / before - 1) * 100, 2) if before and after else None}
        rows.append({**row, 'restarts': lines[-1]['restarts'].get(name, 0) if name in names else None})
    happened = [each for line in lines for each in line['happened']]
    faults = []
    for name in dict.fromkeys(each['fault'] for each in happened):
        own = [each for each in happened if each['fault'] == name]
        times = [each['seconds to normal'] for each in own if 'seconds to normal' in each]
        faults.append({'fault': name, 'times': len(own),
                       'seconds to normal, median': statistics.median(times) if times else None,
                       'most': max(times, default=None),
                       'not recovered': sum(not each.get('recovered', False) for each in own),
                       'instructions lost': sum(each.get('lost', 0) for each in own)})
    return {'rows': rows, 'tables': {'faults': faults}, 'minutes': lines[-1]['minute'],
            'crashes': lines[-1]['crashes'], 'settled after minutes': settled,
            'instructions lost': sum(each.get('lost', 0) for each in happened)}


def _memory(lines: list[dict[str, Any]], kind: str, name: str, names: tuple[str, ...]) -> float | None:
    if not lines or kind not in lines[0]:
        return None
    found = [sum(line[kind].get(node, 0) for node in names) if name == 'all nodes'
             else line[kind].get(name, float('nan')) for line in lines]
    return round(float(np.median(found)), 1)


def draw(lines: list[dict[str, Any]], path: Path) -> None:
    """Draw memory and latency over time, with a mark for each fault."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, (memory, latency) = pyplot.subplots(2, 1, figsize=(10, 7), sharex=True, constrained_layout=True)
    minutes = [line['minute'] for line in lines]
    names = _nodes(lines)
    memory.plot(minutes, [sum(line['rss MB'].get(node, 0) for node in names) for line in lines], 'k',
                label='all nodes')
    for node in (*names, 'scene_camera', 'observer'):
        memory.plot(minutes, [line['rss MB'].get(node, float('nan')) for line in lines], label=node)
    memory.set_ylabel('resident memory (MB)')
    memory.set_ylim(bottom=0)
    memory.legend(fontsize=8, ncol=4)
    for topic in ('focus/regions', 'focus/regions_3d', 'overlay'):
        ages = [line.get(topic, {}).get('p50 ms', float('nan')) for line in lines]
        latency.plot(minutes, ages, label=topic)
    for line in lines:
        for each in line['happened']:
            killed = each['fault'].startswith('kill')
            latency.axvline(line['minute'], color='r' if killed else '0.8', lw=0.8, zorder=0)
    latency.set_ylabel('age on arrival, p50 of 10 s (ms)')
    latency.set_xlabel('minutes (grey: a fault, red: a node killed and restarted)')
    latency.set_yscale('log')
    latency.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
