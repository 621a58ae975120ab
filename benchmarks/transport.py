"""Images from one process to another on this machine: loss and latency by transport, size and reliability.

A bare rclpy publisher sends raw rgb8 images at 30 Hz, a bare rclpy subscriber takes and decodes them, each
with a history of 10. Latency is the time from just before ``publish`` to the callback.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import hub
from benchmarks._observer import summary
from scripts.node_processes import PROFILES, ROOT, Processes, end_on_sigterm, free_domain

SIZES = ((640, 480), (1280, 720))
OURS = dict.fromkeys(PROFILES, str(ROOT / 'config' / 'fastdds.xml'))
TRANSPORTS: dict[str, dict[str, str]] = {
    'Fast DDS as it comes': {},
    'config/fastdds.xml': OURS,
    'Fast DDS, UDP alone': {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--images', type=int, default=240, help='images for each line (default: 240)')
    parser.add_argument('--transport-rate', type=float, default=30.0, metavar='HZ', help='default: 30')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and return rows of one transport, size and reliability each."""
    end_on_sigterm()
    cases = [(name, reliability, size) for name in TRANSPORTS for reliability in ('best_effort', 'reliable')
             for size in SIZES]
    load = os.getloadavg()[0]
    rows = [_measure(*case, options) for case in tqdm(cases, desc='transport', disable=None)]
    return {'rows': rows, 'machine': hub.machine(), 'load average before': round(load, 2),
            'rmw': 'rmw_fastrtps_cpp'}


def _measure(name: str, reliability: str, size: tuple[int, int],
             options: argparse.Namespace) -> dict[str, Any]:
    domain, lock = free_domain()
    with tempfile.TemporaryDirectory() as logs, lock:
        processes = Processes(Path(logs), domain)
        for variable in (*PROFILES, 'FASTDDS_BUILTIN_TRANSPORTS'):
            processes.environment.pop(variable, None)
        processes.environment.update(TRANSPORTS[name])
        try:
            for end in ('take', 'send'):
                processes.start(end, [
                    sys.executable, str(Path(__file__).with_name('_image_stream.py')), end, reliability,
                    *(str(value) for value in (*size, options.images, options.transport_rate))])
            sent, came = (_result(processes, end) for end in ('send', 'take'))
        finally:
            processes.stop()
    return {'transport': name, 'reliability': reliability, 'image': f'{size[0]}x{size[1]}',
            'sent': sent['sent'], 'sent Hz': round(sent['rate'], 1), 'lost': sent['sent'] - came['came'],
            **summary(came['ages'])}


def _result(processes: Processes, end: str) -> dict[str, Any]:
    status = processes.wait(end)
    text = processes.log(end).read_text(encoding='utf-8', errors='replace')
    if status:
        raise RuntimeError(f'{end} ended with status {status}: {text[-1000:]}')
    found: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return found
