"""A function as text, for a Python of another version: its own source, and that of what it names.

Python's code differs between versions, so it cannot travel as it is. The text can: the function, the functions
and classes of the same program that it names, its imports, and constants that are plain data. What has no
text, or would mean something else there (a closure), is refused by name.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, Callable, Dict, List, Tuple

from ..errors import Unsendable
from . import plain
from .needs import codes_of, is_local


# Annotations are for readers; what they name need not travel.
FIRST = "from __future__ import annotations"


@dataclass(frozen=True)
class Source:
    """A function as text: after it has run, `name` is the function."""

    text: str
    name: str
    #: What tracebacks call it.
    file: str


def source_of(func: Callable[..., Any], guest: Tuple[int, int]) -> Source:
    """The text of a function; `Unsendable` if it has none that would mean the same elsewhere."""
    advice = "use Python %d.%d here, whose functions travel as they are" % guest
    name = getattr(func, "__name__", type(func).__name__)
    if not isinstance(func, FunctionType):
        raise Unsendable(f"{name} is no function written in Python; wrap it in a def, or {advice}")
    if not is_local(func.__module__):
        return Source(f"from {func.__module__} import {name}\n", name, "<grid>")
    if name == "<lambda>":
        raise Unsendable(f"a lambda has no text of its own; write a def, or {advice}")
    parts: Dict[str, str] = {}
    _gather(func, parts, advice)
    # What is used at once, in defaults and decorators, stands above who uses it: callees came first.
    return Source("\n\n".join([FIRST, *parts.values()]) + "\n", name, f"<{name}>")


def _gather(thing: Any, parts: Dict[str, str], advice: str) -> None:
    name = thing.__name__
    if name in parts:
        return
    if isinstance(thing, FunctionType) and thing.__code__.co_freevars:
        closed = ", ".join(thing.__code__.co_freevars)
        raise Unsendable(f"{name} is a closure over {closed}; pass that with the items, or {advice}")
    try:
        text = textwrap.dedent(inspect.getsource(thing))
        tree = ast.parse(text)
    except (OSError, TypeError, SyntaxError) as error:
        raise Unsendable(f"the source of {name} is not to be had ({error}); {advice}") from error
    parts[name] = ""  # It may name itself.
    there = vars(sys.modules[thing.__module__])
    for named in _names_in(tree, thing):
        if named in there and named not in parts:
            _gather_named(named, there[named], parts, name, advice)
    del parts[name]
    parts[name] = text


def _names_in(tree: ast.AST, thing: Any) -> List[str]:
    """Names that a text looks up outside itself: a function's by its code, the rest by its text."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    if not isinstance(thing, FunctionType):
        return names
    own = {name for code in codes_of(thing.__code__) for name in code.co_varnames + code.co_cellvars}
    return [name for name in names if name not in own]


def _gather_named(name: str, value: Any, parts: Dict[str, str], whose: str, advice: str) -> None:
    if isinstance(value, ModuleType):
        parts[name] = f"import {value.__name__}"
        if value.__name__ != name:
            parts[name] = f"import importlib; {name} = importlib.import_module({value.__name__!r})"
    elif isinstance(value, (FunctionType, type)) and is_local(value.__module__):
        _gather(value, parts, advice)
        if value.__name__ != name:
            parts[name] = f"{name} = {value.__name__}"
    elif callable(value) and getattr(value, "__module__", None) and hasattr(value, "__name__"):
        parts[name] = f"from {value.__module__} import {value.__name__} as {name}"
    else:
        try:
            data = plain.dumps(value)
        except plain.NotPlain as error:
            raise Unsendable(f"{whose} names {name}: {error}. Pass it with the items, or {advice}") from error
        parts[name] = f"{name} = _plain({data!r})"
