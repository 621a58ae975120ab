"""The remote backend: what goes over the network, what is refused, and what happens when the pool is away."""

from __future__ import annotations

import contextlib
import json
import socket
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

pytest.importorskip('uvicorn', reason='the extra [serve] is not installed')

from remote_pool import FakeBackend, pool, remote, until

from vla_attention.grounding import BackendError, make_backend
from vla_attention.grounding.remote import TOKEN, NoFallback, RemoteBackend
from vla_attention.grounding.remote_breaker import CircuitBreaker
from vla_attention.grounding.remote_link import Link, RemoteError, pack
from vla_attention.grounding.remote_protocol import (
    GROUND_PATH,
    TYPE,
    Answer,
    Limits,
    ProtocolError,
    read_answer,
    read_question,
    write_answer,
    write_question,
)

IMAGE = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
PHRASES = ('cup', '빨간 접시')
LIMITS = Limits()


# ---- what goes over the network


def test_a_question_with_raw_pixels_arrives_as_it_was():
    question = read_question(write_question(PHRASES, IMAGE, 0.5), LIMITS)
    assert question.phrases == PHRASES
    assert question.languages == ('en', 'ko')
    assert question.patience == 0.5
    np.testing.assert_array_equal(question.image, IMAGE)


def test_a_question_with_jpeg_is_smaller_and_alike():
    smooth = np.repeat(np.linspace(0, 255, 128, dtype=np.uint8)[None, :, None], 96, 0).repeat(3, 2)
    data = write_question(PHRASES, smooth, 0.5, jpeg_quality=90)
    assert len(data) < len(write_question(PHRASES, smooth, 0.5)) / 5
    assert np.abs(read_question(data, LIMITS).image.astype(int) - smooth).mean() < 3


def test_an_answer_arrives_within_the_rounding():
    maps = FakeBackend().attend(np.zeros((480, 640, 3), np.uint8), PHRASES)
    answer = read_answer(write_answer(Answer(maps, {'batch': '2'})), PHRASES, (640, 480))
    assert answer.about == {'batch': '2'}
    got = answer.maps
    assert (got.phrases, got.image_size, got.word_texts) == (maps.phrases, maps.image_size, maps.word_texts)
    for ours, theirs in [(got.maps, maps.maps), (got.presence, maps.presence), (got.masks, maps.masks),
                         *zip(got.words, maps.words, strict=True), *zip(got.boxes, maps.boxes, strict=True),
                         *((got.heads[name], head) for name, head in maps.heads.items())]:
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=0.5 / 255 + 1e-6)


def test_a_map_that_is_no_map_is_not_sent():
    maps = FakeBackend().attend(IMAGE, PHRASES)
    maps.maps[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match='maps lie in nan'):
        write_answer(Answer(maps))


def test_the_answer_to_another_question_is_refused():
    data = write_answer(Answer(FakeBackend().attend(IMAGE, PHRASES)))
    with pytest.raises(ProtocolError, match='not to'):
        read_answer(data, ('spoon', 'plate'), (128, 96))
    with pytest.raises(ProtocolError, match='not to'):
        read_answer(data, PHRASES, (640, 480))


def question(image=IMAGE, **changes) -> bytes:
    texts = {'protocol': '1', 'patience': '0.5',
             'phrases': json.dumps([{'text': 'cup', 'language': 'en'}]), **changes}
    return save({'image': np.ascontiguousarray(image)}, texts)


def huge_jpeg() -> np.ndarray:
    """Return a JPEG of a few hundred bytes whose header says 9000x9000."""
    data = bytearray(read_jpeg_of(IMAGE[:32, :32]))
    at = data.index(b'\xff\xc0')
    data[at + 5:at + 9] = (9000).to_bytes(2, 'big') * 2
    return np.frombuffer(bytes(data), np.uint8)


def read_jpeg_of(image: np.ndarray) -> bytes:
    import cv2
    return cv2.imencode('.jpg', image)[1].tobytes()


@pytest.mark.parametrize(('data', 'says'), [
    (question(protocol='99'), "protocol is '99'"),
    (question(patience='soon'), "patience is 'soon'"),
    (question(patience='nan'), 'patience is nan'),
    (question(patience='-1'), 'patience is -1'),
    (question(phrases='[]'), '0 phrases'),
    (question(phrases='{'), 'no list'),
    (question(phrases='[1]'), 'no list'),
    (question(phrases='[' * 100000), 'nested too deeply'),
    (question(phrases='[{"text": "\\ud800", "language": "en"}]'), 'surrogates'),
    (question(phrases=json.dumps([{'text': 'x' * 2001, 'language': 'en'}])), '1 to 2000 characters'),
    (question(phrases=json.dumps([{'text': 'x', 'language': 'fr'}])), "language is 'fr'"),
    (question(phrases=json.dumps([{'text': 'x', 'language': 'en'}] * 33)), '33 phrases'),
    (question(IMAGE.astype(np.float32)), 'no uint8 array'),
    (question(IMAGE[:8]), 'at least 32 pixels'),
    (question(IMAGE[..., 0]), r'\(H, W, 3\)'),
    (question(np.zeros(100, np.uint8)), 'no JPEG'),
    (question(huge_jpeg()), '9000x9000'),
    (save({'image': IMAGE.astype(np.int16)}, {'protocol': '1'}), 'dtype'),
    (b'', 'no safetensors'),
    (b'\x80\x04\x95', 'no safetensors'),
])
def test_what_is_no_question_is_refused_and_says_why(data, says):
    with pytest.raises(ProtocolError, match=says):
        read_question(data, LIMITS)


def test_a_question_beyond_the_limits_is_refused():
    data = write_question(PHRASES, IMAGE, 1)
    with pytest.raises(ProtocolError, match='1000 are allowed'):
        read_question(data, Limits(bytes=1000))
    with pytest.raises(ProtocolError, match='128x96'):
        read_question(data, Limits(pixels=1000))
    with pytest.raises(ProtocolError, match='128x96'):
        read_question(write_question(PHRASES, IMAGE, 1, jpeg_quality=90), Limits(pixels=1000))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bytes_that_were_changed_are_read_or_refused(data):
    sent = bytearray(data.draw(st.sampled_from([
        write_question(PHRASES, IMAGE[:32, :32], 1, jpeg_quality=50),
        write_answer(Answer(FakeBackend().attend(IMAGE, PHRASES)))])))
    header = 8 + int.from_bytes(sent[:8], 'little')
    for at in data.draw(st.lists(st.integers(0, header + 40), max_size=4)):
        sent[at] = data.draw(st.integers(0, 255))
    sent = bytes(sent[:data.draw(st.sampled_from([len(sent), header, header + 5, 20]))])
    for read in (lambda: read_question(sent, LIMITS), lambda: read_answer(sent, PHRASES, (128, 96))):
        try:
            read()
        except ProtocolError as error:
            assert str(error)


# ---- one request


class Server:
    """A server of one connection that does what a script says; no HTTP library would do such things."""

    def __init__(self, script) -> None:
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.url = f'http://127.0.0.1:{self.socket.getsockname()[1]}'
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(script,), daemon=True)
        self._thread.start()

    def _run(self, script) -> None:
        connection, _ = self.socket.accept()
        with connection:
            asked = b''
            while not asked.endswith(b'?'):     # what is left unread resets the connection
                asked += connection.recv(65536)
            with contextlib.suppress(OSError):      # the other side has hung up, as it should
                script(connection, self.over)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self._thread.join(10)
        self.socket.close()


def silent(connection, over):
    over.wait(30)


def dripping(connection, over):
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n')
    while not over.wait(0.02):
        connection.sendall(b'.')    # each wait for the network is short; there is no end to them


def answering(head: bytes, body: bytes):
    return lambda connection, over: connection.sendall(
        b'HTTP/1.1 ' + head + b'\r\nContent-Length: %d\r\n\r\n' % len(body) + body)


@pytest.mark.parametrize(('script', 'says'), [
    (silent, 'no answer in time'),
    (dripping, 'no answer in time'),
    (answering(b'503 Busy', b'{"error": "64 questions wait"}'), 'status 503: 64 questions wait'),
    (answering(b'302 Found\r\nLocation: http://127.0.0.1:1/', b''), 'status 302'),
    (answering(b'200 OK\r\nContent-Encoding: gzip', b'no gzip'), 'no gzip'),
    (answering(b'200 OK\r\nContent-Encoding: gzip', pack(b'x' * 1000)[:-9]), 'cut short'),
    (answering(b'200 OK\r\nContent-Encoding: gzip', pack(bytes(65 * 2**20))), 'more than'),
    (answering(b'nonsense', b''), 'nonsense'),
    (lambda connection, over: None, 'without response'),
])
def test_whatever_a_server_does_the_request_ends(script, says):
    with Server(script) as server:
        with pytest.raises(RemoteError, match=says) as caught:
            Link(server.url).post('/', b'?', TYPE, 0.3 if says == 'no answer in time' else 10)
        assert server.url in str(caught.value)


def test_after_a_request_that_was_given_up_the_next_one_works():
    with pool(FakeBackend()) as url:
        link = Link(url)
        body = write_question(PHRASES, IMAGE, 1)
        with pytest.raises(RemoteError, match='in time'):
            link.post(GROUND_PATH, body, TYPE, 1e-6)
        until(lambda: link._late is None or not link._late.is_alive())
        assert read_answer(link.post(GROUND_PATH, body, TYPE, 10), PHRASES, (128, 96))
        link.close()


def test_a_connection_that_the_server_has_ended_is_made_again():
    backend = FakeBackend()
    with pool(backend) as url:
        link = Link(url)
        body = write_question(PHRASES, IMAGE, 1)
        link.post(GROUND_PATH, body, TYPE, 10)
        first = link._connection.sock
        first.shutdown(socket.SHUT_RDWR)
        link.post(GROUND_PATH, body, TYPE, 10)
        assert link._connection.sock is not first
        link.close()


@pytest.mark.parametrize('url', ['', 'pool', 'ftp://pool', 'http://', 'http://user:secret@pool', 'http://pool?x',
                                 'http://pool:port'])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(BackendError):
        RemoteBackend(url, fallback=FakeBackend())


@pytest.mark.parametrize('options', [{'timeout': 0}, {'timeout': float('nan')}, {'jpeg_quality': 101}])
def test_bad_options_are_refused_by_name(options):
    with pytest.raises(BackendError, match=next(iter(options))):
        RemoteBackend('http://pool', fallback=FakeBackend(), **options)


# ---- away and back


def test_the_breaker_opens_after_failures_in_a_row_and_waits_longer_each_time():
    breaker = CircuitBreaker(failures=2, first_wait=1, longest_wait=3)
    assert not breaker.failed('a')
    breaker.succeeded()
    assert not breaker.failed('b')
    assert breaker.closed and not breaker.reason
    assert breaker.failed('c')
    assert not breaker.closed and breaker.reason == 'c'
    waits = [breaker.wait]
    for _ in range(3):
        assert not breaker.failed('d')
        waits.append(breaker.wait)
    assert waits == [1, 2, 3, 3]
    breaker.succeeded()
    assert breaker.closed and breaker.wait == 1


def test_the_pool_answers_in_place_of_the_local_backend():
    server = FakeBackend()
    with pool(server) as url:
        backend = remote(url)
        maps = backend.attend(IMAGE, backend.encode(PHRASES))
        assert maps.phrases == PHRASES and maps.maps.max() == 1
        assert server.attended[-1] == PHRASES and not backend.fallback.attended
        assert backend.trouble() == ''
        assert backend.facts()['answered by'] == f'fake on cpu at {url}'
        assert backend.answered_by == 'fake'
        backend.close()


def test_while_the_pool_is_away_every_frame_is_answered_and_afterwards_the_pool_is_back():
    server = FakeBackend()
    with pool(server) as url:
        port = int(url.rpartition(':')[2])
        backend = remote(url)
        first = backend.encode(('cup',))
        backend.attend(IMAGE, first)
        assert server.attended[-1] == ('cup',)
    for _ in range(4):
        backend.attend(IMAGE, first)
    assert len(backend.fallback.attended) == 4
    assert 'the pool is away' in backend.trouble() and 'local answers' in backend.trouble()
    assert backend.facts()['answered by'] == 'local on cpu (fall-back)' and backend.answered_by == 'local'
    second = backend.encode(PHRASES)    # said while the pool was away
    backend.attend(IMAGE, second)
    assert backend.fallback.attended[-1] == PHRASES
    restarted = FakeBackend()
    with pool(restarted, port):
        until(lambda: backend.trouble() == '')
        assert restarted.attended[-1] == PHRASES, 'the probe is the freshest frame'
        count = len(backend.fallback.attended)
        assert backend.attend(IMAGE, second).phrases == PHRASES
        assert len(backend.fallback.attended) == count
        backend.close()
    assert not [each for each in threading.enumerate() if each.name == 'remote-probe' and each.is_alive()]


def test_where_the_pool_alone_will_do_its_silence_is_an_error():
    with pool(FakeBackend()) as url:
        backend = remote(url, fallback=NoFallback())
        encoded = backend.encode(PHRASES)
        assert backend.attend(IMAGE, encoded).phrases == PHRASES
    assert str(NoFallback()) == str(NoFallback())       # bags are known by what they were made with
    for _ in range(3):      # before and after the breaker opens
        with pytest.raises(BackendError, match=r'the pool gave no answer: .*refused'):
            backend.attend(IMAGE, encoded)
    backend.close()


def test_a_pool_that_is_too_slow_counts_as_away():
    server = FakeBackend()
    with pool(server) as url:
        server.gate.clear()
        backend = remote(url, timeout=0.05)
        encoded = backend.encode(('cup',))
        for _ in range(2):
            assert backend.attend(IMAGE, encoded).phrases == ('cup',)
        assert 'no answer in time' in backend.trouble()
        backend.timeout = 5.0
        server.gate.set()
        until(lambda: backend.trouble() == '')
        backend.close()


def test_one_late_answer_is_no_reason_to_leave_the_pool():
    server = FakeBackend()
    with pool(server) as url:
        backend = remote(url, timeout=60.0)
        encoded = backend.encode(('cup',))
        server.gate.clear()
        backend.timeout = 0.05
        backend.attend(IMAGE, encoded)      # answered by the embedded model: the pool's answer is late
        server.gate.set()
        backend.timeout = 60.0
        assert backend.trouble() == ''
        backend.attend(IMAGE, encoded)
        assert backend.facts()['answered by'].startswith('fake')
        backend.close()


def test_a_token_is_asked_for_and_sent(monkeypatch):
    with pool(FakeBackend(), token='secret') as url:
        monkeypatch.delenv(TOKEN, raising=False)
        stranger = remote(url, breaker=CircuitBreaker(failures=1, first_wait=60))
        stranger.attend(IMAGE, stranger.encode(('cup',)))
        assert 'status 401' in stranger.trouble() and TOKEN in stranger.trouble()
        stranger.close()
        monkeypatch.setenv(TOKEN, 'secret')
        friend = remote(url)
        friend.attend(IMAGE, friend.encode(('cup',)))
        assert friend.facts()['answered by'].startswith('fake')
        friend.close()


def test_the_remote_backend_needs_a_url():
    with pytest.raises(BackendError, match='remote_url'):
        make_backend('remote')


def test_no_phrases_need_no_pool():
    with contextlib.closing(RemoteBackend('http://127.0.0.1:9', fallback=NoFallback())) as backend:
        maps = backend.attend(IMAGE, backend.encode([]))
        assert maps.phrases == () and maps.maps.shape == (0, 30, 40) and maps.presence.shape == (0,)
        assert maps.image_size == (128, 96) and backend.trouble() == ''
        with pytest.raises(ValueError, match='image must be'):
            backend.attend(IMAGE[:8], backend.encode([]))
