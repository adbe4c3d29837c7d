"""Dugnad, a volunteer computing grid, from Python.

A node runs on this machine (`dugnad run`); this package speaks to it. `Grid.map` runs a WebAssembly program
over inputs, `Grid.call` a plain Python function over items, on the machines of the grid, and what comes back
was computed by several of them that could not copy from each other.

It is no node: it runs nothing itself and believes its node; it believes nobody else, so what functions return
is plain data, and never unpickled.
"""

from .aio import AsyncGrid, AsyncJob
from .errors import (
    BadAnswer,
    BrokenOff,
    CallFailed,
    DugnadError,
    JobCancelled,
    NoInterpreter,
    NoNode,
    OpenGridWarning,
    Refused,
    Unsendable,
    UnitFailed,
    WrongToken,
)
from .executor import Executor
from .grid import Grid
from .job import Job
from .records import LEVELS, JobStatus, NodeStatus, Result

__version__ = "0.1.0"

__all__ = [
    "LEVELS",
    "AsyncGrid",
    "AsyncJob",
    "BadAnswer",
    "BrokenOff",
    "CallFailed",
    "DugnadError",
    "Executor",
    "Grid",
    "Job",
    "JobCancelled",
    "JobStatus",
    "NoInterpreter",
    "NoNode",
    "NodeStatus",
    "OpenGridWarning",
    "Refused",
    "Result",
    "UnitFailed",
    "Unsendable",
    "WrongToken",
]
