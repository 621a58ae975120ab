"""The pool on loopback: frames a second, round trips, batches, and what an outage costs a robot.

``vla-attention serve`` runs in a process of its own; robots are threads here, each with a connection and an
instruction of its own, that send the next frame when the last one is answered. So the round trips are those
of a pool that is fully busy. ``direct`` is the same backend called in this process, without network or pool.

``costs`` is what one frame takes on each side, in processor time and bytes on the wire, which other processes
of a busy machine change little. The outage is a real one: the pool is killed under a robot's
:class:`RemoteBackend` and started again.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import skimage.data
from tqdm import tqdm

from vla_attention.grounding import make_backend
from vla_attention.grounding.remote import RemoteBackend
from vla_attention.grounding.remote_link import Link, RemoteError, pack
from vla_attention.grounding.remote_protocol import (
    GROUND_PATH,
    HEALTH_PATH,
    TYPE,
    Answer,
    Limits,
    read_answer,
    read_question,
    write_answer,
    write_question,
)

SIZE = (640, 480)
PHRASES = (('cup', 'saucer'), ('숟가락', '컵'), ('white cup', 'spoon'), ('접시', '빨간 컵'))   # of each robot
PATIENCE = 30.0
START = 300.0       # seconds that a pool may take to load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--serve-seconds', type=float, default=10.0, metavar='S',
                        help='of each line of the table (default: 10)')
    parser.add_argument('--serve-clients', type=int, nargs='+', default=(1, 2), metavar='N',
                        help='robots at the same time (default: 1 and 2)')
    parser.add_argument('--serve-engine', choices=('single', 'ray'), default='single',
                        help='engine of the pool (default: single)')
    parser.add_argument('--serve-url', default='', metavar='URL',
                        help='a pool that runs already; it is not killed, so no outage is measured')
    parser.add_argument('--serve-options', default='', metavar='WORDS',
                        help='more for vla-attention serve, e.g. "--batch 4 --threads 1"')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and return a row for each way and number of robots."""
    frames = _frames()
    result: dict[str, Any] = {'machine': _machine(), 'image': f'{SIZE[0]}x{SIZE[1]}',
                              'phrases a robot': len(PHRASES[0]), 'load before': os.getloadavg()[0]}
    local = make_backend()
    result['costs'] = _costs(local, frames[0])
    rows = [_direct(local, frames, options.serve_seconds)]
    port = _free_port()
    start = partial(_pool, options.serve_engine, port, options.serve_options.split())
    with _running(options.serve_url) if options.serve_url else start() as url:
        result['pool'] = _health(url)
        for quality in (90, 0):
            for clients in options.serve_clients:
                rows.append(_robots(url, clients, quality, frames, options.serve_seconds))
        result['pool after'] = _health(url)
    if not options.serve_url:
        result['outage'] = _outage(start, local, frames)
    result['rows'] = rows
    return result


def _frames() -> list[np.ndarray]:
    photo = cv2.resize(skimage.data.coffee(), SIZE, interpolation=cv2.INTER_AREA)
    return [np.roll(photo, 8 * index, axis=1) for index in range(16)]


def _costs(backend: Any, image: np.ndarray) -> dict[str, float]:
    answer = Answer(backend.attend(image, backend.encode(PHRASES[0])), {'batch': '1'})
    jpeg, raw = (write_question(PHRASES[0], image, PATIENCE, jpeg_quality=quality) for quality in (90, 0))
    unpacked = write_answer(answer)
    return {
        'question jpeg kB': round(len(jpeg) / 1024, 1), 'question raw kB': round(len(raw) / 1024, 1),
        'answer kB': round(len(pack(unpacked)) / 1024, 1),
        'robot cpu ms, jpeg': _cpu(lambda: (write_question(PHRASES[0], image, PATIENCE, jpeg_quality=90),
                                            read_answer(unpacked, PHRASES[0], SIZE))),
        'worker cpu ms, jpeg': _cpu(lambda: (read_question(jpeg, Limits()), pack(write_answer(answer)))),
        'worker cpu ms, raw': _cpu(lambda: (read_question(raw, Limits()), pack(write_answer(answer)))),
        'model cpu ms': _cpu(lambda: backend.attend(image, backend.encode(PHRASES[0])), 5)}


def _cpu(call: Callable[[], object], times: int = 20) -> float:
    """Return the median processor time of a call in ms, of all threads."""
    took = []
    for _ in range(times):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return round(float(np.median(took)) * 1e3, 2)


def _direct(backend: Any, frames: list[np.ndarray], seconds: float) -> dict[str, Any]:
    encoded = backend.encode(PHRASES[0])
    backend.attend(frames[0], encoded)
    trips = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        start = time.perf_counter()
        backend.attend(frames[len(trips) % len(frames)], encoded)
        trips.append(time.perf_counter() - start)
    return {'way': 'direct', 'robots': 1, **_times(trips, time.perf_counter() - began)}


def _robots(url: str, clients: int, quality: int, frames: list[np.ndarray], seconds: float) -> dict[str, Any]:
    trips: list[list[float]] = [[] for _ in range(clients)]
    batches: list[int] = []
    failures: list[str] = []
    ready = threading.Barrier(clients + 1)
    stop = threading.Event()

    def robot(number: int) -> None:
        link, phrases = Link(url), PHRASES[number % len(PHRASES)]
        link.post(GROUND_PATH, write_question(phrases, frames[0], PATIENCE), TYPE, PATIENCE)
        ready.wait()
        while not stop.is_set():
            start = time.perf_counter()
            body = write_question(phrases, frames[len(trips[number]) % len(frames)], PATIENCE,
                                  jpeg_quality=quality)
            try:
                data = link.post(GROUND_PATH, body, TYPE, PATIENCE)
            except RemoteError as error:
                failures.append(str(error))
                continue
            answer = read_answer(data, phrases, SIZE)
            trips[number].append(time.perf_counter() - start)
            batches.append(int(answer.about['batch']))
        link.close()

    threads = [threading.Thread(target=robot, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    name = f'{clients} robots, {"jpeg" if quality else "raw"}'
    for _ in tqdm(range(20), desc=name, disable=None, leave=False):
        stop.wait(seconds / 20)
    took = time.perf_counter() - began
    stop.set()
    for thread in threads:
        thread.join()
    return {'way': 'jpeg' if quality else 'raw', 'robots': clients,
            **_times([each for robot_trips in trips for each in robot_trips], took),
            'batch mean': round(float(np.mean(batches)), 2), 'batch max': max(batches),
            'failed': len(failures)}


def _outage(start: Callable[[], Any], local: Any, frames: list[np.ndarray]) -> dict[str, Any]:
    """Return how long frames take while the pool dies, is away, and comes back."""
    backend: RemoteBackend | None = None
    try:
        with start() as url:
            backend = RemoteBackend(url, timeout=PATIENCE, fallback=local)
            encoded = backend.encode(PHRASES[0])
            for frame in frames[:3]:
                backend.attend(frame, encoded)
            before = backend.facts()
        away = []
        for frame in frames:
            began = time.perf_counter()
            backend.attend(frame, encoded)
            away.append(time.perf_counter() - began)
        trouble = backend.trouble()
        with start():
            began = time.perf_counter()
            while backend.trouble():
                backend.attend(frames[0], encoded)
            back = time.perf_counter() - began
            backend.attend(frames[0], encoded)
            after = backend.facts()
        return {'before': before['answered by'], 'while away': trouble,
                'frame p50 ms': round(float(np.median(away)) * 1e3, 1),
                'slowest frame ms': round(max(away) * 1e3, 1),
                'back after s': round(back, 2), 'afterwards': after['answered by']}
    finally:
        if backend is not None:
            backend.close()


@contextmanager
def _pool(engine: str, port: int, words: list[str]) -> Iterator[str]:
    url = f'http://127.0.0.1:{port}'
    command = [sys.executable, '-m', 'vla_attention.cli', 'serve', '--engine', engine, '--port', str(port)]
    process = subprocess.Popen([*command, *words])
    try:
        end = time.monotonic() + START
        while _health(url) is None:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f'the pool did not start ({process.poll()}): {" ".join(command)}')
            time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGINT if engine == 'ray' else signal.SIGKILL)
        process.wait(60)


@contextmanager
def _running(url: str) -> Iterator[str]:
    yield url


def _health(url: str) -> dict[str, Any] | None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request('GET', HEALTH_PATH)
        response = connection.getresponse()
        data = response.read()
        return dict(json.loads(data)) if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as server:
        return int(server.getsockname()[1])


def _times(trips: list[float], took: float) -> dict[str, Any]:
    p50, p95 = np.percentile(trips, (50, 95)) * 1e3
    return {'frames': len(trips), 'frames/s': round(len(trips) / took, 2), 'p50 ms': round(float(p50), 1),
            'p95 ms': round(float(p95), 1), 'best ms': round(min(trips) * 1e3, 1)}


def _machine() -> str:
    return f'{os.cpu_count()} cores, {platform.processor() or platform.machine()}'
