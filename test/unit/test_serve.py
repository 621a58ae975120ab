"""The pool: batches, limits, and what is answered with which status."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml
from safetensors.numpy import save

pytest.importorskip('uvicorn', reason='the extra [serve] is not installed')

from remote_pool import FakeBackend, pool, stopped_upload, until

from vla_attention.cli import main
from vla_attention.grounding.remote import TOKEN
from vla_attention.grounding.remote_link import Link, RemoteError
from vla_attention.grounding.remote_protocol import (
    GROUND_PATH,
    TYPE,
    Limits,
    read_answer,
    read_question,
    write_question,
)
from vla_attention.serve.batcher import Batcher
from vla_attention.serve.settings import Settings
from vla_attention.serve.worker import ExpiredError, Job, Worker

ROOT = Path(__file__).parents[2]
IMAGE = np.full((64, 96, 3), 90, np.uint8)


def job(*phrases: str, patience: float = 60.0) -> Job:
    return Job(read_question(write_question(phrases, IMAGE, patience), Limits()))


def ask(url: str, *phrases: str, patience: float = 60.0):
    link = Link(url)
    try:
        data = link.post(GROUND_PATH, write_question(phrases, IMAGE, patience), TYPE, 60)
        return read_answer(data, phrases, (96, 64))
    finally:
        link.close()


def health(url: str) -> dict:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request('GET', '/v1/health')
    return json.loads(connection.getresponse().read())


# ---- the worker


def test_phrases_are_encoded_once_whoever_asks():
    backend = FakeBackend()
    worker = Worker(backend)
    worker.work([job('cup'), job('cup'), job('접시')])
    worker.work([job('cup')])
    assert backend.encoded == [('cup',), ('접시',)]
    assert worker.counts()['phrases in en'] == 3 and worker.counts()['phrases in ko'] == 1


def test_one_failure_does_not_cost_the_others_their_answers():
    results = Worker(FakeBackend()).work([job('cup'), job('trouble'), job('plate')])
    assert results[0].maps.phrases == ('cup',) and results[2].maps.phrases == ('plate',)
    assert isinstance(results[1], RuntimeError)


def test_who_no_longer_waits_is_not_worked_for():
    backend = FakeBackend()
    results = Worker(backend).work([job('cup', patience=1e-9), job('plate')])
    assert isinstance(results[0], ExpiredError)
    assert backend.attended == [('plate',)]


class ManyBackend(FakeBackend):
    """Takes several images at once."""

    def attend_many(self, images, encoded):
        if any('trouble' in phrases for phrases in encoded):
            raise RuntimeError('out of memory')
        self.batches = [*getattr(self, 'batches', []), len(images)]
        return [self.attend(image, phrases) for image, phrases in zip(images, encoded, strict=True)]


def test_a_backend_that_takes_many_images_gets_them_at_once():
    backend = ManyBackend()
    results = Worker(backend).work([job('cup'), job('plate'), job('cup', patience=1e-9)])
    assert backend.batches == [2]
    assert [result.about['batch'] for result in results[:2]] == ['2', '2']
    results = Worker(backend).work([job('cup'), job('trouble')])
    assert results[0].maps.phrases == ('cup',) and isinstance(results[1], RuntimeError)


def test_a_batch_that_fails_is_told_and_the_next_one_is_worked_on():
    def work(jobs):
        raise MemoryError('no room')

    async def ask_twice():
        batcher = Batcher(work, wait=0)
        running = asyncio.create_task(batcher.run())
        results = [await batcher(job('cup')), await batcher(job('plate'))]
        running.cancel()
        return results
    assert [str(result) for result in asyncio.run(ask_twice())] == ['no room', 'no room']


# ---- over HTTP


def test_robots_that_ask_at_the_same_time_share_a_batch():
    backend = FakeBackend()
    with pool(backend, batch=8) as url:
        backend.gate.clear()
        backend.began.clear()
        with ThreadPoolExecutor(5) as robots:
            first = robots.submit(ask, url, 'cup')
            assert backend.began.wait(30)
            rest = [robots.submit(ask, url, *phrases) for phrases in (('plate',), ('컵',), ('spoon', 'fork'))]
            while health(url)['waiting'] < 4:
                pass
            backend.gate.set()
            assert first.result().about['batch'] == '1'
            answers = [each.result() for each in rest]
        assert {answer.about['batch'] for answer in answers} == {'3'}
        assert [answer.maps.phrases for answer in answers] == [('plate',), ('컵',), ('spoon', 'fork')]
        said = health(url)
        assert said['answered'] == 4 and said['largest batch'] == 3 and said['status'] == 'ok'


def status_of(url: str, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())['error']


def test_what_is_refused_says_why():
    with pool(FakeBackend(), megabytes=0.1) as url:
        status, reason = status_of(url, 'POST', GROUND_PATH, b'nonsense')
        assert status == 400 and 'no safetensors' in reason
        status, reason = status_of(url, 'POST', GROUND_PATH, bytes(200000))
        assert status == 413 and '104857 bytes' in reason
        assert status_of(url, 'GET', GROUND_PATH)[0] == 405
        assert status_of(url, 'GET', '/etc/passwd')[0] == 404
        with pytest.raises(RemoteError, match='status 500: RuntimeError in the worker'):
            ask(url, 'trouble')
        with pytest.raises(RemoteError, match='status 504'):
            ask(url, 'cup', patience=1e-9)
        assert ask(url, 'cup').maps.phrases == ('cup',)


def test_a_full_pool_refuses_at_once():
    backend = FakeBackend()
    with pool(backend, waiting=1) as url:
        backend.gate.clear()
        backend.began.clear()
        with ThreadPoolExecutor(1) as robot:
            first = robot.submit(ask, url, 'cup')
            assert backend.began.wait(30)
            with pytest.raises(RemoteError, match='status 503: 1 questions wait already'):
                ask(url, 'plate')
            backend.gate.set()
            assert first.result().maps.phrases == ('cup',)


def test_a_robot_that_hangs_up_does_no_harm():
    backend = FakeBackend()
    with pool(backend) as url:
        backend.gate.clear()
        for _ in range(3):
            with pytest.raises(RemoteError, match='in time'):
                Link(url).post(GROUND_PATH, write_question(('cup',), IMAGE, 60), TYPE, 0.05)
        backend.gate.set()
        assert ask(url, 'cup').maps.phrases == ('cup',)


def test_a_robot_that_stops_in_the_middle_takes_nobodys_place():
    with pool(FakeBackend(), waiting=1) as url, stopped_upload(url), stopped_upload(url):
        assert ask(url, 'cup').maps.phrases == ('cup',)


def test_a_question_that_does_not_come_to_its_end_is_refused(monkeypatch):
    monkeypatch.setattr('vla_attention.serve.service.BODY_SECONDS', 1.0)
    with pool(FakeBackend()) as url, stopped_upload(url) as connection:
        response = b''.join(iter(lambda: connection.recv(1000), b''))      # till the pool hangs up
        assert response.startswith(b'HTTP/1.1 408') and b'did not come within 1 s' in response


def test_questions_on_their_way_have_a_bound_together(monkeypatch):
    whole = len(write_question(('cup',), IMAGE, 60))
    monkeypatch.setattr('vla_attention.serve.service.MOST_COMING', whole + 500)

    def reason() -> str:
        try:
            ask(url, 'cup')
        except RemoteError as error:
            return str(error)
        return ''

    with pool(FakeBackend()) as url:
        with stopped_upload(url, b'x' * 1000):
            until(lambda: 'on their way already' in reason())
        until(lambda: not reason())


def test_what_is_nested_too_deeply_is_refused():
    texts = {'protocol': '1', 'patience': '1', 'phrases': '[' * 100000}
    with pool(FakeBackend()) as url:
        status, reason = status_of(url, 'POST', GROUND_PATH, save({'image': IMAGE}, texts))
        assert status == 400 and 'nested too deeply' in reason


def test_a_refusal_is_short_whatever_was_asked():
    texts = {'protocol': 'x' * 100000, 'patience': '1', 'phrases': '[]'}
    with pool(FakeBackend()) as url:
        status, reason = status_of(url, 'POST', GROUND_PATH, save({'image': IMAGE}, texts))
        assert status == 400 and 'protocol is' in reason and len(reason) <= 200


SERVE = """
import sys
from remote_pool import FakeBackend
from vla_attention.serve import service, single
from vla_attention.serve.settings import Settings
service.BODY_SECONDS, single.ENDING = 600, 1
single.run(FakeBackend(), Settings(), '127.0.0.1', int(sys.argv[1]))
"""


def test_the_service_ends_though_a_robot_has_stopped_in_the_middle():
    url = free_url()
    process = subprocess.Popen([sys.executable, '-c', SERVE, url.rpartition(':')[2]],
                               cwd=Path(__file__).parent)
    try:
        until_healthy(url, process)
        with stopped_upload(url):
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()


# ---- settings and command


@pytest.mark.parametrize(('given', 'says'), [
    ({'batch': 0}, 'batch is 0'), ({'batch_wait': -1}, 'batch_wait is -1'),
    ({'waiting': 'x'}, "waiting is 'x'"),
    ({'megabytes': float('nan')}, 'megabytes is nan'), ({'backend': 'remote'}, "backend is 'remote'"),
    ({'replicas': 3}, 'no setting replicas'),
])
def test_bad_settings_are_named(given, says):
    with pytest.raises(ValueError, match=says):
        Settings.of(given)


@pytest.mark.parametrize(('arguments', 'says'), [
    (['--backend', 'nothing'], "no backend 'nothing'"),
    (['--engine', 'single', '--replicas', '2'], '--replicas'),
    (['--port', '99999'], '--port'),
    (['--batch', '0'], 'batch is 0'),
])
def test_the_command_refuses_what_it_cannot_do(capsys, arguments, says):
    assert main(['serve', *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize('engine', ['single', 'ray'])
def test_the_command_refuses_a_token_that_no_header_can_have(monkeypatch, capsys, engine):
    monkeypatch.setenv(TOKEN, 's3cr3t\nof the fleet')
    monkeypatch.setattr('vla_attention.cli.serve.find_spec', lambda name: name)     # as if Ray were there
    assert main(['serve', '--engine', engine]) == 2
    said = capsys.readouterr().err
    assert 'printable ASCII' in said and 's3cr3t' not in said


def test_no_thread_is_left_behind():
    with pool(FakeBackend()) as url:
        ask(url, 'cup')
    assert not [each for each in threading.enumerate() if each.name.startswith('worker')]


# ---- Ray


def test_the_config_file_is_one_that_ray_takes():
    schema = pytest.importorskip('ray.serve.schema', reason='Ray (extra [serve]) is not installed')
    from vla_attention.serve.pool import build
    config = yaml.safe_load((ROOT / 'config' / 'serve.yaml').read_text())
    application = schema.ServeDeploySchema(**config).applications[0]
    assert application.import_path == f'{build.__module__}:build'
    assert build(application.args)
    with pytest.raises(ValueError, match='no setting replicas'):
        build({'replicas': 2})


def test_the_config_file_has_settings_that_there_are():
    config = yaml.safe_load((ROOT / 'config' / 'serve.yaml').read_text())
    assert Settings.of(config['applications'][0]['args']).batch == 8


def test_robots_share_a_pool_on_ray():
    pytest.importorskip('ray', reason='Ray (extra [serve]) is not installed')
    url = free_url()
    process = subprocess.Popen([sys.executable, '-m', 'vla_attention.cli', 'serve', '--engine', 'ray',
                                '--port', url.rpartition(':')[2], '--cpus', '0.5', '--batch-wait', '500'])
    try:
        until_healthy(url, process)
        with ThreadPoolExecutor(3) as robots:
            answers = list(robots.map(lambda phrase: ask(url, phrase), ('cup', '접시', 'spoon')))
        assert [answer.maps.phrases for answer in answers] == [('cup',), ('접시',), ('spoon',)]
        assert max(int(answer.about['batch']) for answer in answers) > 1
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(120) in (0, 130)


def free_url() -> str:
    with socket.create_server(('127.0.0.1', 0)) as free:
        return f'http://127.0.0.1:{free.getsockname()[1]}'


def until_healthy(url: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + 400
    while time.monotonic() < end:
        assert process.poll() is None, 'the pool did not start'
        try:
            if health(url)['status'] == 'ok':
                return
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            time.sleep(0.2)
    raise AssertionError('the pool did not answer in time')
