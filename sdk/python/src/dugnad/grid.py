"""The grid as one node shows it: where programs begin.

>>> from dugnad import Grid
>>> grid = Grid()                                             # doctest: +SKIP
>>> grid.map("primes.wasm", [b"1000", b"2000"])               # doctest: +SKIP
[b'168\\n', b'303\\n']
"""

from __future__ import annotations

import html
import os
import warnings
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    TypeVar,
    Union,
)

from . import _frames, records
from ._node import Node
from .calls.run import call as run_call
from .errors import BadAnswer, DugnadError, OpenGridWarning
from .job import Job, table
from .records import LEVELS, JobStatus, NodeStatus

A = TypeVar("A")
B = TypeVar("B")
Module = Union[str, Path, bytes]

# Largest module that nodes run, bytes.
MODULE_BYTES_MAX = 64 << 20
# Most inputs that a job request names itself; beyond, they go into a list of their own.
INPUTS_INLINE_MAX = 4_096
# Most units of a job.
UNITS_MAX = 10_000_000
LIMITS = ("fuel", "memory_mib", "output_bytes")
# Fewest digits of a job's id that stand for it.
PREFIX_DIGITS_MIN = 4


class Grid:
    """The grid, by the node of a data directory: `data_dir`, else `$DUGNAD_DATA_DIR`, else
    `~/.local/share/dugnad`.

    `python_wasm` is the CPython for WebAssembly that `call` runs functions with. Where the node cannot be
    reached for a while, calls wait `patience_s` seconds for it. Safe to share between threads.
    """

    def __init__(
        self,
        data_dir: Union[None, str, Path] = None,
        *,
        python_wasm: Union[None, str, Path] = None,
        patience_s: float = 60.0,
    ) -> None:
        self._node = Node(data_dir, patience_s)
        self._python_wasm = python_wasm
        self._status(patience_s=0)
        self._warned = False

    # ---- the node --------------------------------------------------------------------------

    def status(self) -> NodeStatus:
        """How the node is."""
        return self._status()

    def peers(self) -> List[Dict[str, Any]]:
        """The peers that the node knows, and what it thinks of them."""
        said = self._node.json("GET", "/v1/peers")
        return said if isinstance(said, list) else []

    def jobs(self) -> List[JobStatus]:
        """The jobs that the node knows."""
        said = self._node.json("GET", "/v1/jobs")
        if not isinstance(said, list):
            raise BadAnswer("GET /v1/jobs", "it is no list")
        return [records.read(JobStatus, one, "GET /v1/jobs") for one in said]

    def job(self, id: str) -> Job:
        """The job with this id, or the only one whose id begins so."""
        if len(id) < PREFIX_DIGITS_MIN:
            raise ValueError(f"{id!r} is too short for the id of a job; give {PREFIX_DIGITS_MIN} digits")
        found = [one for one in self.jobs() if one.job.startswith(id.lower())]
        if len(found) != 1:
            raise DugnadError(f"{len(found)} jobs begin with {id!r}; Grid.jobs() lists them")
        return Job(self._node, found[0].job, found[0].units, found[0].name)

    # ---- work ------------------------------------------------------------------------------

    def submit(
        self,
        module: Module,
        inputs: Union[int, Iterable[bytes]],
        *,
        name: Optional[str] = None,
        profile: Optional[str] = None,
        args: Sequence[str] = (),
        env: Optional[Mapping[str, str]] = None,
        seed: int = 0,
        limits: Optional[Mapping[str, int]] = None,
        priority: int = 1,
        deadline_s: int = 0,
        again: bool = False,
    ) -> Job:
        """Submits a job: one unit for each of `inputs`, which is its standard input; or so many units, each
        of which reads its number. The same work submitted twice is one job, unless `again`.

        `profile` says how much proof makes a unit verified (`"quorum=2"`, `"quorum=2+10%"`, `"audited"`,
        `"checked"`); without one the node chooses. `limits` are those of a run: `fuel`, `memory_mib`,
        `output_bytes`.
        """
        limits = _limits(limits)
        title = name if name is not None else _name_of(module)
        program = _module_bytes(module)
        self._warn_if_open()
        request: Dict[str, Any] = {
            "name": title,
            "module": self._upload(program),
            "units": self._units(inputs),
            "seed": seed,
            "args": list(args),
            "env": dict(env or {}),
            "limits": limits,
            "priority": priority,
            "deadline_s": deadline_s,
            "again": again,
        }
        if profile is not None:
            request["profile"] = profile
        said = self._node.json("POST", "/v1/jobs", request, once=again)
        try:
            return Job(self._node, str(said["job"]), int(said["units"]), title)
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer("POST /v1/jobs", repr(error)) from error

    def map(
        self,
        module: Module,
        inputs: Iterable[bytes],
        *,
        profile: str = "quorum=2",
        level: str = "released",
        args: Sequence[str] = (),
        seed: int = 0,
        env: Optional[Mapping[str, str]] = None,
        limits: Optional[Mapping[str, int]] = None,
        name: Optional[str] = None,
        progress: bool = False,
    ) -> List[bytes]:
        """Runs a WASI module over `inputs` and gives the outputs, in the order of the inputs.

        `UnitFailed` for the first unit that is known to have failed; the others run on (`error.job` is the
        job), and calling `map` again finds what is computed by then. `level="checked"` or `"reported"`
        gives outputs sooner that may prove wrong.
        """
        if level not in LEVELS:
            raise ValueError(f"no level is called {level!r}; there are {', '.join(LEVELS)}")
        known = list(inputs)
        if not known:
            return []
        job = self.submit(
            module, known, name=name, profile=profile, args=args, env=env, seed=seed, limits=limits
        )
        return job.outputs(level, progress=progress)

    def call(
        self,
        func: Callable[[A], B],
        iterable: Iterable[A],
        *,
        chunksize: Union[int, str] = "auto",
        python_wasm: Union[None, str, Path] = None,
        profile: str = "quorum=2",
        level: str = "released",
        packages: Sequence[str] = (),
        seed: int = 0,
        limits: Optional[Mapping[str, int]] = None,
        progress: bool = False,
    ) -> List[B]:
        """Calls a Python function for each item on the grid, and gives what it returns, in order.

        What it returns must be plain data: None, bool, int, float, complex, str, bytes, and lists, tuples,
        sets, frozensets and dicts of such; it comes from strangers, and is never unpickled. An exception
        comes back as `CallFailed`, with the traceback and the index of the item.

        Items are packed so that a unit takes five seconds or more: the first unit takes items until it has
        computed for that long, the others as many as that shows to be enough. `packages` names pure-Python
        packages that the function needs and that are not found by looking at it.
        """
        return run_call(
            self.submit,
            func,
            iterable,
            chunksize=chunksize,
            python_wasm=python_wasm if python_wasm is not None else self._python_wasm,
            profile=profile,
            level=level,
            packages=packages,
            seed=seed,
            limits=limits,
            progress=progress,
        )

    # ---- for people ------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Grid by the node on {self._node.data_dir}>"

    def _repr_html_(self) -> str:
        head = f"<b>Dugnad</b> <code>{html.escape(str(self._node.data_dir))}</code>"
        try:
            status = self._status(patience_s=0)
            jobs = self.jobs()
        except DugnadError as error:
            return f"<div>{head}: {html.escape(str(error))}</div>"
        kind = "open" if status.open else "private"
        waits = f"; waits for {html.escape(status.waiting)}" if status.waiting else ""
        node = f"{status.peers} peers, {status.cores} cores of its own, {kind} grid{waits}"
        return f"<div>{head}: {node}{table(jobs[-10:])}</div>"

    # ---- how it is done --------------------------------------------------------------------

    def _status(self, patience_s: Optional[float] = None) -> NodeStatus:
        said = self._node.json("GET", "/v1/status", patience_s=patience_s)
        return records.read(NodeStatus, said, "GET /v1/status")

    def _warn_if_open(self) -> None:
        if not self._warned and self.status().open:
            self._warned = True
            text = "this grid is open: program, inputs and outputs of jobs can be read by anybody"
            warnings.warn(text, OpenGridWarning, stacklevel=3)

    def _upload(self, blob: bytes) -> str:
        said = self._node.json("POST", "/v1/blobs", None, body_bytes=blob)
        return _hash(said.get("blob") if isinstance(said, dict) else None, "POST /v1/blobs")

    def _units(self, inputs: Union[int, Iterable[bytes]]) -> Dict[str, Any]:
        """The units as they are sent; large inputs go one by one, small ones together."""
        if isinstance(inputs, int):
            return {"count": inputs}
        names: List[str] = []
        small: List[bytes] = []
        places: List[int] = []
        waiting = 0
        for at, blob in enumerate(inputs):
            blob = _input_bytes(at, blob)
            names.append("")
            if len(blob) > _frames.BATCH_BLOB_BYTES_MAX:
                names[at] = self._upload(blob)
                continue
            small.append(blob)
            places.append(at)
            waiting += len(blob)
            if waiting >= _frames.BATCH_BYTES_MAX:
                self._upload_small(small, places, names)
                small, places, waiting = [], [], 0
        self._upload_small(small, places, names)
        if not 0 < len(names) <= UNITS_MAX:
            raise ValueError(f"{len(names)} inputs; a job has 1 to {UNITS_MAX:,}")
        if len(names) <= INPUTS_INLINE_MAX:
            return {"inputs": names}
        return {"input_list": self._upload(bytes.fromhex("".join(names)))}

    def _upload_small(self, blobs: List[bytes], places: List[int], names: List[str]) -> None:
        at = 0
        for body, count in _frames.batches(blobs):
            said = self._node.json("POST", "/v1/blobs/batch", None, body_bytes=body)
            hashes = said.get("blobs") if isinstance(said, dict) else None
            if not isinstance(hashes, list) or len(hashes) != count:
                raise BadAnswer("POST /v1/blobs/batch", f"no {count} hashes for {count} blobs")
            for name in hashes:
                names[places[at]] = _hash(name, "POST /v1/blobs/batch")
                at += 1


def _hash(name: Any, where: str) -> str:
    if not isinstance(name, str) or len(name) != 64 or set(name) - set("0123456789abcdef"):
        raise BadAnswer(where, f"{name!r} is no hash")
    return name


def _input_bytes(at: int, blob: Any) -> bytes:
    if isinstance(blob, (bytes, bytearray, memoryview)):
        return bytes(blob)
    raise TypeError(f"input {at} is of type {type(blob).__name__}; inputs are bytes (text.encode()?)")


def _module_bytes(module: Module) -> bytes:
    if isinstance(module, (bytes, bytearray)):
        program, place = bytes(module), "the module"
    elif isinstance(module, (str, os.PathLike)):
        program, place = Path(module).read_bytes(), str(module)
    else:
        raise TypeError(f"a module is a path or bytes, not {type(module).__name__}")
    if not program.startswith(b"\0asm"):
        raise ValueError(f"{place} is no WebAssembly module")
    if len(program) > MODULE_BYTES_MAX:
        raise ValueError(f"{place} has {len(program):,} bytes; nodes run at most {MODULE_BYTES_MAX:,}")
    return program


def _name_of(module: Module) -> str:
    return "python" if isinstance(module, (bytes, bytearray)) else Path(module).stem


def _limits(limits: Optional[Mapping[str, int]]) -> Dict[str, int]:
    unknown = sorted(set(limits or {}) - set(LIMITS))
    if unknown:
        raise ValueError(f"no limit is called {unknown[0]!r}; there are {', '.join(LIMITS)}")
    return {name: int(value) for name, value in (limits or {}).items()}
