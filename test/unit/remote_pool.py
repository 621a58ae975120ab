"""A pool of one worker in a thread, and a backend whose answers tell what it was asked."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np
import uvicorn

from vla_attention.grounding import AttentionMaps
from vla_attention.grounding.attention_maps import HEADS
from vla_attention.grounding.remote import RemoteBackend
from vla_attention.grounding.remote_breaker import CircuitBreaker
from vla_attention.grounding.remote_protocol import GROUND_PATH
from vla_attention.serve.settings import Settings
from vla_attention.serve.single import make_app


class FakeBackend:
    """Looks at the left for one-word phrases, at the right for others; slow as its gate is opened."""

    device = 'cpu'

    def __init__(self, name: str = 'fake') -> None:
        self.name = name
        self.gate = threading.Event()
        self.gate.set()
        self.encoded: list[tuple[str, ...]] = []
        self.attended: list[tuple[str, ...]] = []
        self.began = threading.Event()

    def encode(self, phrases):
        self.encoded.append(tuple(phrases))
        return tuple(phrases)

    def attend(self, image, encoded):
        self.began.set()
        assert self.gate.wait(30)
        self.attended.append(encoded)
        if 'trouble' in encoded:
            raise RuntimeError('out of memory')
        count = len(encoded)
        maps = np.zeros((count, 30, 40), np.float32)
        for index, text in enumerate(encoded):
            maps[index, 12:18, 8:12 if len(text.split()) == 1 else 32] = 1
        return AttentionMaps(
            encoded, maps, np.full(count, 0.9, np.float32), (image.shape[1], image.shape[0]),
            heads={name: maps for name in HEADS},
            words=tuple(maps[index:index + 1] for index in range(count)),
            word_texts=tuple((text,) for text in encoded), masks=np.repeat(np.repeat(maps, 4, 1), 4, 2),
            boxes=tuple(np.array([[128, 192, 192, 288, 0.9]], np.float32) for _ in encoded))


@contextmanager
def pool(backend, port: int = 0, *, token: str = '', **settings):
    """Serve a backend on loopback; give its URL."""
    app = make_app(backend, Settings(**settings), token=token)
    server = uvicorn.Server(uvicorn.Config(app, '127.0.0.1', port, log_level='error'))
    ready, startup = threading.Event(), server.startup

    async def tell(*arguments, **options):
        await startup(*arguments, **options)
        ready.set()

    server.startup = tell
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert ready.wait(30) and server.started
    try:
        yield f'http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}'
    finally:
        backend.gate.set()
        server.should_exit = server.force_exit = True
        thread.join(30)
        assert not thread.is_alive()


class Replies:
    """A server of any status and bytes, which are no pool's: set ``reply``, count ``asked``."""

    def __init__(self, reply: tuple[int, bytes]) -> None:
        self.reply = reply
        self.asked = 0
        replies = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                self.rfile.read(int(self.headers['Content-Length']))
                replies.asked += 1
                status, body = replies.reply
                self.send_response(status)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self._server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self._server.server_port}'
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)


def remote(url: str, **options) -> RemoteBackend:
    """Return a backend that asks there, and probes soon."""
    options = {'timeout': 5.0, 'fallback': FakeBackend('local'),
               'breaker': CircuitBreaker(failures=2, first_wait=0.01, longest_wait=0.02), **options}
    return RemoteBackend(url, **options)


def until(condition, seconds: float = 30.0):
    """Wait for a condition of another thread."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@contextmanager
def stopped_upload(url: str, sent: bytes = b'x' * 1000):
    """Begin to send a question, and stop in the middle; the server waits for the rest."""
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=30) as connection:
        connection.sendall(f'POST {GROUND_PATH} HTTP/1.1\r\nHost: pool\r\nContent-Length: 90000\r\n'
                           'Expect: 100-continue\r\n\r\n'.encode())
        assert connection.recv(1000).startswith(b'HTTP/1.1 100'), 'it is being read from now on'
        connection.sendall(sent)
        yield connection
