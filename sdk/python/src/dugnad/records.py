"""What a node says of itself, of jobs and of units, as values.

Fields that a newer node adds are kept in `more`, so nothing it says is lost.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Type, TypeVar

from .errors import BadAnswer

#: How far an answer is proved, least first: `reported` when one peer gave it whose word counts, `checked`
#: when another who could not copy agrees, `released` when it is the verdict.
LEVELS = ("reported", "checked", "released")

T = TypeVar("T")


@dataclass(frozen=True)
class JobStatus:
    """How far a job is."""

    job: str
    #: `running`, `done` (every unit verified), `failed` (some have no output) or `cancelled`.
    state: str
    units: int
    #: Units with an answer that may be relied on.
    verified: int
    #: Units that will have none, or another than exit code 0.
    failed: int
    running: int
    queued: int
    executions: int
    name: str = ""
    work: str = ""
    output_digest: Optional[str] = None
    reported: int = 0
    checked: int = 0
    released: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will change."""
        return self.state != "running"

    @property
    def decided(self) -> int:
        """Units that are verified or failed."""
        return min(self.verified + self.failed, self.units)


@dataclass(frozen=True)
class NodeStatus:
    """How a node is."""

    peer: str
    version: str
    #: Whether it takes part in the grid.
    ready: bool
    #: Peers that it is connected with.
    peers: int
    cores: int
    #: Whether anybody may join its grid.
    open: bool = False
    #: What it waits for; nothing when all is well.
    waiting: Optional[str] = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What is known of a unit."""

    unit: int
    #: See `LEVELS`; nothing if an answer that was told before is taken back and no other is there.
    level: Optional[str]
    #: How its run ended, in a few words.
    outcome: Optional[str] = None
    #: Its standard output, if it ended well and that could be had.
    output: Optional[bytes] = field(default=None, repr=False)
    #: Whether what was told of this unit before holds no longer.
    revised: bool = False
    #: Instructions that it took.
    fuel: Optional[int] = None
    digest: Optional[str] = None

    @property
    def ok(self) -> bool:
        """Whether it ended as was hoped for."""
        return self.outcome == SUCCESS


#: The outcome of a unit that ended well.
SUCCESS = "exit code 0"


def read(kind: Type[T], said: Any, where: str) -> T:
    """A record from JSON."""
    if not isinstance(said, dict):
        raise BadAnswer(where, f"{type(said).__name__} where an object was expected")
    fields = {one.name: one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    known: Dict[str, Any] = {name: said[name] for name in fields if name in said and name != "more"}
    if "more" in fields:
        known["more"] = {name: value for name, value in said.items() if name not in fields}
    required = (name for name, one in fields.items() if one.default is one.default_factory)
    missing = [name for name in required if name not in known]
    if missing:
        raise BadAnswer(where, f"it lacks {', '.join(missing)}")
    for name, value in known.items():
        if not _fits(value, str(fields[name].type)):
            raise BadAnswer(where, f"{name} is {value!r}")
    return kind(**known)


def _fits(value: Any, type_name: str) -> bool:
    if type_name.startswith("Optional["):
        return value is None or _fits(value, type_name[len("Optional[") : -1])
    expected: Dict[str, Any] = {"str": str, "int": int, "bool": bool, "bytes": bytes}
    kind = expected.get(type_name)
    return kind is None or (isinstance(value, kind) and (kind is bool or not isinstance(value, bool)))
