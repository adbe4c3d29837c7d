"""The one node that a program speaks to: HTTP on loopback, with the token of its data directory.

Invariant: a request is sent again only if sending it twice does no more than once. A node that was restarted
has another port and token, so both are read anew before each further attempt; in between it is waited longer
each time, and not longer than `patience_s` in all. No proxy is asked and no redirect followed, and the token
is sent to loopback only.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Union
from urllib.parse import urlsplit

from .errors import BadAnswer, BrokenOff, DugnadError, NoNode, Refused, WrongToken

API_FILE = "api.json"
TOKEN_FILE = "api.token"
# How long an answer may take where nothing is streamed, s.
ANSWER_S_MAX = 120.0
# Silence on a stream of events after which the node is held for dead, s; it gives a sign every 10 s.
SILENCE_S_MAX = 60.0
# How long a token may be of another node than the address beside it, s.
TOKEN_S_MAX = 1.0
# The first pause between two attempts, s, and the longest.
PAUSE_S_MIN, PAUSE_S_MAX = 0.05, 5.0
# What an exchange that broke off raises.
BROKEN = (OSError, http.client.HTTPException)


def data_dir_default() -> Path:
    """`$DUGNAD_DATA_DIR`, else `~/.local/share/dugnad`."""
    named = os.environ.get("DUGNAD_DATA_DIR")
    if named:
        return Path(named)
    home = os.environ.get("HOME")
    if not home:
        raise DugnadError("no data directory: set DUGNAD_DATA_DIR or HOME")
    return Path(home) / ".local" / "share" / "dugnad"


class Address:
    """Where a node's API is, and the key to it."""

    def __init__(self, host: str, port: int, token: str, pid: int, peer: str) -> None:
        self.host, self.port, self.token, self.pid, self.peer = host, port, token, pid, peer

    @classmethod
    def read(cls, data_dir: Path) -> Address:
        """What a running node leaves in its data directory."""
        if not data_dir.is_dir():
            raise NoNode(data_dir, "there is no such directory")
        try:
            api = json.loads((data_dir / API_FILE).read_text())
            token = (data_dir / TOKEN_FILE).read_text().strip()
        except FileNotFoundError as missing:
            raise NoNode(data_dir) from missing
        except (OSError, ValueError) as error:
            raise DugnadError(f"{data_dir} does not say where its node is: {error}") from error
        try:
            url, pid, peer = urlsplit(api["url"]), int(api["pid"]), str(api["peer"])
            host, port = url.hostname, url.port
            if url.scheme != "http" or host is None or port is None:
                raise ValueError(f"no address is {api['url']!r}")
        except (KeyError, TypeError, ValueError) as error:
            problem = f"{data_dir / API_FILE} does not say where the node is: {error!r}"
            raise DugnadError(f"{problem} (restart the node)") from error
        if not _is_loopback(host):
            raise DugnadError(f"{data_dir / API_FILE} names {host}, which is not this machine")
        if not token or not (token.isascii() and token.isprintable()) or " " in token:
            raise DugnadError(f"{data_dir / TOKEN_FILE} holds no token (restart the node)")
        return cls(host, port, token, pid, peer)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_pass(error: DugnadError, once: bool = False) -> bool:
    """Whether asking again may help: the node is starting anew, or has too much to do just now."""
    if isinstance(error, Refused):
        return error.status == 503
    return isinstance(error, NoNode) or (isinstance(error, BrokenOff) and not once)


class Patience:
    """Pauses that grow, until there is no time left."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """All went well again."""
        self._until = time.monotonic() + self._seconds
        self._pause = PAUSE_S_MIN

    def wait(self) -> bool:
        """Waits a little; false where there is no time left for it."""
        if time.monotonic() + self._pause > self._until:
            return False
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, PAUSE_S_MAX)
        return True


class _Connection(http.client.HTTPConnection):
    """A connection, and the token that was read with its address."""

    def __init__(self, address: Address, timeout_s: Optional[float]) -> None:
        super().__init__(address.host, address.port, timeout=timeout_s)
        self.token = address.token

    def __del__(self) -> None:
        # One is kept for each thread, and goes when that does.
        self.close()


class Stream:
    """The body of an answer as it comes. `close` may be called by another thread, and ends a waiting read."""

    def __init__(self, connection: _Connection, route: str) -> None:
        self.route = route
        self._connection = connection
        self._response = connection.getresponse()

    @property
    def status(self) -> int:
        return self._response.status

    def read(self, length: int) -> bytes:
        """So many bytes; nothing at the end of the stream, an error if it ends in between."""
        whole = bytearray()
        while len(whole) < length:
            # Whatever length was announced: no more is reserved than has come.
            piece = self._response.read(min(length - len(whole), 1 << 20))
            if not piece:
                if whole:
                    raise BrokenOff(self.route, "the stream ends within a result")
                return b""
            whole += piece
        return bytes(whole)

    def lines(self, longest: int) -> Iterator[bytes]:
        """The lines until the stream ends."""
        while True:
            line = self._response.readline(longest + 1)
            if not line:
                return
            if len(line) > longest:
                raise BadAnswer(self.route, "a line without end")
            yield line

    def rest(self) -> bytes:
        return self._response.read()

    def close(self) -> None:
        link = self._connection.sock
        if link is not None:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It is closed already.
        self._connection.close()


class Node:
    """Sends requests to the node of a data directory."""

    def __init__(self, data_dir: Union[None, str, Path], patience_s: float) -> None:
        self.data_dir = data_dir_default() if data_dir is None else Path(data_dir)
        self.patience_s = patience_s
        self._kept = threading.local()

    def address(self) -> Address:
        """Where it is now."""
        return Address.read(self.data_dir)

    def json(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        body_bytes: Optional[bytes] = None,
        once: bool = False,
        patience_s: Optional[float] = None,
    ) -> Any:
        """One exchange whose answer is JSON; what is sent is JSON, too, or bytes."""
        sent = body_bytes if body is None else json.dumps(body).encode()
        answer = self.exchange(method, path, sent, once=once, patience_s=patience_s)
        try:
            return json.loads(answer)
        except ValueError as error:
            raise BadAnswer(f"{method} {path}", str(error)) from error

    def exchange(
        self,
        method: str,
        path: str,
        body: Optional[bytes] = None,
        *,
        once: bool = False,
        patience_s: Optional[float] = None,
    ) -> bytes:
        """One exchange; `once`: what may have arrived must not be sent again."""
        patience = Patience(self.patience_s if patience_s is None else patience_s)
        moment = Patience(min(TOKEN_S_MAX, self.patience_s))
        while True:
            try:
                return self._exchange(method, path, body)
            except WrongToken:
                # A node that starts anew writes its token, then its address.
                if not moment.wait():
                    raise
            except DugnadError as error:
                if not may_pass(error, once) or not patience.wait():
                    raise

    def stream(self, path: str, *, silence_s: Optional[float] = SILENCE_S_MAX) -> Stream:
        """An answer that comes bit by bit; it is for the caller to ask again where it breaks off."""
        connection = self._connect(silence_s)
        return self._ask(connection, "GET", path, None)

    def _exchange(self, method: str, path: str, body: Optional[bytes]) -> bytes:
        kept: Optional[_Connection] = getattr(self._kept, "connection", None)
        self._kept.connection = None
        if kept is not None and not _is_idle(kept):
            kept.close()
            kept = None
        connection = kept or self._connect(ANSWER_S_MAX)
        stream = self._ask(connection, method, path, body)
        try:
            answer = stream.rest()
        except BROKEN as error:
            connection.close()
            raise BrokenOff(stream.route, str(error) or type(error).__name__) from error
        self._kept.connection = connection
        return answer

    def _connect(self, timeout_s: Optional[float]) -> _Connection:
        address = self.address()
        connection = _Connection(address, timeout_s)
        try:
            connection.connect()
        except OSError as error:
            raise NoNode(self.data_dir, f"nobody answers at its address: {error}") from error
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _ask(
        self, connection: _Connection, method: str, path: str, body: Optional[bytes]
    ) -> Stream:
        route = f"{method} {path.split('?')[0]}"
        headers: Dict[str, str] = {"Authorization": f"Bearer {connection.token}"}
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        try:
            connection.request(method, path, body=body, headers=headers)
            stream = Stream(connection, route)
        except BROKEN as error:
            connection.close()
            raise BrokenOff(route, str(error) or type(error).__name__) from error
        if stream.status == 200:
            return stream
        raise self._refusal(stream, route)

    def _refusal(self, stream: Stream, route: str) -> DugnadError:
        try:
            body = stream.rest()
        except BROKEN as error:
            return BrokenOff(route, str(error))
        finally:
            stream.close()
        if stream.status == 401:
            return WrongToken(self.data_dir)
        try:
            reason = str(json.loads(body)["error"])
        except (ValueError, KeyError, TypeError):
            reason = f"HTTP status {stream.status}"
        return Refused(route, stream.status, reason)


def _is_idle(connection: _Connection) -> bool:
    """Whether a kept connection still stands: one that the node has closed can be read from."""
    link = connection.sock
    if link is None:
        return False
    try:
        link.setblocking(False)
        link.recv(1, socket.MSG_PEEK)
        return False  # Bytes, or an end, that nobody asked for.
    except (BlockingIOError, InterruptedError):
        link.settimeout(ANSWER_S_MAX)
        return True
    except OSError:
        return False
