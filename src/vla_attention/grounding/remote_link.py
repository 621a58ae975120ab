"""One request over HTTP that never takes longer than it may."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import ssl
import threading
import time
import zlib
from urllib.parse import urlsplit

TOKEN = 'VLA_ATTENTION_TOKEN'   # environment variable: parameters of a node are for all to read
MOST_BYTES = 64 * 2**20     # of an answer, unpacked: maps of 32 phrases are a tenth of it
MOST_TEXT = 200             # characters of a text of the pool that are shown
ENDING = 0.1                # seconds that a request that was given up may take to end; 1 ms as a rule
_OF_THE_QUESTION = (400, 413, 422)      # statuses that another question need not get


class RemoteError(RuntimeError):
    """No answer from the pool; the message says why, as :func:`printable` text."""

    def __init__(self, reason: str) -> None:
        super().__init__(printable(reason))


class QuestionError(RemoteError):
    """The pool is there, but does not take this question; the message says why."""


def printable(text: str) -> str:
    """Return what a stranger wrote as it may be shown: printable, of :data:`MOST_TEXT` characters at most."""
    shown = text if len(text) <= MOST_TEXT else text[:MOST_TEXT - 1] + '…'
    return ''.join(letter if letter.isprintable() else ' ' for letter in shown)


def clean_token(token: str) -> str:
    """Return a token as it goes into a header: without the white space around it, which no header keeps.

    :raises ValueError: it has other characters than printable ASCII; the message does not show it.
    """
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise ValueError(f'the token ({TOKEN}) must have printable ASCII characters alone')
    return token


class Link:
    """A kept-alive connection to one URL; one request at a time, from one thread.

    The exchange runs in a thread of its own: http.client limits each single wait for the network but not
    their sum, and looking a name up not at all.
    """

    def __init__(self, url: str, *, token: str = '') -> None:
        """Take the URL; nothing is connected yet.

        :param url: http:// or https://, host, perhaps port and path.
        :param token: sent as a bearer token where it is not empty.
        :raises ValueError: it is no such URL, or no such token.
        """
        parts = urlsplit(url)
        if parts.scheme not in ('http', 'https') or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f'{url!r} is no URL like http://host:8000')
        if parts.username or parts.password:
            raise ValueError(f'a URL must not carry a password; set {TOKEN}')
        self.url = url.rstrip('/')
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip('/')
        self._tls = ssl.create_default_context() if parts.scheme == 'https' else None
        token = clean_token(token)
        self._headers = {'Authorization': f'Bearer {token}'} if token else {}
        self._connection: http.client.HTTPConnection | None = None
        self._late: threading.Thread | None = None      # of a request that was given up

    def post(self, path: str, body: bytes, content_type: str, timeout: float) -> bytes:
        """Send bytes and return the bytes that come back with status 200.

        :param timeout: seconds from now in which it returns or raises, whatever the network does.
        :raises QuestionError: the other side refuses these bytes, and would perhaps take others.
        :raises RemoteError: nothing came in time, or something else than an answer.
        """
        deadline = time.monotonic() + timeout
        if self._late is not None:
            self._late.join(min(timeout, ENDING))
            if self._late.is_alive():
                raise RemoteError(f'{self.url}: no answer in time: the request before has not ended (is the '
                                  f'name {self._host} being looked up?)')
        self._late = None
        exchange = _Exchange(self, path, body, content_type, deadline)
        thread = threading.Thread(target=exchange.run, name='remote-link', daemon=True)
        thread.start()
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            self._late = thread
            exchange.give_up()
            self._connection = None
            raise RemoteError(f'{self.url}: no answer in time')
        if exchange.error is not None:
            raise exchange.kind(f'{self.url}: {exchange.error}')
        self._connection = exchange.connection
        return exchange.answer

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Exchange:
    """One request and its response."""

    def __init__(self, link: Link, path: str, body: bytes, content_type: str, deadline: float) -> None:
        self._link = link
        self._path = link._path + path
        self._body = body
        self._headers = {'Content-Type': content_type, 'Accept-Encoding': 'gzip', **link._headers}
        self._deadline = deadline
        self.connection = link._connection
        self.answer = b''
        self.error: str | None = None
        self.kind: type[RemoteError] = RemoteError

    def run(self) -> None:
        kept_alive = self.connection is not None
        try:
            try:
                self.answer = self._exchange()
            except (ConnectionError, http.client.BadStatusLine):
                if not kept_alive:
                    raise
                # the server ends connections that rest; asking the same twice does no harm
                self._drop()
                self.answer = self._exchange()
        except RemoteError as error:
            self.error, self.kind = str(error), type(error)
        except TimeoutError:
            self.error = 'no answer in time'
        except Exception as error:      # a thread that dies tells nobody
            self.error = str(error) or type(error).__name__
        if self.error is not None:
            self._drop()

    def give_up(self) -> None:
        """End the exchange from another thread."""
        connection = self.connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)      # wakes whoever waits for it

    def _exchange(self) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError('timed out')
        if self.connection is None:
            link = self._link
            self.connection = (
                http.client.HTTPConnection(link._host, link._port, timeout=left) if link._tls is None else
                http.client.HTTPSConnection(link._host, link._port, timeout=left, context=link._tls))
        elif self.connection.sock is not None:
            self.connection.sock.settimeout(left)
        self.connection.request('POST', self._path, self._body, self._headers)
        with self.connection.getresponse() as response:
            data = response.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise RemoteError(f'an answer of more than {MOST_BYTES} bytes')
            if response.headers.get('Content-Encoding') == 'gzip':
                data = _unpack(data)
            if response.status != 200:
                kind = QuestionError if response.status in _OF_THE_QUESTION else RemoteError
                raise kind(f'status {response.status}: {_reason(data)}')
            return data

    def _drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def pack(data: bytes) -> bytes:
    """Compress as :class:`Link` takes it: maps shrink to about a quarter in a few milliseconds."""
    return gzip.compress(data, 1)


def _unpack(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise RemoteError(f'an answer that is no gzip: {error}') from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise RemoteError(f'an answer cut short, or of more than {MOST_BYTES} bytes')
    return unpacked


def _reason(data: bytes) -> str:
    text = data[:2000].decode('utf-8', 'replace')
    try:
        return str(json.loads(text)['error'])
    except (ValueError, KeyError, TypeError, RecursionError):
        return text
