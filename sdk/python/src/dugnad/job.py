"""A job on the grid: how far it is, what it came to, and its results while it runs.

A `Job` holds no results and no connection; the node keeps the job, so a program may end and find it again
with `Grid.job`. What a program computes with is `released` results; those below may prove wrong, and are
told of again when they do.
"""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from . import _frames, records
from ._node import BROKEN, SILENCE_S_MAX, Node, Patience, Stream, may_pass
from ._progress import Bar
from .errors import BadAnswer, BrokenOff, DugnadError, JobCancelled, Refused, UnitFailed
from .records import LEVELS, JobStatus, Result

if TYPE_CHECKING:
    import numpy
    import pandas

# Longest line of events that a node sends, bytes.
LINE_BYTES_MAX = 64 << 10


class Job:
    """A job that the node knows. Made by `Grid.submit` and `Grid.job`."""

    def __init__(self, node: Node, id: str, units: int, name: str) -> None:
        self._node = node
        #: 64 hexadecimal digits.
        self.id = id
        self.units = units
        self.name = name

    # ---- how far it is ---------------------------------------------------------------------

    def status(self) -> JobStatus:
        """How far it is now."""
        path = f"/v1/jobs/{self.id}"
        return records.read(JobStatus, self._node.json("GET", path), f"GET {path}")

    def watch(self) -> Iterator[JobStatus]:
        """How far it is, now and whenever that has changed, until it has ended."""
        path = f"/v1/jobs/{self.id}/events"
        for line in self._unbroken(path, SILENCE_S_MAX, _data_lines):
            try:
                status = records.read(JobStatus, json.loads(line), f"GET {path}")
            except ValueError as error:
                raise BadAnswer(f"GET {path}", str(error)) from error
            yield status
            if status.has_ended:
                return

    def wait(self, *, progress: bool = False) -> JobStatus:
        """Waits until it has ended."""
        status = None
        with Bar(progress, self.units, self.name) as bar:
            for status in self.watch():
                bar.reach(status.decided)
        return status or self.status()

    def cancel(self) -> JobStatus:
        """Ends it, within a moment; what is computed by then stays."""
        path = f"/v1/jobs/{self.id}"
        return records.read(JobStatus, self._node.json("DELETE", path), f"DELETE {path}")

    def explain(self, unit: Optional[int] = None) -> Dict[str, Any]:
        """Why it, or one of its units, stands where it stands; `["text"]` is a sentence."""
        of_unit = "" if unit is None else f"/units/{int(unit)}"
        story = self._node.json("GET", f"/v1/jobs/{self.id}{of_unit}/explain")
        if not isinstance(story, dict):
            raise BadAnswer(f"GET /v1/jobs/{self.id}/explain", "it is no object")
        return story

    # ---- what it came to -------------------------------------------------------------------

    def results(self, level: str = "released") -> Iterator[Result]:
        """What is known of its units at `level` and above, as it becomes known, until the job has ended.

        Released results are final and come once each, in the order in which they are known; a unit that
        failed is one of them (`result.ok` is false). Below, a unit is told of again whenever more is known
        of it; heed `result.revised`. A node that is restarted meanwhile is found again.
        """
        if level not in LEVELS:
            raise ValueError(f"no level is called {level!r}; there are {', '.join(LEVELS)}")
        return self._released() if level == "released" else self._early(level)

    def output(self, unit: int) -> bytes:
        """The released output of one unit; `UnitFailed` if it has none."""
        result = self._late(unit)
        if result is None:
            raise DugnadError(f"unit {unit} of job {self.id[:8]} is not verified yet")
        return self._output_of(result)

    def outputs(self, level: str = "released", *, progress: bool = False) -> List[bytes]:
        """All outputs in unit order, as soon as each unit has one at `level`; `UnitFailed` for the first
        unit that is known to have none."""
        have: Dict[int, bytes] = {}
        with Bar(progress, self.units, self.name) as bar:
            for result in self.results(level):
                if result.level == "released" or (result.ok and result.output is not None):
                    have[result.unit] = self._output_of(result)
                else:
                    have.pop(result.unit, None)
                bar.reach(len(have))
                if len(have) == self.units:
                    return [have[unit] for unit in range(self.units)]
        raise JobCancelled(self.id)

    def stderr(self, unit: int) -> str:
        """What a unit wrote to standard error, found out by running it again here: a unit does the same
        everywhere. Takes as long as the unit does."""
        path = f"/v1/jobs/{self.id}/units/{int(unit)}/log"
        stream = self._node.stream(path, silence_s=None)
        try:
            return str(json.loads(stream.rest())["stderr"])
        except BROKEN as error:
            raise BrokenOff(f"GET {path}", str(error) or type(error).__name__) from error
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(f"GET {path}", repr(error)) from error
        finally:
            stream.close()

    def to_pandas(self, level: str = "released") -> pandas.DataFrame:
        """A row a unit, by its number: `level`, `outcome`, `fuel`, `output`. Waits for the end."""
        import pandas

        last = sorted({one.unit: one for one in self.results(level)}.items())
        rows = [(one.level, one.outcome, one.fuel, one.output) for _, one in last]
        index = pandas.Index([unit for unit, _ in last], name="unit")
        return pandas.DataFrame(rows, index=index, columns=["level", "outcome", "fuel", "output"])

    def to_numpy(self, dtype: Any, level: str = "released") -> numpy.ndarray:
        """The outputs as arrays of `dtype`, one a row; all must be equally long. Waits for the end."""
        import numpy

        rows = [numpy.frombuffer(output, dtype=dtype) for output in self.outputs(level)]
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            raise ValueError(f"the outputs have {min(lengths)} to {max(lengths)} values, and are no table")
        return numpy.stack(rows)

    # ---- for people ------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Job {self.id[:8]} {self.name!r}, {self.units} units>"

    def _repr_html_(self) -> str:
        head = f"<b>{html.escape(self.name)}</b> <code>{html.escape(self.id[:8])}</code>"
        try:
            said = self._node.json("GET", f"/v1/jobs/{self.id}", patience_s=0)
            status = records.read(JobStatus, said, "its status")
        except DugnadError as error:
            return f"<div>{head}: {html.escape(str(error))}</div>"
        counts = f"{status.verified} verified, {status.failed} failed, {status.running} running"
        return (
            f'<div>{head}: {html.escape(status.state)} <progress max="{max(status.units, 1)}" '
            f'value="{status.decided}"></progress> {counts} of {status.units}</div>'
        )

    # ---- how it is done --------------------------------------------------------------------

    def failed(self, unit: int, outcome: Optional[str]) -> UnitFailed:
        """The error for a unit without an output."""

        def stderr() -> str:
            try:
                return self.stderr(unit)
            except DugnadError:
                return ""

        return UnitFailed(unit, outcome or "no output", job=self, stderr=stderr)

    def _output_of(self, result: Result) -> bytes:
        if not result.ok or result.output is None:
            raise self.failed(result.unit, result.outcome)
        return result.output

    def _released(self) -> Iterator[Result]:
        seen: Set[int] = set()
        # One level below, since that stream stays until the job ends.
        for result in self._stream("checked"):
            if result.level != "released" or result.unit in seen:
                continue
            if result.ok and result.output is None:
                late = self._late(result.unit)
                if late is None:
                    continue
                result = late
            seen.add(result.unit)
            yield result
        yield from self._without_answer(unit for unit in range(self.units) if unit not in seen)

    def _early(self, level: str) -> Iterator[Result]:
        told: Dict[int, Tuple[Optional[str], Optional[str], bool]] = {}
        for result in self._stream(level):
            known = (result.level, result.digest, result.output is not None)
            if told.get(result.unit) != known:
                told[result.unit] = known
                yield result
        released = {unit for unit, known in told.items() if known[0] == "released"}
        yield from self._without_answer(unit for unit in range(self.units) if unit not in released)

    def _without_answer(self, units: Iterable[int]) -> Iterator[Result]:
        """What became of units that the stream told nothing final of: too few peers could run them, or agreed."""
        if self.status().state == "cancelled":
            return
        for unit in units:
            late = self._late(unit)
            if late is not None:
                yield late

    def _stream(self, level: str) -> Iterator[Result]:
        path = f"/v1/jobs/{self.id}/outputs?level={level}"
        for result in self._unbroken(path, None, _frames.results):
            if not 0 <= result.unit < self.units:
                raise BadAnswer(f"GET {path}", f"unit {result.unit} of {self.units}")
            yield result

    def _unbroken(self, path: str, silence_s: Optional[float], items: Any) -> Iterator[Any]:
        """What comes by a stream, which is asked for again where it breaks off before the job's end."""
        patience = Patience(self._node.patience_s)
        while True:
            try:
                stream = self._node.stream(path, silence_s=silence_s)
                try:
                    for item in items(stream):
                        patience.renew()
                        yield item
                finally:
                    stream.close()
                if self.status().has_ended:
                    return
                broken: DugnadError = BrokenOff(f"GET {path}", "the stream ended before the job did")
            except BROKEN as error:
                broken = BrokenOff(f"GET {path}", str(error) or type(error).__name__)
            except DugnadError as error:
                broken = error
            if not may_pass(broken) or not patience.wait():
                raise broken

    def _late(self, unit: int) -> Optional[Result]:
        """What a unit came to, asked for by itself; nothing if it is open."""
        path = f"/v1/jobs/{self.id}/units/{int(unit)}/output"
        try:
            output = self._node.exchange("GET", path)
        except Refused as refused:
            _, failed, why = refused.reason.partition(" failed: ")
            if refused.status == 404 and failed:
                return Result(unit, "released", why)
            if refused.status == 404 and "not verified" in refused.reason:
                return None
            raise
        return Result(unit, "released", records.SUCCESS, output)


def _data_lines(stream: Stream) -> Iterator[bytes]:
    for line in stream.lines(LINE_BYTES_MAX):
        if line.startswith(b"data:"):
            yield line[len(b"data:") :]


def table(statuses: Sequence[JobStatus]) -> str:
    """Jobs as a table for notebooks."""
    rows = "".join(
        f"<tr><td><code>{html.escape(one.job[:8])}</code></td><td>{html.escape(one.name)}</td>"
        f"<td>{html.escape(one.state)}</td><td>{one.decided} of {one.units}</td></tr>"
        for one in statuses
    )
    return f"<table><tr><th>job</th><th>name</th><th>state</th><th>units</th></tr>{rows}</table>"
