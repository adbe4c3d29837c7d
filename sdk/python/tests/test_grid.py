"""Jobs of WASI modules on real nodes: submitted, followed, failed, cancelled; and nodes that are not there."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import unittest
import warnings
from pathlib import Path
from typing import Any, Dict, List, Optional

from dugnad import (
    AsyncGrid,
    DugnadError,
    Executor,
    Grid,
    JobCancelled,
    NoNode,
    OpenGridWarning,
    Refused,
    UnitFailed,
    WrongToken,
)

from .nodes import TestGrid, echo, shared


def numbered(count: int, begin: bytes = b"") -> List[bytes]:
    return [begin + b"%d" % number for number in range(count)]


class Maps(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.grid = Grid(shared().dir)
        cls.module = echo()

    grid: Grid
    module: bytes

    def test_outputs_are_in_the_order_of_the_inputs(self) -> None:
        inputs = numbered(5000)  # More than a request names, and of any order.
        inputs[7] = b"x" * 50_000  # Too large to travel with others.
        with tempfile.NamedTemporaryFile(suffix=".wasm") as file:
            file.write(self.module)
            file.flush()
            self.assertEqual(self.grid.map(file.name, inputs, progress=True), inputs)
            self.assertEqual(self.grid.map(Path(file.name), iter(inputs[:3]), level="reported"), inputs[:3])
        self.assertEqual(self.grid.map(self.module, []), [])
        job = self.grid.submit(self.module, 3, name="numbers")
        self.assertEqual(job.outputs(), [b"0\n", b"1\n", b"2\n"])

    def test_a_failed_unit_is_named_with_what_it_said(self) -> None:
        with self.assertRaises(UnitFailed) as raised:
            self.grid.map(self.module, [b"a", b"!", b"b"])
        error = raised.exception
        self.assertEqual((error.unit, error.outcome, error.stderr), (1, "exit code 3", "boom\n"))
        assert error.job is not None
        self.assertEqual(error.job.wait().state, "failed")
        self.assertEqual(error.job.output(2), b"b")
        with self.assertRaisesRegex(UnitFailed, "unit 1 of job .* exit code 3"):
            error.job.output(1)
        ends = {result.unit: (result.ok, result.output) for result in error.job.results()}
        self.assertEqual(ends, {0: (True, b"a"), 1: (False, None), 2: (True, b"b")})
        with self.assertRaisesRegex(UnitFailed, "out of fuel"):
            self.grid.map(self.module, [b"~"], limits={"fuel": 1000})

    def test_results_stream_while_the_job_runs(self) -> None:
        job = self.grid.submit(self.module, numbered(12, b"~a"), profile="quorum=2")
        states = []
        units = set()
        for result in job.results():
            states.append(job.status().state)
            units.add(result.unit)
            self.assertEqual((result.level, result.output), ("released", b"~a%d" % result.unit))
        self.assertEqual(states[0], "running")
        self.assertEqual(units, set(range(12)))
        self.assertEqual(len(states), 12, "each once")
        watched = list(job.watch())
        self.assertEqual((watched[-1].state, watched[-1].verified), ("done", 12))

    def test_early_results_say_their_level_and_are_told_of_again(self) -> None:
        job = self.grid.submit(self.module, numbered(4, b"~b"))
        told: Dict[int, List[str]] = {}
        for result in job.results("reported"):
            told.setdefault(result.unit, []).append(result.level or "")
            self.assertEqual(result.output, b"~b%d" % result.unit)
        self.assertEqual(sorted(told), [0, 1, 2, 3])
        self.assertTrue(all(levels[-1] == "released" for levels in told.values()))
        with self.assertRaisesRegex(ValueError, "reported, checked, released"):
            job.results("likely")

    def test_a_cancelled_job_ends_whoever_waits_for_it(self) -> None:
        job = self.grid.submit(echo(400_000_000), numbered(200, b"~c"))
        self.assertIn("text", job.explain())
        self.assertEqual(job.explain(3)["unit"], 3)
        job.cancel()
        with self.assertRaises(JobCancelled):
            job.outputs()
        self.assertEqual(self.grid.job(job.id[:12]).wait().state, "cancelled")

    def test_mistakes_are_named_before_anything_is_computed(self) -> None:
        text: Any = ["text"]
        for bad, kind, words in (
            (lambda: self.grid.map(self.module, text), TypeError, "input 0 is of type str"),
            (lambda: self.grid.map(b"no module", [b""]), ValueError, "no WebAssembly module"),
            (lambda: self.grid.map("absent.wasm", [b""]), FileNotFoundError, "absent.wasm"),
            (lambda: self.grid.map(b"\0asm" + bytes(64 << 20), [b""]), ValueError, "at most 67,108,864"),
            (lambda: self.grid.map(self.module, [b""], profile="trust"), Refused, "quorum=N"),
            (lambda: self.grid.map(self.module, [b""], level="sure"), ValueError, "no level"),
            (lambda: self.grid.map(self.module, [b""], limits={"time": 3}), ValueError, "no limit is called 'time'"),
            (lambda: self.grid.map(self.module, [b""], args=["x" * 9000]), Refused, "manifest"),
            (lambda: self.grid.submit(self.module, []), ValueError, "0 inputs"),
            (lambda: self.grid.job("12"), ValueError, "too short"),
            (lambda: self.grid.job("0000000"), DugnadError, "0 jobs"),
        ):
            with self.assertRaisesRegex(kind, words):
                bad()

    def test_the_executor_is_one_of_concurrent_futures(self) -> None:
        before = len(self.grid.jobs())
        with Executor(self.grid, self.module) as executor:
            futures = [executor.submit(one) for one in numbered(50, b"d")]
            bad = executor.submit(b"!d")
            self.assertEqual(list(executor.map(numbered(9, b"e"))), numbered(9, b"e"))
            self.assertEqual([future.result() for future in futures], numbered(50, b"d"))
            self.assertIsInstance(bad.exception(), UnitFailed)
            self.assertRaises(TypeError, executor.submit, "text")
        self.assertLess(len(self.grid.jobs()) - before, 5, "they went together")
        self.assertRaises(RuntimeError, executor.submit, b"")
        long = Executor(self.grid, echo(400_000_000))
        waiting = [long.submit(one) for one in numbered(100, b"~f")]
        long.shutdown(cancel_futures=True)
        self.assertTrue(all(future.done() for future in waiting))
        self.assertIsInstance(waiting[-1].exception(), JobCancelled)
        broken = Executor(self.grid, b"no module")
        with self.assertRaisesRegex(ValueError, "no WebAssembly module"):
            broken.submit(b"").result()
        broken.shutdown()

    def test_asyncio_has_the_same(self) -> None:
        async def work() -> None:
            grid = await AsyncGrid.connect(shared().dir)
            both = await asyncio.gather(
                grid.map(self.module, numbered(5, b"g")), grid.map(self.module, numbered(5, b"h"))
            )
            self.assertEqual(both, [numbered(5, b"g"), numbered(5, b"h")])
            job = await grid.submit(self.module, numbered(5, b"~i"))
            self.assertEqual({result.unit async for result in job.results()}, set(range(5)))
            self.assertEqual([status.state async for status in job.watch()][-1], "done")
            long = await grid.submit(echo(400_000_000), numbered(100, b"~j"))
            async for result in long.results("reported"):
                break  # Whoever leaves early leaves nothing waiting.
            await long.cancel()
            self.assertEqual((await long.wait()).state, "cancelled")
            with self.assertRaises(UnitFailed):
                await grid.map(self.module, [b"!k"])

        asyncio.run(work())

    def test_results_as_tables(self) -> None:
        try:
            import numpy
            import pandas
        except ImportError as missing:
            self.skipTest(f"left out: {missing}")
        job = self.grid.submit(self.module, [numpy.arange(4, dtype="<i4").tobytes(), b"\1\0\0\0" * 4])
        self.assertEqual(job.to_numpy("<i4").tolist(), [[0, 1, 2, 3], [1, 1, 1, 1]])
        table = job.to_pandas()
        self.assertIsInstance(table, pandas.DataFrame)
        self.assertEqual(list(table["outcome"]), ["exit code 0"] * 2)
        uneven = self.grid.submit(self.module, [b"1234", b"12345678"])
        with self.assertRaisesRegex(ValueError, "no table"):
            uneven.to_numpy("<i4")

    def test_notebooks_are_shown_names_as_text(self) -> None:
        job = self.grid.submit(self.module, [b"l"], name="<script>alert(1)</script>")
        job.wait()
        for shown in (job._repr_html_(), self.grid._repr_html_()):
            self.assertIn("&lt;script&gt;", shown)
            self.assertNotIn("<script>", shown)
        self.assertIn(job.id[:8], repr(job))


class Nodes(unittest.TestCase):
    def test_no_node_is_said_with_what_to_do(self) -> None:
        for place, words in (("absent", "no such directory"), ("", "dugnad run")):
            with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(NoNode, words):
                Grid(Path(folder, place))

    def test_files_that_do_not_lead_to_the_node_are_named(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            for name in ("api.json", "api.token"):
                shutil.copy(shared().dir / name, place / name)
            Grid(place)
            api = json.loads((place / "api.json").read_text())
            (place / "api.token").write_text("f" * 64)
            with self.assertRaisesRegex(WrongToken, "api.token"):
                Grid(place)
            (place / "api.token").write_text("two words\r\nX: y")
            with self.assertRaisesRegex(DugnadError, "holds no token"):
                Grid(place)
            shutil.copy(shared().dir / "api.token", place / "api.token")
            elsewhere, unknown = "http://grid.example:80", "ftp://127.0.0.1:1"
            for url, words in ((elsewhere, "not this machine"), (unknown, "where the node is")):
                (place / "api.json").write_text(json.dumps({**api, "url": url}))
                with self.assertRaisesRegex(DugnadError, words):
                    Grid(place)
            (place / "api.json").write_text(json.dumps({**api, "url": "http://127.0.0.1:1"}))
            with self.assertRaisesRegex(NoNode, "nobody answers"):
                Grid(place)
            (place / "api.json").write_text("{")
            with self.assertRaisesRegex(DugnadError, "does not say where"):
                Grid(place)

    def test_killed_nodes_cost_no_results(self) -> None:
        inputs = numbered(24, b"~")
        with TestGrid(3) as nodes:
            grid = Grid(nodes.dir)
            job = grid.submit(echo(50_000_000), inputs)
            outputs: Dict[int, Optional[bytes]] = {}
            for result in job.results():
                self.assertNotIn(result.unit, outputs)
                outputs[result.unit] = result.output
                # The scientist's own node comes back at another port. So does a donor: where it stays away, a
                # unit that it called somebody to open wants two more peers, and three nodes have not that many.
                for killed, at in ((nodes.nodes[1], 2), (nodes.nodes[-1], 5)):
                    if len(outputs) == at:
                        killed.kill()
                        killed.start()
            self.assertEqual([outputs[unit] for unit in range(24)], inputs)
            self.assertEqual(job.status().state, "done")
            nodes.nodes[-1].kill()
            impatient = grid
            impatient._node.patience_s = 0.2
            with self.assertRaises(NoNode):
                impatient.map(echo(), [b"x"])
            self.assertIn("no node", job._repr_html_())

    def test_an_open_grid_is_named_as_such_once(self) -> None:
        with TestGrid(1, open=True) as nodes, warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always", OpenGridWarning)
            grid = Grid(nodes.dir)
            self.assertIn("open grid", grid._repr_html_())
            for name in (b"a", b"b"):
                grid.submit(echo(), [name])
        said = [str(one.message) for one in given if one.category is OpenGridWarning]
        self.assertEqual(len(said), 1)
        self.assertIn("can be read by anybody", said[0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Grid(shared().dir).map(echo(), [b"private"])
