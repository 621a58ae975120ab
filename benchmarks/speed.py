"""End to end through DDS: how old results are when they are there, what becomes of frames, what nodes take.

``scene_camera`` plays a generated RGB-D scene at 30 Hz in a process of its own; its frames are rendered
before anything is measured. The stack runs as it is launched: a process a node, or all in
``attention_stack``. The age of a result is the time from the stamp of its image to its arrival in this
process, which takes it as bytes. ``arm`` are the outputs that a planner takes; ``arm + RViz`` adds the
overlay, as RViz takes it.

The floor is a bare rclpy node that echoes the image. The model alone, and the forward passes of CLIPSeg and
OWLv2 (layers of the released base checkpoints, random weights, torch), run in this process on the same cores.
Frames are counted by the nodes themselves while the camera is active, and compared when it rests.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import torch
from sensor_msgs.msg import Image
from tqdm import tqdm
from vision_msgs.msg import Detection2DArray, Detection3DArray

from benchmarks import hub
from benchmarks._observer import Load, Observer, summary
from scripts.node_processes import (
    STACK,
    STACKS,
    Processes,
    end_on_sigterm,
    free_domain,
    use_fastdds_profile,
)
from vla_attention.grounding import make_backend
from vla_attention.pipeline import Pipeline
from vla_attention.ros import qos

OUTPUTS = {'focus/regions': Detection2DArray, 'focus/target/mask': Image,
           'focus/regions_3d': Detection3DArray}
WARM_UP = 3.0       # seconds of stream before anything is measured
RESTING = 0.05      # of a core: what an inactive camera takes once all its frames are rendered
HOPS = (            # from, its counter, to, its counter of what comes in
    ('scene_camera', 'images', 'attention_node', 'images'),
    ('attention_node', 'worked on', 'focus_node', 'regions'),
    ('scene_camera', 'images', 'moments_node', 'images'),
    ('scene_camera', 'images', 'overlay_node', 'images'),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--seconds', type=float, default=15.0,
                        help='of stream for each line of the table (default: 15)')
    parser.add_argument('--rate', type=float, default=30.0, help='pictures a second (default: 30)')
    parser.add_argument('--stacks', nargs='+', choices=tuple(STACKS),
                        default=('separate', 'composed'), help='how the nodes run (default: both ways)')
    parser.add_argument('--instruction', default='',
                        help='what is asked for (default: something in the scene)')
    parser.add_argument('--no-hub', action='store_true', help='leave CLIPSeg and OWLv2 out')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure; rows are one output of one way to run the stack each, and what they are compared with."""
    end_on_sigterm()
    use_fastdds_profile()
    rows: list[dict[str, Any]] = []
    hops: list[dict[str, Any]] = []
    nodes: list[dict[str, Any]] = []
    bar = tqdm(total=2 + 2 * len(options.stacks), desc='speed', disable=None)
    with _graph(options) as (observer, processes):
        bar.set_postfix_str('echo')
        rows.append(_echo(observer, processes, options.seconds))
        bar.update()
        for stack in options.stacks:
            names = STACKS[stack]
            for name in names:
                processes.start_node(name)
            observer.wait_active(STACK)
            for watched in (False, True):
                bar.set_postfix_str(f'{stack}{", watched" if watched else ""}')
                measured = _measure(observer, processes, names, options.seconds, watched)
                for table, found in zip((rows, hops, nodes), measured, strict=True):
                    table += [{'stack': stack, 'taken': 'arm + RViz' if watched else 'arm', **row}
                              for row in found]
                bar.update()
            statuses = processes.stop(*names)
            if any(statuses.values()):
                raise RuntimeError(f'nodes ended with {statuses}')
            observer.forget(STACK)
    bar.set_postfix_str('models')
    rows += _models(options)
    bar.close()
    return {'rows': rows, 'tables': {'frames': hops, 'nodes': nodes}, 'machine': hub.machine(),
            'load average before': options.load, 'image': '640x480', 'rate_hz': options.rate,
            'transport': os.environ.get('FASTDDS_BUILTIN_TRANSPORTS') or 'config/fastdds.xml'}


@contextmanager
def _graph(options: argparse.Namespace) -> Iterator[tuple[Observer, Processes]]:
    """Start the camera in a domain of this run's own, with all frames rendered; end everything afterwards."""
    options.load = [round(value, 2) for value in os.getloadavg()]
    domain, lock = free_domain()
    with tempfile.TemporaryDirectory() as logs, lock:
        processes = Processes(Path(logs), domain)
        observer = Observer(domain, processes, patience=180.0)
        try:
            instructions = f"['{options.instruction}']"
            processes.start_node('scene_camera', autostart=False, source='scene', rate=options.rate,
                                 scene_frames=20, instructions=instructions)
            observer.change('scene_camera', 'configure')
            camera = psutil.Process(processes.pids()['scene_camera'])
            while camera.cpu_percent(1.0) / 100 > RESTING:
                pass
            yield observer, processes
        finally:
            processes.stop()
            observer.close()


def _echo(observer: Observer, processes: Processes, seconds: float) -> dict[str, Any]:
    """Measure the floor."""
    processes.start('echo', [sys.executable, str(Path(__file__).with_name('_echo.py'))])
    subscription, ages = observer.ages(Image, 'echo', qos.result())
    observer.wait(subscription.get_publisher_count, 'echo')
    observer.change('scene_camera', 'activate')
    observer.wait(lambda: ages, 'image of the echo')
    observer.spin(1.0)
    ages.clear()
    seconds = min(seconds, 10.0)
    observer.spin(seconds)
    observer.change('scene_camera', 'deactivate')
    processes.stop('echo')
    observer.node.destroy_subscription(subscription)
    return {'stack': 'bare echo (floor)', 'taken': 'image', 'output': 'echo', 'messages': len(ages),
            'Hz': round(len(ages) / seconds, 1), **summary(ages)}


def _measure(observer: Observer, processes: Processes, names: tuple[str, ...], seconds: float,
             watched: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return rows of latency, of frames at each hop, and of each process."""
    topics = {**OUTPUTS, **({'overlay': Image} if watched else {})}
    heard = {topic: observer.ages(message_type, topic, qos.result())
             for topic, message_type in topics.items()}
    observer.wait(lambda: all(each.get_publisher_count() for each, _ in heard.values()), 'outputs')
    everybody = ('scene_camera', *STACK)
    for _ in range(3):      # overlay_node opens its inputs when somebody looks, moments_node when that does
        observer.fresh(everybody)
    before = _counts(observer)
    observer.change('scene_camera', 'activate')
    for topic, (_, ages) in heard.items():
        observer.wait(lambda ages=ages: ages, topic)
    observer.spin(WARM_UP)
    for _, ages in heard.values():
        ages.clear()
    load = Load({name: pid for name, pid in processes.pids().items() if name in (*names, 'scene_camera')})
    begin = time.monotonic()
    observer.spin(seconds)
    passed, cpu = time.monotonic() - begin, load.cpu()
    latency = [{'output': topic, 'messages': len(ages), 'Hz': round(len(ages) / passed, 1), **summary(ages)}
               for topic, (_, ages) in heard.items()]
    observer.change('scene_camera', 'deactivate')
    observer.spin(1.0)              # what is in work comes to its end
    observer.fresh(everybody)
    hops = _hops(before, _counts(observer), watched)
    resident, shared = load.memory(), load.proportional()
    nodes = [{'process': name, 'cpu': round(cpu[name], 2), 'rss MB': round(resident[name]),
              'pss MB': round(shared[name])} for name in (*names, 'scene_camera')]
    nodes.append({'process': 'all but the camera', 'cpu': round(sum(cpu[name] for name in names), 2),
                  'rss MB': round(sum(resident[name] for name in names)),
                  'pss MB': round(sum(shared[name] for name in names))})
    for subscription, _ in heard.values():
        observer.node.destroy_subscription(subscription)
    return latency, hops, nodes


def _counts(observer: Observer) -> dict[str, dict[str, int]]:
    return {node: {key: int(value) for key, value in observer.status(node).items()
                   if value.isdigit() and key != 'level'} for node in ('scene_camera', *STACK)}


def _hops(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]],
          watched: bool) -> list[dict[str, Any]]:
    def passed(node: str, what: str) -> int:
        return after[node].get(what, 0) - before[node].get(what, 0)

    rows = []
    for source, sent, node, came in HOPS:
        if node in ('overlay_node', 'moments_node') and not watched:
            continue
        rows.append({'from': source, 'to': node, 'sent': passed(source, sent), 'came': passed(node, came),
                     'lost': passed(source, sent) - passed(node, came), 'replaced': passed(node, 'replaced'),
                     'unmatched': passed(node, 'unmatched'), 'refused': passed(node, 'refused'),
                     'worked on': passed(node, 'worked on')})
    return rows


def _models(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time the model alone on every core, and the forward passes of models that are used in its place."""
    image = cv2.resize(hub.picture(0), (640, 480))
    pipeline = Pipeline(make_backend('embedded'))
    query = pipeline.instruct(options.instruction or '빨간 컵을 집어줘')
    rows = [{'stack': 'embedded model alone', **_timed(lambda: pipeline.look(image, query), 60)}]
    if options.no_hub:
        return rows
    torch.set_num_threads(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as root:
        for name, save, frames in (('clipseg', hub.save_clipseg, 8), ('owlv2', hub.save_owlv2, 2)):
            folder = Path(root) / name
            save(folder)
            backend = make_backend(name, model=str(folder), device='cpu', engine='torch')
            encoded = backend.encode(hub.PHRASES[:1])
            pixels = backend.prepare(image)

            def forward(backend: Any = backend, pixels: Any = pixels, encoded: Any = encoded) -> None:
                with torch.inference_mode():
                    hub.answer(backend, pixels, encoded.features, [0])
            rows.append({'stack': f'{name} forward in torch alone', **_timed(forward, frames)})
    return rows


def _timed(call: Callable[[], Any], times: int) -> dict[str, Any]:
    call()      # the first warms up
    spent = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        spent.append((time.perf_counter() - begin) * 1e3)
    return {'messages': times, 'Hz': round(1e3 / float(np.mean(spent)), 1), **summary(spent)}
