"""`Grid.call`: items packed into units, and answers put in their order.

How long a call takes is not known before, and its instructions are the same everywhere. So the first unit
takes items until it has spent what five seconds are worth and leaves the rest; the others then take as many
as that shows to be enough. A short call is one unit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from .._progress import Bar
from ..errors import BadAnswer, CallFailed, JobCancelled, UnitFailed
from ..job import Job
from .interpreter import find, version_of
from .parcel import ARGS, ENV, Answer, Function, packed, read_answer

# What a core runs of CPython in a second, instructions; measured, and rounded up.
INSTRUCTIONS_PER_S = 4_000_000_000
# How long a unit should take, s.
UNIT_S = 5
ENOUGH = UNIT_S * INSTRUCTIONS_PER_S
# Limits of a unit where nothing else is said; for the first unit an item may be a thousand times a unit.
LIMITS = {"fuel": 1000 * ENOUGH, "memory_mib": 512, "output_bytes": 64 << 20}
# Items that the first unit is given at most: how many there are does not make it slow.
FIRST_ITEMS_MAX = 10_000

Submit = Callable[..., Job]


def call(
    submit: Submit,
    func: Callable[[Any], Any],
    iterable: Iterable[Any],
    *,
    chunksize: Union[int, str],
    python_wasm: Union[None, str, Path],
    profile: str,
    level: str,
    packages: Sequence[str],
    seed: int,
    limits: Optional[Mapping[str, int]],
    progress: bool,
) -> List[Any]:
    """See `Grid.call`; `submit` is that of the grid."""
    if chunksize != "auto" and (not isinstance(chunksize, int) or chunksize < 1):
        raise ValueError(f"chunksize is {chunksize!r}; give 'auto' or a number from 1")
    interpreter = find(python_wasm)
    module = interpreter.read_bytes()
    function = packed(func, version_of(module), packages)
    items = list(iterable)
    settings = {"profile": profile, "args": ARGS, "env": ENV, "seed": seed, "limits": {**LIMITS, **(limits or {})}}
    units = Units(lambda inputs: submit(module, inputs, name=function.name, **settings), function, items, level)
    with Bar(progress, len(items), function.name, "item") as bar:
        size = chunksize if isinstance(chunksize, int) else units.first(bar)
        units.rest(size, bar)
    return units.values


class Units:
    """A call on its way: `values` are there for the first items, and all of them in the end."""

    def __init__(
        self, submit: Callable[[List[bytes]], Job], function: Function, items: List[Any], level: str
    ) -> None:
        self._submit, self._function, self._items, self._level = submit, function, items, level
        self.values: List[Any] = []

    def first(self, bar: Bar) -> int:
        """Has the first unit find out what a call takes, and answers how many make a unit."""
        some = self._items[:FIRST_ITEMS_MAX]
        if not some:
            return 1
        answers = self._run([(0, some)], ENOUGH, bar)
        self.values = answers[0].values
        each = max(answers[0].spent // len(self.values), 1)
        return -(-ENOUGH // each)

    def rest(self, size: int, bar: Bar) -> None:
        """Calls for all items that have no value yet, so many a unit."""
        begin = len(self.values)
        spans = [(at, self._items[at : at + size]) for at in range(begin, len(self._items), size)]
        if len(spans) > 1 and len(spans[-1][1]) < size // 2:
            # No unit that is hardly worth its start.
            at, few = spans.pop()
            spans[-1] = (spans[-1][0], spans[-1][1] + few)
        for answer in self._run(spans, 0, bar) if spans else []:
            self.values += answer.values

    def _run(self, spans: List[Tuple[int, List[Any]]], budget: int, bar: Bar) -> List[Answer]:
        """Runs a unit for each of some spans of items; the first failure that is heard of is raised."""
        job = self._submit([self._function.parcel(first, items, budget) for first, items in spans])
        answers: Dict[int, Answer] = {}
        # What a call costs decides of all units: it is not taken from one peer.
        for result in job.results("released" if budget else self._level):
            if result.level == "released" and not result.ok:
                raise self._failed(job, result.unit, result.outcome)
            answers.pop(result.unit, None)
            if not result.ok or result.output is None:
                continue
            first, items = spans[result.unit]
            try:
                answer = read_answer(result.output, len(items))
                if not budget and answer.error is None and len(answer.values) != len(items):
                    raise BadAnswer(f"unit {result.unit}", f"{len(answer.values)} values for {len(items)} items")
            except BadAnswer:
                if result.level == "released":
                    raise
                continue  # One peer says so, and may be wrong.
            if answer.error is not None and result.level == "released":
                raise _raised(job, result.unit, first + len(answer.values), answer.error)
            if answer.error is not None:
                continue  # It may prove wrong yet.
            answers[result.unit] = answer
            bar.reach(len(self.values) + sum(len(one.values) for one in answers.values()))
            if len(answers) == len(spans):
                return [answers[unit] for unit in range(len(spans))]
        raise JobCancelled(job.id)

    def _failed(self, job: Job, unit: int, outcome: Optional[str]) -> UnitFailed:
        return job.failed(unit, outcome)


def _raised(job: Job, unit: int, index: int, error: Dict[str, str]) -> CallFailed:
    return CallFailed(
        index, error["type"], error["text"], error["traceback"], unit=unit, job=job, stderr=error["printed"]
    )
