"""A `concurrent.futures.Executor` whose workers are the grid.

Invariant: every future that was given out is set, with an output or with the error that it came to. What is
submitted within a moment goes into one job, since a job of one unit costs as much to announce as one of
thousands; jobs run at the same time, and their outputs are set as they come.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Executor as FuturesExecutor
from concurrent.futures import Future
from typing import Callable, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from .errors import JobCancelled
from .grid import Grid, Module
from .job import Job

# A job is submitted when nothing was added to it for so long, s, …
QUIET_S = 0.05
# … when it has waited for so long, s, …
WAIT_S_MAX = 1.0
# … or when it has so many units, or bytes.
UNITS_MAX = 16_384
BYTES_MAX = 256 << 20

Waiting = Tuple[bytes, "Future[bytes]"]


class Executor(FuturesExecutor):
    """Runs a WASI module over inputs, with the interface of `concurrent.futures`.

    >>> with Executor(grid, "primes.wasm") as executor:       # doctest: +SKIP
    ...     first = executor.submit(b"1000")
    ...     rest = list(executor.map([b"2000", b"3000"]))
    """

    def __init__(
        self,
        grid: Grid,
        module: Module,
        *,
        profile: str = "quorum=2",
        args: Sequence[str] = (),
        env: Optional[Mapping[str, str]] = None,
        seed: int = 0,
        limits: Optional[Mapping[str, int]] = None,
    ) -> None:
        def submit(inputs: List[bytes]) -> Job:
            return grid.submit(module, inputs, profile=profile, args=args, env=env, seed=seed, limits=limits)

        self._submit_job: Callable[[List[bytes]], Job] = submit
        self._queue: queue.Queue[Optional[Waiting]] = queue.Queue()
        self._lock = threading.Lock()
        self._over = self._given_up = False
        # Those that have not ended.
        self._jobs: List[Job] = []
        self._threads: List[threading.Thread] = []
        self._collector = threading.Thread(target=self._collect, name="dugnad-collector", daemon=True)
        self._collector.start()

    def submit(self, input: bytes, /) -> Future[bytes]:  # type: ignore[override]
        """Has a unit read `input`; the future is its output."""
        if not isinstance(input, (bytes, bytearray, memoryview)):
            raise TypeError(f"inputs are bytes, not {type(input).__name__}")
        future: Future[bytes] = Future()
        with self._lock:
            if self._over:
                raise RuntimeError("the executor is shut down")
            self._queue.put((bytes(input), future))
        return future

    def map(  # type: ignore[override]
        self, inputs: Iterable[bytes], *, timeout: Optional[float] = None
    ) -> Iterator[bytes]:
        """The outputs in the order of the inputs, as they come."""
        until = None if timeout is None else time.monotonic() + timeout
        futures = [self.submit(one) for one in inputs]

        def outputs() -> Iterator[bytes]:
            for future in futures:
                yield future.result(None if until is None else max(until - time.monotonic(), 0))

        return outputs()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more inputs; waits for all outputs, or gives up what has none yet."""
        with self._lock:
            first, self._over = not self._over, True
        if first:
            self._queue.put(None)
        if cancel_futures:
            with self._lock:
                self._given_up = True
                jobs = list(self._jobs)
            for job in jobs:
                job.cancel()
        if wait:
            self._collector.join()
            for thread in self._threads:
                thread.join()

    # ---- how it is done --------------------------------------------------------------------

    def _collect(self) -> None:
        """Makes jobs of what is submitted."""
        more = True
        while more:
            batch, more = self._batch()
            batch = [one for one in batch if one[1].set_running_or_notify_cancel()]
            if batch:
                thread = threading.Thread(target=self._run, args=(batch,), name="dugnad-job", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _batch(self) -> Tuple[List[Waiting], bool]:
        """What belongs into one job, and whether more may come after it."""
        first = self._queue.get()
        if first is None:
            return [], False
        batch, size = [first], len(first[0])
        until = time.monotonic() + WAIT_S_MAX
        while len(batch) < UNITS_MAX and size < BYTES_MAX:
            try:
                left = until - time.monotonic()
                one = self._queue.get(timeout=max(min(QUIET_S, left), 0))
            except queue.Empty:
                break
            if one is None:
                return batch, False
            batch.append(one)
            size += len(one[0])
        return batch, True

    def _run(self, batch: List[Waiting]) -> None:
        """Runs a job and sets its futures."""
        futures = [future for _, future in batch]
        open_futures = dict(enumerate(futures))
        try:
            job = self._submit_job([input for input, _ in batch])
            with self._lock:
                self._jobs.append(job)
                given_up = self._given_up
            if given_up:
                job.cancel()
            for result in job.results():
                future = open_futures.pop(result.unit)
                if result.ok and result.output is not None:
                    future.set_result(result.output)
                else:
                    future.set_exception(job.failed(result.unit, result.outcome))
            with self._lock:
                self._jobs.remove(job)
            error: BaseException = JobCancelled(job.id)
        except Exception as problem:  # Whoever waits for an output hears of it there.
            error = problem
        for future in open_futures.values():
            future.set_exception(error)

