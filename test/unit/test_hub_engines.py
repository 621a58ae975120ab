"""What runs the transformers backends, and in which numbers: torch, OpenVINO, halves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hub_fixtures import NAMES, PHRASES, VISION

from vla_attention.grounding import BackendError, hub_engine, make_backend

pytest_plugins = ['hub_fixtures']
pytestmark = pytest.mark.usefixtures('one_thread', 'cache')


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
@pytest.mark.parametrize('name', NAMES)
def test_half_precision(folders, backends, image, name, dtype):
    backend = make_backend(name, model=str(folders[name]), device='cpu', dtype=dtype, engine='torch')
    assert next(backend.model.parameters()).dtype == getattr(torch, dtype)
    maps = backend.attend(image, backend.encode(PHRASES))
    whole = backends[name].attend(image, backends[name].encode(PHRASES))
    assert maps.maps.dtype == np.float32 and np.isfinite(maps.maps).all()
    # siglip scales by the spread over the image, and with it the rounding
    tolerance = 0.25 if name == 'siglip' else 0.05
    np.testing.assert_allclose(maps.heads['kind'], whole.heads['kind'], atol=tolerance)


@pytest.mark.parametrize('name', ['clipseg', 'owlv2'])
def test_openvino_agrees_with_torch(folders, backends, image, name):
    """Within 1e-4 in float32; with a bfloat16 image encoder within 0.05."""
    pytest.importorskip('openvino', reason='openvino is not installed')
    wanted = backends[name].attend(image, backends[name].encode(PHRASES))
    for precision, tolerance in (('f32', 1e-4), ('bf16', 0.05)):
        backend = make_backend(name, model=str(folders[name]), device='cpu', engine='openvino',
                               precision=precision)
        calls = []
        backend.model.get_submodule(VISION[name]).register_forward_hook(
            lambda *_, calls=calls: calls.append(1))
        maps = backend.attend(image, backend.encode(PHRASES))
        assert backend.engine == 'openvino' and not calls       # torch never runs the image encoder
        np.testing.assert_allclose(maps.heads['kind'], wanted.heads['kind'], atol=tolerance)
        np.testing.assert_allclose(maps.presence, wanted.presence, atol=tolerance)


def test_auto_takes_openvino_where_it_can(folders, monkeypatch):
    pytest.importorskip('openvino', reason='openvino is not installed')
    monkeypatch.setattr(torch, 'compile', lambda target: target)
    for name, options, engine in (('clipseg', {}, 'openvino'), ('owlv2', {'dtype': 'float32'}, 'openvino'),
                                  ('clipseg', {'dtype': 'bfloat16'}, 'openvino'), ('siglip', {}, 'torch'),
                                  ('clipseg', {'dtype': 'float16'}, 'torch'),
                                  ('owlv2', {'compile_model': True}, 'torch')):
        assert make_backend(name, model=str(folders[name]), device='cpu', **options).engine == engine


@pytest.mark.parametrize(('options', 'with_bf16', 'without'), [
    ({}, 'bf16', 'f32'), ({'dtype': 'float32'}, 'f32', 'f32'), ({'dtype': 'bfloat16'}, 'bf16', 'f32'),
    ({'precision': 'f32'}, 'f32', 'f32'), ({'precision': 'bf16'}, 'bf16', 'f32'),
    ({'engine': 'torch'}, '', '')])
def test_bf16_is_what_the_cpu_has(folders, monkeypatch, options, with_bf16, without):
    pytest.importorskip('openvino', reason='openvino is not installed')
    for capabilities, expected in ((['FP32', 'BF16'], with_bf16), (['FP32'], without)):
        monkeypatch.setattr(hub_engine, 'cpu_capabilities', lambda found=capabilities: found)
        backend = make_backend('clipseg', model=str(folders['clipseg']), device='cpu', **options)
        assert backend.precision == expected


@pytest.mark.parametrize(('name', 'options', 'reason'), [
    ('clipseg', {'engine': 'abacus'}, 'engine must be one of auto, torch, openvino'),
    ('siglip', {'engine': 'openvino'}, 'siglip does not have'),
    ('clipseg', {'engine': 'openvino', 'dtype': 'float16'}, 'not float16'),
    ('owlv2', {'engine': 'openvino', 'compile_model': True}, 'leave compile_model out'),
    ('clipseg', {'precision': 'int8'}, 'precision of a hub model must be one of auto, bf16, f32'),
    ('siglip', {'precision': 'bf16'}, 'for the engine openvino; torch computes in dtype'),
    ('clipseg', {'precision': 'bf16', 'dtype': 'float32'}, 'leave one of them out')])
def test_an_engine_that_cannot_be_had_is_refused(folders, name, options, reason):
    with pytest.raises(BackendError, match=reason):
        make_backend(name, model=str(folders[name]), device='cpu', **options)


def test_compiles_what_runs_for_each_image(folders, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, 'compile', lambda target: compiled.append(target) or target)
    for name in NAMES:
        make_backend(name, model=str(folders[name]), device='cpu', compile_model=True)
    assert len(compiled) == len(NAMES)
