"""Real nodes on loopback for the tests, and a module that they run.

Invariant: no node outlives its test: nodes end when their standard input closes, and are ended by their
process here. What a test waits for it waits for generously.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Callable, List, Optional, Type, TypeVar

# How long anything is waited for before a test fails, s.
PATIENCE_S = 120.0
T = TypeVar("T")


def program() -> str:
    """The program under test."""
    named = os.environ.get("DUGNAD_BIN")
    built = Path(__file__).resolve().parents[3] / "target" / "release" / "dugnad"
    found = named or (str(built) if built.is_file() else shutil.which("dugnad"))
    if not found:
        raise RuntimeError("no program to test: cargo build --release, or name one in $DUGNAD_BIN")
    return found


def wait_for(what: str, look: Callable[[], Optional[T]]) -> T:
    """Waits until there is something to see."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        seen = look()
        if seen is not None:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"waited in vain for {what}")


class TestNode:
    """A node process; its data stays over restarts."""

    __test__ = False

    def __init__(self, place: Path, name: str, options: List[str]) -> None:
        self.dir = place / name
        self._log = place / f"{name}.log"
        self._options = options
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        command = [program(), "run", "--data-dir", str(self.dir), *self._options]
        command += ["--no-mdns", "--api", "127.0.0.1:0", "--exit-with-stdin"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("DUGNAD_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=env)
        pid = self._process.pid
        wait_for(f"the start of {self.dir.name}", lambda: self._here(pid))

    def command(self, *arguments: str) -> str:
        """Runs a command on it and says what it prints."""
        command = [program(), *arguments, "--data-dir", str(self.dir)]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout.decode()

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None

    def _here(self, pid: int) -> Optional[bool]:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"{self.dir.name} ended at its start: {self._log.read_text()[-2000:]}")
        try:
            named = json.loads((self.dir / "api.json").read_text())["pid"]
            return True if named == pid and self.command("status") else None
        except (OSError, ValueError, KeyError, subprocess.CalledProcessError):
            return None


class TestGrid:
    """A grid of a few nodes with one core each, private unless `open`."""

    __test__ = False

    def __init__(self, count: int, *, open: bool = False) -> None:
        self._place = tempfile.TemporaryDirectory()
        place = Path(self._place.name)
        key = place / "network.key"
        key.write_text("5e" * 32)
        options = ["--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "1"]
        options += ["--work-factor", "0"] if open else ["--network-key", str(key)]
        self.nodes: List[TestNode] = []
        try:
            self.nodes.append(TestNode(place, "node1", options))
            said = json.loads(self.nodes[0].command("status", "--json"))
            bootstrap = next(one for one in said["addresses"] if "/127.0.0.1/" in one)
            for number in range(2, count + 1):
                self.nodes.append(TestNode(place, f"node{number}", [*options, "--bootstrap", bootstrap]))
            wait_for("the peers", self._peers_known)
        except BaseException:
            self.close()
            raise

    @property
    def dir(self) -> Path:
        """The data directory of the last node, which is the scientist's; it finds the others again."""
        return self.nodes[-1].dir

    def _peers_known(self) -> Optional[bool]:
        peers = json.loads(self.nodes[0].command("status", "--json"))["peers"]
        return True if peers >= len(self.nodes) - 1 else None

    def close(self) -> None:
        """Ends the nodes."""
        for node in self.nodes:
            node.kill()
        self._place.cleanup()

    def __enter__(self) -> TestGrid:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


_shared: List[TestGrid] = []


def shared() -> TestGrid:
    """A grid of two nodes for all tests that harm none; it ends with the tests."""
    if not _shared:
        os.environ.setdefault("DUGNAD_BIN", program())
        _shared.append(TestGrid(2))
        atexit.register(_shared[0].close)
    return _shared[0]


def _leb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        if (value == 0 and not byte & 0x40) or (value == -1 and byte & 0x40):
            return bytes(out) + bytes([byte])
        out.append(byte | 0x80)


def _named(name: str) -> bytes:
    return bytes([len(name)]) + name.encode()


def _section(number: int, *entries: bytes) -> bytes:
    body = bytes([len(entries)]) + b"".join(entries)
    return bytes([number]) + _unsigned(len(body)) + body


def _unsigned(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def _const(value: int) -> bytes:
    return b"\x41" + _leb(value)


def echo(rounds: int = 100_000_000) -> bytes:
    """A WASI command that writes what it reads. An input that begins with `!` makes it write `boom` to
    standard error and exit with 3; one with `~` takes `rounds` times round a loop before."""
    store, load, load8 = b"\x36\x02\x00", b"\x28\x02\x00", b"\x2d\x00\x00"
    wasi = "wasi_snapshot_preview1"
    imports = [
        _named(wasi) + _named(name) + b"\x00" + kind
        for name, kind in (("fd_read", b"\x01"), ("fd_write", b"\x01"), ("proc_exit", b"\x02"))
    ]
    read = _const(0) + _const(0) + _const(1) + _const(8) + b"\x10\x00\x1a"
    write = _const(1) + _const(0) + _const(1) + _const(12) + b"\x10\x01\x1a"
    complain = _const(2) + _const(16) + _const(1) + _const(12) + b"\x10\x01\x1a" + _const(3) + b"\x10\x02"
    fail = _const(1024) + load8 + _const(ord("!")) + b"\x46\x04\x40" + complain + b"\x0b"
    loop = b"\x03\x40\x20\x00" + _const(1) + b"\x6a\x22\x00" + _const(rounds) + b"\x49\x0d\x00\x0b"
    spin = _const(1024) + load8 + _const(ord("~")) + b"\x46\x04\x40" + loop + b"\x0b"
    length = _const(4) + _const(8) + load + store
    code = b"\x01\x01\x7f" + read + fail + spin + length + write + b"\x0b"
    data = struct.pack("<IIIIII", 1024, 60_000, 0, 0, 24, 5) + b"boom\n"
    return b"".join(
        [
            b"\0asm\1\0\0\0",
            _section(1, b"\x60\0\0", b"\x60\x04\x7f\x7f\x7f\x7f\x01\x7f", b"\x60\x01\x7f\0"),
            _section(2, *imports),
            _section(3, b"\0"),
            _section(5, b"\0\x02"),
            _section(7, _named("memory") + b"\x02\0", _named("_start") + b"\0\x03"),
            _section(10, _unsigned(len(code)) + code),
            _section(11, b"\0" + _const(0) + b"\x0b" + _unsigned(len(data)) + data),
        ]
    )
