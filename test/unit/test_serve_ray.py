"""What is asked of Ray, by its documentation; Ray itself is a stand-in that writes it down."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock, call

import pytest

pytest.importorskip('uvicorn', reason='the extra [serve] is not installed')

from vla_attention.cli import main
from vla_attention.grounding.remote import TOKEN


@pytest.fixture
def ray(monkeypatch):
    """Stand in for Ray: a cluster on which Serve does not run yet."""
    stand_in = MagicMock()
    stand_in.serve.status.return_value = SimpleNamespace(proxies={})
    stand_in.serve.batch.side_effect = lambda **_: lambda function: function
    monkeypatch.setitem(sys.modules, 'ray', stand_in)
    monkeypatch.setattr('vla_attention.cli.serve.find_spec', lambda name: name)
    monkeypatch.delenv('RAY_ADDRESS', raising=False)
    monkeypatch.delenv(TOKEN, raising=False)
    module = 'vla_attention.serve.pool'
    monkeypatch.delitem(sys.modules, module, raising=False)
    stand_in.pool = importlib.import_module(module)
    yield stand_in
    del sys.modules[module], sys.modules['vla_attention.serve'].pool


def run(stand_in) -> None:
    stand_in.pool.run({'waiting': 5}, '127.0.0.1', 8000, replicas=(1, 1), cpus=1, gpus=0, token='s3cr3t')


def test_what_waits_before_the_replicas_has_a_bound_and_they_refuse_themselves(ray):
    bounds = {'max_ongoing_requests': 10, 'max_queued_requests': 5}
    options = ray.serve.deployment.return_value.return_value.options
    ray.pool.build({'waiting': 5})
    run(ray)
    assert options.call_args_list == [call(**bounds), call(**bounds)]
    options.return_value.options.assert_called_once_with(ray_actor_options={'num_cpus': 1, 'num_gpus': 0},
                                                         num_replicas=1)


def test_a_cluster_of_its_own_is_begun_and_ended(ray):
    ray.serve.run.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        run(ray)
    assert ray.init.call_args.args == ('local',), 'not one that happens to run on this machine'
    ray.serve.shutdown.assert_called_once_with()
    ray.shutdown.assert_called_once_with()
    ray.serve.delete.assert_not_called()


def test_a_cluster_of_others_goes_on(ray, monkeypatch):
    monkeypatch.setenv('RAY_ADDRESS', 'head:6379')
    ray.serve.run.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        run(ray)
    ray.serve.delete.assert_called_once_with(ray.serve.run.call_args.kwargs['name'])
    ray.serve.shutdown.assert_not_called()
    ray.shutdown.assert_called_once_with()


def test_where_serve_does_not_start_nothing_of_others_is_deleted(ray, monkeypatch):
    monkeypatch.setenv('RAY_ADDRESS', 'head:6379')
    ray.serve.start.side_effect = TimeoutError('no proxy')
    with pytest.raises(TimeoutError):
        run(ray)
    ray.serve.delete.assert_not_called()
    ray.shutdown.assert_called_once_with()


def test_where_serve_runs_already_its_address_is_said_to_be_its_own(ray, monkeypatch, caplog):
    run(ray)
    assert not caplog.records
    monkeypatch.setenv('RAY_ADDRESS', 'head:6379')
    ray.serve.status.return_value.proxies['node'] = 'HEALTHY'
    run(ray)
    assert 'listens where it was started to' in caplog.text


def test_the_command_promises_no_address_on_a_cluster_of_others(ray, monkeypatch, capsys):
    monkeypatch.setattr('vla_attention.cli.serve.make_chosen', lambda *_, **__: None)
    assert main(['serve', '--engine', 'ray', '--port', '8123']) == 0
    assert 'embedded on Ray at http://127.0.0.1:8123' in capsys.readouterr().err
    monkeypatch.setenv('RAY_ADDRESS', 'head:6379')
    assert main(['serve', '--engine', 'ray', '--port', '8123']) == 0
    assert 'where Serve does not run there yet, at http://127.0.0.1:8123' in capsys.readouterr().err


def test_a_deployment_from_a_file_takes_the_token_without_white_space(ray, monkeypatch):
    bind = ray.serve.deployment.return_value.return_value.options.return_value.bind
    monkeypatch.setenv(TOKEN, 's3cr3t\n')
    ray.pool.build({'waiting': 5})
    bind.assert_called_once_with({'waiting': 5}, 's3cr3t')
    monkeypatch.setenv(TOKEN, 's3cr3t\nof the fleet')
    with pytest.raises(ValueError, match='printable ASCII'):
        ray.pool.build({'waiting': 5})
