"""What the remote backend takes from a pool that is broken, of another make, or there half of the time."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

pytest.importorskip('uvicorn', reason='the extra [serve] is not installed')

from remote_pool import FakeBackend, Replies, pool, remote, until

from vla_attention.grounding import BackendError
from vla_attention.grounding.attention_maps import HEADS
from vla_attention.grounding.remote import RECENT, TOKEN
from vla_attention.grounding.remote_breaker import CircuitBreaker
from vla_attention.grounding.remote_link import MOST_TEXT, Link, RemoteError, clean_token, printable
from vla_attention.grounding.remote_protocol import ProtocolError, read_answer

IMAGE = np.zeros((96, 128, 3), np.uint8)
SIZE = (128, 96)
DEEP = '[' * 100000 + ']' * 100000


def answer(said: str | None = None, without: str = '', arrays: dict[str, np.ndarray] | None = None,
           **changes) -> bytes:
    """Return an answer about one cup, with other arrays or other texts than a pool's."""
    maps = np.zeros((1, 30, 40), np.uint8)
    sent = {'maps': maps, 'presence': np.ones(1, np.float32), **{f'head/{name}': maps for name in HEADS},
            **(arrays or {})}
    sent.pop(without, None)
    texts = {'phrases': ['cup'], 'word_texts': [], 'image_size': SIZE, 'about': {}, **changes}
    return save(sent, {'protocol': '1', 'answer': json.dumps(texts) if said is None else said})


def boxes(dtype: type, *values: float) -> dict[str, np.ndarray]:
    return {'boxes/0': np.array([values], dtype)}


# ---- answers that make no sense


@pytest.mark.parametrize(('data', 'says'), [
    (answer(DEEP), 'nested too deeply'),
    (answer(about={'backend': '\ud800'}), 'surrogates'),
    (answer(word_texts=[['\ud800']]), 'surrogates'),
    (answer(arrays={'maps': np.zeros((1, 0, 0), np.uint8),
                    **{f'head/{name}': np.zeros((1, 0, 0), np.uint8) for name in HEADS}}), 'do not fit'),
    (answer(arrays={'maps': np.zeros((1, 30, 700), np.uint8),
                    **{f'head/{name}': np.zeros((1, 30, 700), np.uint8) for name in HEADS}}), 'do not fit'),
    (answer(arrays={'masks': np.zeros((1, 0, 0), np.uint8)}), 'do not fit'),
    (answer(arrays={'masks': np.zeros((1, 4000, 4000), np.uint8)}), 'do not fit'),
    (answer(arrays={'presence': np.full(1, np.nan, np.float32)}), 'not all finite float32'),
    (answer(arrays={'presence': np.full(1, 255, np.uint8)}), r'presence or boxes \(uint8\)'),
    (answer(arrays=boxes(np.float32, 1, 2, 3, 4, np.inf)), 'not all finite float32'),
    (answer(arrays=boxes(np.uint8, 1, 2, 3, 4, 1)), r'presence or boxes \(uint8\)'),
    (answer(without='head/space'), 'no head space'),
])
def test_an_answer_that_makes_no_sense_is_refused(data, says):
    with pytest.raises(ProtocolError, match=says):
        read_answer(data, ('cup',), SIZE)


def test_an_answer_may_have_what_only_some_backends_have():
    maps = np.zeros((1, 30, 40), np.uint8)
    arrays = {'head/decoder_6': maps, 'masks': np.zeros((1, 352, 352), np.uint8),
              **boxes(np.float32, -2, 0, 130, 96, 0.5)}
    got = read_answer(answer(arrays=arrays), ('cup',), SIZE).maps
    assert set(got.heads) == {*HEADS, 'decoder_6'} and got.masks.shape == (1, 352, 352)


@pytest.mark.parametrize('reply', [
    (200, answer(DEEP)), (200, answer(arrays={'masks': np.zeros((1, 0, 0), np.uint8)})),
    (200, b'nonsense'), (500, b'[' * 2000), (500, b'{"error": ' + b'[' * 990 + b']' * 990 + b'}'),
])
def test_whatever_a_pool_sends_the_frame_is_answered_and_probes_go_on(reply):
    with Replies(reply) as server:
        backend = remote(server.url)
        encoded = backend.encode(('cup',))
        for _ in range(3):
            assert backend.attend(IMAGE, encoded).presence[0] == np.float32(0.9)
        assert 'the pool is away' in backend.trouble()
        assert reply[0] == 200 or 'status 500' in backend.trouble()
        until(lambda: server.asked >= 5)    # 2 frames, then probes: one bad answer does not end them
        server.reply = (200, answer())
        until(lambda: backend.trouble() == '')
        assert backend.attend(IMAGE, encoded).presence[0] == 1
        backend.close()


def test_a_failure_that_nobody_thought_of_is_one_of_the_pool(monkeypatch):
    with Replies((200, answer())) as server:
        backend = remote(server.url)
        encoded = backend.encode(('cup',))
        with monkeypatch.context() as broken:
            broken.setattr('vla_attention.grounding.remote.read_answer', lambda *_: {}['surprise'])
            for _ in range(3):
                backend.attend(IMAGE, encoded)
            assert 'surprise' in backend.trouble()
            until(lambda: server.asked >= 5)
        until(lambda: backend.trouble() == '')
        backend.close()


def test_probing_begins_as_soon_as_there_is_a_thread_for_it(monkeypatch):
    import threading
    start = threading.Thread.start

    def refuse(thread):
        if thread.name == 'remote-probe':
            raise RuntimeError("can't start new thread")
        start(thread)

    with Replies((500, b'')) as server:
        backend = remote(server.url)
        encoded = backend.encode(('cup',))
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, 'start', refuse)
            for _ in range(3):
                backend.attend(IMAGE, encoded)
        server.reply = (200, answer())
        assert 'the pool is away' in backend.trouble()
        backend.attend(IMAGE, encoded)
        until(lambda: backend.trouble() == '')
        backend.close()


# ---- texts of strangers


def test_what_a_pool_writes_is_cut_to_what_can_be_shown():
    assert printable('컵\n\x1b[31m\ud800') == '컵  [31m '
    assert len(printable('x' * 5000)) == MOST_TEXT


def test_facts_and_trouble_are_short_whatever_the_pool_says():
    long = 'x' * 100000
    with Replies((200, answer(about={'backend': long, 'device': 'cuda\n0'}))) as server:
        backend = remote(server.url)
        encoded = backend.encode(('cup',))
        backend.attend(IMAGE, encoded)
        said = backend.facts()['answered by']
        assert 'xxx' in said and 'cuda 0' in said and len(said) < 2 * MOST_TEXT
        for reply in ((200, answer(phrases=[long])), (500, json.dumps({'error': f'\n{long}'}).encode())):
            server.reply = reply
            other = remote(server.url, breaker=CircuitBreaker(failures=1, first_wait=60))
            other.attend(IMAGE, encoded)
            assert 'the pool is away' in other.trouble() and len(other.trouble()) < 2 * MOST_TEXT
            assert other.trouble().isprintable()
            other.close()
        backend.close()


# ---- questions that the pool does not take


@pytest.mark.parametrize('status', [400, 413, 422])
def test_a_question_that_is_refused_says_nothing_about_the_pool(status):
    with Replies((status, b'{"error": "33 phrases"}')) as server:
        backend = remote(server.url)
        encoded = backend.encode(('cup',))
        for _ in range(5):
            assert backend.attend(IMAGE, encoded).presence[0] == np.float32(0.9)
        assert server.asked == 5, 'the pool is asked for each frame'
        assert f'does not take this question ({server.url}: status {status}: 33 phrases)' in backend.trouble()
        server.reply = (200, answer())
        assert backend.attend(IMAGE, encoded).presence[0] == 1
        assert backend.trouble() == ''
        backend.close()


def test_a_probe_that_is_refused_has_found_the_pool():
    with Replies((503, b'{"error": "64 wait"}')) as server:
        backend = remote(server.url)
        encoded = backend.encode(('cup',))
        for _ in range(3):
            backend.attend(IMAGE, encoded)
        assert 'the pool is away' in backend.trouble()
        server.reply = (400, b'{"error": "33 phrases"}')
        until(lambda: backend.trouble() == '')
        server.reply = (200, answer())
        assert backend.attend(IMAGE, encoded).presence[0] == 1
        backend.close()


def test_a_phrase_that_no_utf8_carries_is_answered_by_the_fall_back():
    with Replies((200, answer())) as server:
        backend = remote(server.url)
        encoded = backend.encode(('\ud800',))
        for _ in range(3):
            assert backend.attend(IMAGE, encoded).phrases == ('\ud800',)
        assert server.asked == 0 and 'does not take this question (it cannot be sent' in backend.trouble()
        assert backend.attend(IMAGE, backend.encode(('cup',))).presence[0] == 1
        backend.close()


def test_a_pool_that_answers_too_few_frames_is_in_trouble():
    with Replies((200, answer())) as server:
        backend = remote(server.url, breaker=CircuitBreaker(failures=3))
        encoded = backend.encode(('cup',))
        for frame in range(RECENT):
            server.reply = (200, answer()) if frame % 3 == 2 else (500, b'{"error": "out of memory"}')
            backend.attend(IMAGE, encoded)
        assert f'did not answer 14 of the last {RECENT} frames' in backend.trouble()
        assert 'out of memory' in backend.trouble() and 'local did' in backend.trouble()
        server.reply = (200, answer())
        for _ in range(RECENT // 2):
            backend.attend(IMAGE, encoded)
        assert backend.trouble() == ''
        backend.close()


# ---- the token


@pytest.mark.parametrize('token', ['s3cr3t\nof the fleet', 's3cr3t\x00', '비밀', 's3cr3t\ud800'])
def test_a_token_that_no_header_can_have_is_refused_and_not_shown(monkeypatch, token):
    with pytest.raises(ValueError, match='printable ASCII') as caught:
        clean_token(token)
    assert 's3cr3t' not in str(caught.value)
    with pytest.raises(ValueError, match='printable ASCII'):
        Link('http://pool', token=token)
    monkeypatch.setattr('os.environ', {TOKEN: token})
    with pytest.raises(BackendError, match=TOKEN) as caught:
        remote('http://pool')
    assert 's3cr3t' not in str(caught.value)


def test_white_space_around_a_token_is_none_of_it(monkeypatch):
    with pool(FakeBackend(), token='s3cr3t\n') as url:
        monkeypatch.setenv(TOKEN, ' s3cr3t\r\n')
        backend = remote(url)
        backend.attend(IMAGE, backend.encode(('cup',)))
        assert backend.facts()['answered by'].startswith('fake'), backend.trouble()
        backend.close()


def test_a_link_tells_whatever_goes_wrong_in_its_thread(monkeypatch):
    with Replies((200, b'')) as server:
        monkeypatch.setattr('http.client.HTTPConnection.request', lambda *_: {}['surprise'])
        with pytest.raises(RemoteError, match='surprise'):
            Link(server.url).post('/', b'', 'text/plain', 10)
