"""Exported image encoders are kept on disk; the right one is found, and none is missed where none is kept."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('transformers')
pytest.importorskip('openvino', reason='openvino is not installed')

import hub_models

from vla_attention.grounding import BackendError, hub_engine, hub_graphs, make_backend
from vla_attention.vision import graphs

PICTURE = np.full((64, 64, 3), 100, np.uint8)


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return hub_models.clipseg(tmp_path_factory.mktemp('models') / 'clipseg')


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'vla_attention' / 'hub'


@pytest.fixture(scope='module')
def known():
    """Graphs that were exported already, by what they follow from."""
    return {}


@pytest.fixture
def exports(monkeypatch, known):
    """Count exports; what was exported for a test before is not exported again: it takes seconds."""
    calls = []
    export = hub_engine.export

    def counted(*given):
        calls.append(1)
        digest = hub_graphs._digest(*given)
        if digest not in known:
            known[digest] = export(*given)
        return known[digest]
    monkeypatch.setattr(hub_engine, 'export', counted)
    return calls


@pytest.fixture
def filled(model, cache, exports):
    """The cache, with the model's graph in it."""
    start(model)
    exports.clear()
    return cache


def start(folder, **options):
    return make_backend('clipseg', model=str(folder), device='cpu', **options)


def seen(backend):
    return backend.attend(PICTURE, backend.encode(['red mug'])).masks


def test_a_model_is_exported_once_whatever_the_precision(model, cache, exports, caplog):
    first = seen(start(model, precision='f32'))
    again = seen(start(model, precision='f32'))
    start(model, precision='bf16')
    assert len(exports) == 1 and 'vla_attention' not in caplog.text
    assert sorted(path.suffix for path in cache.iterdir()) == ['.bin', '.xml']
    np.testing.assert_array_equal(first, again)


def test_the_encoder_is_ready_before_the_first_image(model, cache, exports):
    backend = start(model)
    assert len(exports) == 1
    seen(backend)
    assert len(exports) == 1


def test_other_weights_are_another_graph(model, filled, exports, tmp_path):
    backend = start(model, engine='torch')
    with torch.no_grad():
        backend.model.clip.vision_model.pre_layrnorm.weight.mul_(1.5)
    backend.model.save_pretrained(tmp_path / 'other')
    for path in model.iterdir():
        if path.name not in ('model.safetensors', 'config.json'):
            (tmp_path / 'other' / path.name).write_bytes(path.read_bytes())
    other = start(tmp_path / 'other', precision='f32')
    assert len(exports) == 1 and len(list(filled.glob('*.xml'))) == 2
    np.testing.assert_allclose(seen(other), seen(start(tmp_path / 'other', engine='torch')), atol=1e-4)


def test_another_configuration_or_shape_is_another_graph(model, cache):
    backend = start(model, engine='torch')
    encode = backend._activations
    names = {hub_graphs.graph_path(backend.model, encode, (1, 3, 64, 64))}
    names.add(hub_graphs.graph_path(backend.model, encode, (1, 3, 96, 64)))
    backend.model.config.extract_layers = [0, 1, 1]
    names.add(hub_graphs.graph_path(backend.model, encode, (1, 3, 64, 64)))
    assert len(names) == 3 and all(path.parent == cache for path in names)


@pytest.mark.parametrize('suffix', ['.xml', '.bin'])
def test_a_damaged_graph_is_exported_again(model, filled, exports, caplog, suffix):
    wanted = seen(start(model, precision='f32'))
    path = next(filled.glob('*' + suffix))
    path.write_bytes(path.read_bytes()[:200])
    np.testing.assert_array_equal(seen(start(model, precision='f32')), wanted)
    assert len(exports) == 1 and 'is exported again' in caplog.text
    start(model, precision='f32')
    assert len(exports) == 1        # the damaged one was replaced


def test_a_cache_that_cannot_be_written_costs_the_next_start_its_time(model, tmp_path, monkeypatch, exports,
                                                                     caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / 'file').write_text('in the way')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    assert np.isfinite(seen(start(model))).all() and np.isfinite(seen(start(model))).all()
    assert len(exports) == 2 and 'is not kept' in caplog.text


def test_a_full_disk_leaves_no_half_graph(model, cache, monkeypatch):
    class Full:
        @staticmethod
        def save_model(graph, path, **_):
            Path(path).write_text('half')
            raise RuntimeError('no space left on device')

    monkeypatch.setattr(graphs, 'import_openvino', Full)
    graphs.keep_graph(None, cache / 'graph.xml', most=hub_graphs.KEPT)
    assert list(cache.iterdir()) == []


def test_a_user_without_a_home(model, monkeypatch, exports):
    def homeless():
        raise RuntimeError('no home directory')

    monkeypatch.setenv('XDG_CACHE_HOME', 'relative/is/not/allowed')
    monkeypatch.setattr(Path, 'home', homeless)
    assert np.isfinite(seen(start(model))).all() and len(exports) == 1


def test_the_graphs_used_last_are_kept(filled):
    graph = graphs.load_graph(next(filled.glob('*.xml')))
    used = next(filled.glob('*.xml'))
    for index in range(hub_graphs.KEPT):
        os.utime(used, (index * 10, index * 10))
        graphs.load_graph(used)                         # used now, whatever its age
        graphs.keep_graph(graph, filled / f'{index}.xml', most=hub_graphs.KEPT)
        os.utime(filled / f'{index}.xml', (index, index))
    assert used.exists() and not (filled / '0.xml').exists() and not (filled / '0.bin').exists()
    assert len(list(filled.glob('*.xml'))) == len(list(filled.glob('*.bin'))) == hub_graphs.KEPT


def test_what_openvino_cannot_take_runs_in_torch(model, cache, monkeypatch, caplog):
    def refuse(*_):
        raise RuntimeError('no translation of this operation')

    monkeypatch.setattr(hub_engine, 'export', refuse)
    backend = start(model)
    assert (backend.engine, backend.precision) == ('torch', '') and 'no translation' in caplog.text
    np.testing.assert_array_equal(seen(backend), seen(start(model, engine='torch')))
    with pytest.raises(BackendError, match='OpenVINO cannot take'):
        start(model, engine='openvino')
