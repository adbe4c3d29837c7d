"""The same for programs that run on asyncio: each call waits in a thread, none in the event loop.

>>> async def primes():
...     grid = await AsyncGrid.connect()
...     job = await grid.submit("primes.wasm", [b"1000", b"2000"])
...     async for result in job.results():
...         print(result.unit, result.output)
"""

from __future__ import annotations

import asyncio
import functools
import threading
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Dict, Iterable, Iterator, List, Optional, TypeVar, Union

from .grid import Grid, Module
from .job import Job
from .records import JobStatus, NodeStatus, Result

A = TypeVar("A")
B = TypeVar("B")


class AsyncJob:
    """A `Job` whose methods are awaited."""

    def __init__(self, job: Job) -> None:
        #: The job itself.
        self.job = job
        self.id, self.units, self.name = job.id, job.units, job.name

    async def status(self) -> JobStatus:
        """See `Job.status`."""
        return await asyncio.to_thread(self.job.status)

    async def wait(self) -> JobStatus:
        """See `Job.wait`."""
        return await asyncio.to_thread(self.job.wait)

    async def cancel(self) -> JobStatus:
        """See `Job.cancel`."""
        return await asyncio.to_thread(self.job.cancel)

    async def explain(self, unit: Optional[int] = None) -> Dict[str, Any]:
        """See `Job.explain`."""
        return await asyncio.to_thread(self.job.explain, unit)

    async def outputs(self, level: str = "released") -> List[bytes]:
        """See `Job.outputs`."""
        return await asyncio.to_thread(self.job.outputs, level)

    def results(self, level: str = "released") -> AsyncIterator[Result]:
        """See `Job.results`."""
        return _stepped(lambda: self.job.results(level))

    def watch(self) -> AsyncIterator[JobStatus]:
        """See `Job.watch`."""
        return _stepped(self.job.watch)

    def __repr__(self) -> str:
        return repr(self.job)

    def _repr_html_(self) -> str:
        return self.job._repr_html_()


class AsyncGrid:
    """A `Grid` whose methods are awaited; `await AsyncGrid.connect()` makes one."""

    def __init__(self, grid: Grid) -> None:
        #: The grid itself.
        self.grid = grid

    @classmethod
    async def connect(cls, data_dir: Union[None, str, Path] = None, **options: Any) -> AsyncGrid:
        """See `Grid`."""
        return cls(await asyncio.to_thread(functools.partial(Grid, data_dir, **options)))

    async def status(self) -> NodeStatus:
        """See `Grid.status`."""
        return await asyncio.to_thread(self.grid.status)

    async def jobs(self) -> List[JobStatus]:
        """See `Grid.jobs`."""
        return await asyncio.to_thread(self.grid.jobs)

    async def job(self, id: str) -> AsyncJob:
        """See `Grid.job`."""
        return AsyncJob(await asyncio.to_thread(self.grid.job, id))

    async def submit(self, module: Module, inputs: Union[int, Iterable[bytes]], **options: Any) -> AsyncJob:
        """See `Grid.submit`."""
        return AsyncJob(await asyncio.to_thread(self.grid.submit, module, inputs, **options))

    async def map(self, module: Module, inputs: Iterable[bytes], **options: Any) -> List[bytes]:
        """See `Grid.map`."""
        return await asyncio.to_thread(functools.partial(self.grid.map, module, inputs, **options))

    async def call(self, func: Callable[[A], B], iterable: Iterable[A], **options: Any) -> List[B]:
        """See `Grid.call`."""
        return await asyncio.to_thread(functools.partial(self.grid.call, func, iterable, **options))

    def __repr__(self) -> str:
        return repr(self.grid).replace("<Grid", "<AsyncGrid")


async def _stepped(begin: Callable[[], Iterator[A]]) -> AsyncIterator[A]:
    """What an iterator gives, taken by a thread of its own; a reader that is slow holds it up, and one that
    goes away ends it at its next step."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Queue[Any] = asyncio.Queue(maxsize=64)
    gone = threading.Event()
    over = object()

    def put(one: Any) -> None:
        asyncio.run_coroutine_threadsafe(ready.put(one), loop).result()

    def take() -> None:
        try:
            for one in begin():
                if gone.is_set():
                    return
                put((None, one))
            put((None, over))
        except Exception as error:  # It is raised where it is waited for.
            if not gone.is_set():
                put((error, None))

    threading.Thread(target=take, name="dugnad-stream", daemon=True).start()
    try:
        while True:
            error, one = await ready.get()
            if error is not None:
                raise error
            if one is over:
                return
            yield one
    finally:
        gone.set()
        while not ready.empty():  # Whoever waits to put something may do so.
            ready.get_nowait()
