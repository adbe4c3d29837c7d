"""What can go wrong between a program and the grid: what, where, and what to do about it.

Every error of this package is a `DugnadError`; misuse that Python has a name for (a wrong type, a value
out of range) is a `TypeError` or `ValueError`, as everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional, Union

if TYPE_CHECKING:
    from .job import Job

__all__ = [
    "BadAnswer",
    "BrokenOff",
    "CallFailed",
    "DugnadError",
    "JobCancelled",
    "NoInterpreter",
    "NoNode",
    "OpenGridWarning",
    "Refused",
    "Unsendable",
    "UnitFailed",
    "WrongToken",
]


class DugnadError(Exception):
    """Base of all errors of this package."""


class OpenGridWarning(UserWarning):
    """The grid is open: module, inputs and outputs can be read by anybody."""


class NoNode(DugnadError):
    """No node runs on the data directory, or none answers at its address."""

    def __init__(self, place: Union[str, Path], why: str = "") -> None:
        self.place = str(place)
        reason = f" ({why})" if why else ""
        super().__init__(
            f"no node is running on {self.place}{reason}; start one with `dugnad run`, or name another "
            "data directory: Grid(data_dir=…) or $DUGNAD_DATA_DIR"
        )


class WrongToken(DugnadError):
    """The node does not take the token that lies in its data directory."""

    def __init__(self, place: Union[str, Path]) -> None:
        super().__init__(
            f"the node refuses the token in {Path(place) / 'api.token'}: is another node listening at the "
            "address in api.json? Restart the node of this data directory"
        )


class Refused(DugnadError):
    """The node understood the request and says no."""

    def __init__(self, route: str, status: int, reason: str) -> None:
        self.route, self.status, self.reason = route, status, reason
        super().__init__(f"the node refused {route}: {reason}")


class BrokenOff(DugnadError):
    """The exchange broke off, and did not come about again for as long as it was waited for."""

    def __init__(self, route: str, why: str) -> None:
        self.route = route
        super().__init__(f"{route} broke off: {why} (is the node still running?)")


class BadAnswer(DugnadError):
    """What came back is not what this version of the client understands."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"the answer to {where} makes no sense: {problem} (same version on both sides?)")


class JobCancelled(DugnadError):
    """The job was cancelled before all that was waited for was there."""

    def __init__(self, job: str) -> None:
        self.job_id = job
        super().__init__(f"job {job[:8]} was cancelled")


class Unsendable(DugnadError):
    """A function, or what it needs, cannot run in the Python of the grid. Nothing was sent."""


class NoInterpreter(DugnadError):
    """There is no CPython for WebAssembly to run functions with."""


class UnitFailed(DugnadError):
    """A unit has ended without an output.

    `unit` is its number, `outcome` says how it ended (`exit code 3`, `trap: Unreachable`, `out of fuel`, …),
    `job` is the job it belongs to. `stderr` is what the unit wrote to standard error: nobody sends that
    over the grid, but a unit does the same everywhere, so it is run again here when it is asked for.
    """

    def __init__(
        self,
        unit: int,
        outcome: str,
        *,
        job: Optional[Job] = None,
        stderr: Union[str, Callable[[], str]] = "",
        message: Optional[str] = None,
    ) -> None:
        self.unit, self.outcome, self.job = unit, outcome, job
        self._stderr = stderr
        whose = f" of job {job.id[:8]}" if job is not None else ""
        super().__init__(message or f"unit {unit}{whose} failed: {outcome}")

    @property
    def stderr(self) -> str:
        """What the unit wrote to standard error; empty where that cannot be found out."""
        if callable(self._stderr):
            self._stderr = self._stderr()
        return self._stderr


def printable(text: str) -> str:
    """Foreign text without what could steer a terminal; its lines stay lines."""
    return "".join(one if one in "\n\t" or one.isprintable() else "?" for one in text)


class CallFailed(UnitFailed):
    """A function that was called on the grid raised an exception.

    `index` is the place of its item in the iterable, `type_name` and `text` are those of the exception,
    `traceback` is what Python printed there, `stderr` what the unit had printed until then.
    """

    def __init__(
        self,
        index: int,
        type_name: str,
        text: str,
        traceback: str,
        *,
        unit: int,
        job: Optional[Job] = None,
        stderr: str = "",
    ) -> None:
        self.index, self.type_name, self.text, self.traceback = index, type_name, text, traceback
        said = printable(f"{type_name}: {text}" if text else type_name)
        message = f"the call for item {index} raised {said}\n\n{printable(traceback.rstrip())}"
        super().__init__(unit, said, job=job, stderr=stderr, message=message)
