"""A pool of one worker in a thread, and a backend whose answers tell what it was asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import numpy as np
import uvicorn

from vla_attention.grounding import AttentionMaps
from vla_attention.grounding.attention_maps import HEADS
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
