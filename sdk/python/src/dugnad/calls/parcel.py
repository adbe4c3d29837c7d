"""Parcels: what a unit reads that calls a function, and what it answers.

A unit has nothing but its standard input, so all is in there: the program that it runs (`guest`), the
packages that the function needs as a zip, the function and the items. Only a few words of Python are an
argument of the job.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import cloudpickle

from ..errors import BadAnswer, Unsendable
from . import plain
from .needs import needs_of, zipped
from .source import Source, source_of

#: The arguments of the interpreter: take the program from standard input, and run it.
ARGS = ("-B", "-S", "-c", "import sys;r=sys.stdin.buffer.read;exec(r(int(r(8),16)))")
#: Without a seed of its own Python hashes by random, and sets would be in another order in each unit.
ENV = {"PYTHONHASHSEED": "0"}


def _program() -> bytes:
    here = Path(__file__).parent
    text = (here / "plain.py").read_text() + (here / "guest.py").read_text() + "\nmain()\n"
    code = text.encode()
    return b"%08x" % len(code) + code


PROGRAM = _program()


@dataclass(frozen=True)
class Function:
    """A function that can travel."""

    name: str
    packages: bytes
    #: By value, from the same Python …
    pickled: Optional[bytes]
    #: … or as text, from any.
    source: Optional[Source]

    def parcel(self, first: int, items: Sequence[Any], budget: int = 0) -> bytes:
        """The input of a unit that calls it for these items, the first of which has the index `first`."""
        said: Dict[str, Any] = {"budget": budget, "packages": self.packages}
        if self.source is not None:
            source = {"function": self.source.text, "name": self.source.name, "file": self.source.file}
            said.update(kind="source", items=_plain_items(first, items), **source)
        else:
            python = "%d.%d" % sys.version_info[:2]
            said.update(kind="pickle", python=python, function=self.pickled, items=_pickled(list(items), "items"))
        return PROGRAM + plain.dumps(said)


def packed(
    func: Callable[[Any], Any], guest: Tuple[int, int], packages: Sequence[str] = ()
) -> Function:
    """A function, made ready to travel to a Python of the version `guest`; `Unsendable` if it cannot."""
    if not callable(func):
        raise TypeError(f"{func!r} cannot be called")
    name = getattr(func, "__qualname__", None) or type(func).__qualname__
    needs = needs_of(func, packages)
    if sys.version_info[:2] != guest:
        return Function(name, zipped(needs.packages), None, source_of(func, guest))
    pickled = _pickled(func, name, needs.own)
    if b"cloudpickle" in pickled:
        needs = needs_of(func, [*packages, "cloudpickle"])
    return Function(name, zipped(needs.packages), pickled, None)


def _reduce_code(code: CodeType) -> Any:
    reduce = cloudpickle.Pickler.dispatch_table[CodeType]
    return reduce(code.replace(co_filename=Path(code.co_filename).name))


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Names files without the folders of this machine: they are nobody's business, and differ."""

    dispatch_table = cloudpickle.Pickler.dispatch_table.new_child({CodeType: _reduce_code})


def _pickled(value: Any, name: str, own: Sequence[str] = ()) -> bytes:
    """A value as cloudpickle writes it."""
    out = io.BytesIO()
    pickler = _Pickler(out)
    by_value = [sys.modules[one] for one in own if one not in cloudpickle.list_registry_pickle_by_value()]
    for module in by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        pickler.dump(value)
    except Exception as error:  # Whatever a type's own pickling raises.
        raise Unsendable(f"{name} cannot be pickled: {error}") from error
    finally:
        for module in by_value:
            cloudpickle.unregister_pickle_by_value(module)
    return out.getvalue()


def _plain_items(first: int, items: Sequence[Any]) -> List[Any]:
    for at, item in enumerate(items, first):
        try:
            plain.dumps(item)
        except plain.NotPlain as error:
            python = "%d.%d" % sys.version_info[:2]
            raise Unsendable(f"item {at} cannot travel from Python {python}: {error}") from error
    return list(items)


@dataclass(frozen=True)
class Answer:
    """What a unit of calls came to."""

    values: List[Any]
    #: Instructions that the calls took.
    spent: int
    #: What the call after the last value raised.
    error: Optional[Dict[str, str]]


def read_answer(output: bytes, asked: int) -> Answer:
    """The answer to a parcel of so many items. It comes from strangers."""
    try:
        said = plain.loads(output)
        values = [plain.loads(one) for one in said["values"]]
        spent, error = said["spent"], said["error"]
        if type(spent) is not int or spent < 0 or len(values) + (error is not None) > asked:
            raise ValueError("its figures do not fit")
        if error is None and asked and not values:
            raise ValueError("it holds nothing")
        if error is not None:
            error = {name: str(error[name]) for name in ("type", "text", "traceback", "printed")}
    except (ValueError, KeyError, TypeError) as problem:
        raise BadAnswer("a call on the grid", str(problem)) from problem
    return Answer(values, spent, error)
