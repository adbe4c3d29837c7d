"""What runs on the grid, in CPython for WebAssembly: calls a function for each item it is given.

Sent as text after that of `plain`, so it shares its names (`dumps`, `loads`, `NotPlain`) and imports nothing
of this package. Standard input is a parcel (see `parcel`), standard output its answer, both plain data; what
the function prints goes to standard error. The clock of a unit advances with its instructions, a nanosecond
each, so what a call takes is the same on every machine.
"""

import io
import sys
import time
import traceback
from typing import Any, Callable, Dict, List, Optional

try:
    from .plain import NotPlain, dumps, loads
except ImportError:  # On the grid, where they stand above.
    pass

# Where a unit may write, and what is kept of what it prints, characters.
PACKAGES = "/scratch/packages.zip"
PRINTED_MAX = 16384


class Heard(io.TextIOBase):
    """Standard error that remembers what was said last."""

    def __init__(self, through: Any) -> None:
        self._through = through
        self.last = ""

    def write(self, text: str) -> int:
        self._through.write(text)
        self.last = (self.last + text)[-PRINTED_MAX:]
        return len(text)

    def flush(self) -> None:
        self._through.flush()


def answer(parcel: Dict[str, Any]) -> Dict[str, Any]:
    """Calls the function for the items, until one fails or the budget of instructions is spent."""
    heard = Heard(sys.stderr)
    sys.stdout = sys.stderr = heard
    values: List[bytes] = []
    answered: Dict[str, Any] = {"values": values, "error": None}
    started = time.perf_counter_ns()
    try:
        func, items = unpack(parcel)
        started = time.perf_counter_ns()
        for item in items:
            values.append(dumps(func(item)))
            if parcel["budget"] and time.perf_counter_ns() - started >= parcel["budget"]:
                break
    except BaseException as error:  # noqa: B902 -- SystemExit is an answer as well.
        answered["error"] = described(error, heard.last)
    answered["spent"] = time.perf_counter_ns() - started
    return answered


def unpack(parcel: Dict[str, Any]) -> Any:
    """The function and its items."""
    if parcel["packages"]:
        with open(PACKAGES, "wb") as packages:
            packages.write(parcel["packages"])
        sys.path.insert(0, PACKAGES)
    here = "%d.%d" % sys.version_info[:2]
    if parcel["kind"] == "pickle":
        if parcel["python"] != here:
            raise RuntimeError("a function of Python %s, but this is Python %s" % (parcel["python"], here))
        import pickle

        return pickle.loads(parcel["function"]), pickle.loads(parcel["items"])
    # A module, and known as such: dataclasses look theirs up.
    module = sys.modules["__grid__"] = type(sys)("__grid__")
    vars(module)["_plain"] = loads
    exec(compile(parcel["function"], parcel["file"], "exec"), vars(module))
    func: Callable[[Any], Any] = getattr(module, parcel["name"])
    return func, parcel["items"]


def described(error: BaseException, printed: str) -> Dict[str, Optional[str]]:
    """An exception, for those who wait for the answer."""
    trace = error.__traceback__
    # From the function on; that it was called by this file is no news.
    trace = trace.tb_next if trace is not None and trace.tb_next is not None else trace
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__)
    text = "".join(traceback.format_exception(kind, error, trace))
    plain = isinstance(error, NotPlain)
    return {
        "type": "TypeError" if plain else name,
        "text": ("what the function returned: " if plain else "") + str(error),
        "traceback": text[-PRINTED_MAX:],
        "printed": printed,
    }


def main() -> None:
    """Reads the parcel, writes the answer."""
    out = sys.stdout.buffer
    out.write(dumps(answer(loads(sys.stdin.buffer.read()))))
    out.flush()
