"""Python functions on real nodes, in a real CPython for WebAssembly.

Where none can be had (no npm, or it reaches nothing) the tests that need it say that they are left out.
"""

from __future__ import annotations

import functools
import math
import os
import random
import struct
import sys
import tempfile
import threading
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from dugnad import CallFailed, Grid, NoInterpreter, UnitFailed, Unsendable
from dugnad.calls.interpreter import VERSION, find, version_of
from dugnad.calls.needs import needs_of
from dugnad.calls.parcel import ARGS, ENV, Function, packed, read_answer
from dugnad.calls.source import source_of
from dugnad.fetch_python import fetch

from .nodes import shared

SCALE = {"factor": 3}
HERE = sys.version_info[:2]


def scaled(x: int) -> int:
    return x * SCALE["factor"]


@dataclass
class Wave:
    x: Optional[float]

    def at(self, shift: float) -> float:
        return math.sin(self.x or 0) + shift


def wave(x: float, *, shift: float = 0.5) -> Any:
    """Names modules, a class and a function of this file."""
    import statistics

    return {"x": x, "wave": Wave(x).at(shift), "mean": statistics.mean([scaled(2), 0]), "set": {"b", "a"}}


def quotient(x: int) -> int:
    print("dividing by", x - 7)
    return 84 // (x - 7)


def loops(x: int) -> int:
    while True:
        x += 1


def encrypted(x: int) -> Any:
    import ssl

    return ssl.RAND_bytes(x)


def listing(x: int) -> Any:
    import subprocess

    return subprocess.run(["ls"])


def odd(x: int) -> Any:
    return [Fraction(x)] if x == 2 else x


class Fraction:
    def __init__(self, x: int) -> None:
        self.x = x


def interpreter() -> Path:
    """The interpreter; the test that wants it is left out where none is to be had."""
    try:
        return find(None)
    except NoInterpreter:
        pass
    try:
        return fetch()
    except NoInterpreter as error:
        raise unittest.SkipTest(f"left out, for want of a CPython for WebAssembly: {error}") from error


class Calls(unittest.TestCase):
    grid: Grid

    @classmethod
    def setUpClass(cls) -> None:
        cls.grid = Grid(shared().dir, python_wasm=interpreter())

    def units(self) -> int:
        """Of the job that came last."""
        return sum(one.units for one in self.grid.jobs())

    def test_a_function_is_called_for_each_item_in_order(self) -> None:
        self.assertEqual(self.grid.call(scaled, range(500)), [3 * x for x in range(500)])
        before = self.units()
        self.assertEqual(self.grid.call(wave, [0.5, 1.5, 2.5], chunksize=2), [wave(x) for x in (0.5, 1.5, 2.5)])
        self.assertEqual(self.units() - before, 2)
        self.assertEqual(self.grid.call(scaled, []), [])
        if HERE == VERSION:
            offset = 10
            self.assertEqual(self.grid.call(lambda x: x + offset, [1, 2]), [11, 12])
            self.assertEqual(self.grid.call(functools.partial(pow, 2), [3, 4]), [8, 16])

    def test_long_calls_are_packed_into_units_of_seconds(self) -> None:

        before = self.units()
        self.assertEqual(self.grid.call(spins, range(30)), list(range(30)))
        # The first unit finds out that some thirteen are enough.
        self.assertIn(self.units() - before, (2, 3))

    def test_an_exception_comes_back_with_its_traceback_and_the_index(self) -> None:
        with self.assertRaises(CallFailed) as raised:
            self.grid.call(quotient, range(20), chunksize=5)
        error = raised.exception
        self.assertEqual((error.index, error.unit, error.type_name), (7, 1, "ZeroDivisionError"))
        self.assertIn("in quotient", error.traceback)
        self.assertNotIn(os.getcwd(), error.traceback, "paths of this machine stay here")
        self.assertEqual(error.stderr, "dividing by -2\ndividing by -1\ndividing by 0\n")
        with self.assertRaisesRegex(CallFailed, r"item 2 .*the value\[0\] is a .*Fraction; only these types"):
            self.grid.call(odd, range(5))
        with self.assertRaises(UnitFailed) as ended:
            self.grid.call(loops, [1], limits={"fuel": 1_000_000_000})
        self.assertEqual(ended.exception.outcome, "out of fuel")

    def test_pure_packages_travel(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            site = Path(folder, "site-packages")
            for name, text in (
                ("tides/__init__.py", "from .table import high\n"),
                ("tides/table.py", "from moonphase import phase\ndef high(x):\n    return phase(x) + 1\n"),
                ("moonphase.py", "def phase(x):\n    return x * 10\n"),
            ):
                site.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
                site.joinpath(name).write_text(text)
            sys.path.insert(0, str(site))
            try:
                import tides  # type: ignore[import-not-found]

                self.assertEqual(set(needs_of(tides.high).packages), {"tides", "moonphase"})
                self.assertEqual(self.grid.call(tides.high, [1, 2]), [11, 21])
            finally:
                sys.path.remove(str(site))

    def test_functions_of_another_python_travel_as_text(self) -> None:
        function = Function("wave", b"", None, source_of(wave, VERSION))
        outputs = self.grid.map(find(self.grid._python_wasm), [function.parcel(0, [0.5, 1.5])], args=ARGS, env=ENV)
        answer = read_answer(outputs[0], 2)
        self.assertEqual((answer.values, answer.error), ([wave(0.5), wave(1.5)], None))

    def test_a_pickle_of_another_python_is_refused_there(self) -> None:
        self.assertEqual(version_of(Path(find(self.grid._python_wasm)).read_bytes()), VERSION)
        parcel = packed(scaled, HERE).parcel(0, [1])
        here = b"%d.%d" % HERE
        other = parcel.replace(struct.pack("<I", len(here)) + here, b"\x04\0\0\x003.99", 1)
        outputs = self.grid.map(find(self.grid._python_wasm), [other], args=ARGS, env=ENV)
        error = read_answer(outputs[0], 1).error
        assert error is not None
        self.assertIn("of Python 3.99, but this is Python 3.11", error["text"])


def spins(x: int) -> int:
    for _ in range(1_500_000):
        pass
    return x


class Refused(unittest.TestCase):
    """Nothing of this needs an interpreter, or a grid."""

    def refused(self, words: str, func: Callable[..., Any], guest: Optional[Any] = None, items: Any = (1,)) -> None:
        with self.assertRaisesRegex(Unsendable, words):
            packed(func, guest or HERE).parcel(0, items)

    def test_native_packages_are_refused_by_name_before_anything_is_sent(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            site = Path(folder, "site-packages")
            Path(site, "nativepkg").mkdir(parents=True)
            Path(site, "nativepkg", "__init__.py").write_text("def f(x):\n    return x\n")
            Path(site, "nativepkg", "_core.abi3.so").write_bytes(b"\x7fELF")
            sys.path.insert(0, str(site))
            try:
                import nativepkg  # type: ignore[import-not-found]

                def inside(x: int) -> Any:
                    return nativepkg.f(x)

                def imports(x: int) -> Any:
                    import nativepkg.sub  # type: ignore[import-not-found]

                    return nativepkg.sub

                for func in (inside, imports, nativepkg.f):
                    self.refused(r"needs nativepkg, which has native code \(_core.abi3.so\)", func)
                self.assertEqual(list(needs_of(inside, ["nativepkg"]).packages), ["nativepkg"])
            finally:
                sys.path.remove(str(site))
        try:
            import numpy
        except ImportError:
            return
        self.refused("needs numpy, which has native code", lambda x: numpy.sin(x))
        self.refused("needs numpy, which has native code", numpy.sin)

    def test_what_the_python_of_the_grid_lacks_is_refused(self) -> None:
        self.refused("encrypted needs ssl; the Python of the grid does not have it", encrypted)
        self.refused("listing needs subprocess; the Python of the grid starts no programs", listing)

        def absent(x: int) -> Any:
            import no_such_module_anywhere  # type: ignore[import-not-found]

            return no_such_module_anywhere

        self.refused("no_such_module_anywhere, which is not installed here", absent)

    def test_packages_that_are_too_large_to_travel_are_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            site = Path(folder, "site-packages", "starmap")
            site.mkdir(parents=True)
            site.joinpath("__init__.py").write_text("def find(x):\n    return x\n")
            site.joinpath("catalogue.bin").write_bytes(random.Random(3).randbytes(9 << 20))
            sys.path.insert(0, str(site.parent))
            try:
                import starmap  # type: ignore[import-not-found]

                self.refused("starmap: 9,.* bytes as a zip; at most 8,388,608 travel", starmap.find)
            finally:
                sys.path.remove(str(site.parent))

    def test_what_cannot_be_pickled_is_refused(self) -> None:
        lock = threading.Lock()
        self.refused("cannot be pickled", lambda x: lock)
        self.refused("items cannot be pickled", scaled, items=[threading.Lock()])
        self.assertRaises(TypeError, packed, 5, HERE)

    def test_closures_and_lambdas_do_not_travel_as_text(self) -> None:
        other, y = (3, 99), 5

        def closure(x: int) -> int:
            return x + y

        self.refused("closure is a closure over y; .*use Python 3.99", closure, other)
        self.refused("a lambda has no text of its own", lambda x: x, other)
        self.refused("is no function written in Python", functools.partial(pow, 2), other)
        self.refused("item 0 cannot travel .*Fraction", scaled, other, [Fraction(1)])
        text = source_of(wave, other).text
        self.assertLess(text.index("def scaled"), text.index("def wave"))
        self.assertIn("import math", text)
        self.assertNotIn("Optional =", text)

    def test_the_interpreter_is_the_one_named(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            kept = {name: os.environ.get(name) for name in ("DUGNAD_PYTHON_WASM", "XDG_CACHE_HOME")}
            try:
                os.environ["XDG_CACHE_HOME"] = folder
                os.environ.pop("DUGNAD_PYTHON_WASM", None)
                with self.assertRaisesRegex(NoInterpreter, "dugnad.fetch_python"):
                    find(None)
                file = Path(folder, "python.wasm")
                file.write_bytes(b"\0asm")
                os.environ["DUGNAD_PYTHON_WASM"] = str(file)
                self.assertEqual(find(None), file)
                with self.assertRaisesRegex(NoInterpreter, "python_wasm names absent.wasm"):
                    find("absent.wasm")
            finally:
                for name, value in kept.items():
                    os.environ.pop(name, None)
                    if value is not None:
                        os.environ[name] = value
