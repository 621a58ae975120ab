"""The engine benchmark: what it needs no engine for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
engine = pytest.importorskip('benchmarks.engine', reason='the benchmarks come with the source checkout')


def test_an_engine_whose_package_is_missing_is_a_row_that_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(engine, 'find_spec', lambda name: None)
    row = engine._apart('onnxruntime int8', '320x240', tmp_path, argparse.Namespace())
    assert row == {'note': 'not measured: onnxruntime, onnx not installed'}


def test_calibration_pictures_come_in_the_shape_of_the_graph():
    image = np.zeros((24, 32, 3), np.uint8)
    image[..., 0] = 200
    batch, = engine.batches([image], torch.zeros(2, 3, 64, 96))
    assert batch.shape == (2, 3, 64, 96) and batch.dtype == np.float32
    assert (batch[:, 0] == 200).all() and (batch[:, 1:] == 0).all()


def test_the_best_block_counts(monkeypatch):
    clock = iter([0, 9, 10, 19, 20, 21, 22, 23, 30, 38, 40, 48])     # blocks of 9, 1 and 8 s a frame
    monkeypatch.setattr(engine.time, 'perf_counter', lambda: next(clock))
    assert engine._p50(lambda index: None, 2 * engine.BLOCKS) == 1000.0
