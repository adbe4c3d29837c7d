"""What a function needs beside itself: which packages travel with it, and what makes it unfit for the grid.

Found by looking, without running anything: the modules that its code imports or names, and those of functions
and values that it names. Packages of pure Python travel as a zip; native code cannot, and is refused by name
before anything is sent. A package that such a package imports travels as well if it can.
"""

from __future__ import annotations

import ast
import functools
import importlib.machinery
import importlib.util
import io
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, Sequence, Set, Union

from ..errors import Unsendable

# Largest zip of packages, bytes; each unit carries it.
ZIP_BYTES_MAX = 8 << 20
# Modules of the standard library that the Python of the grid lacks: they speak to the machine.
NOT_THERE = frozenset(
    "_ctypes _lzma _multiprocessing _ssl ctypes curses ensurepip fcntl grp idlelib lib2to3 lzma mmap "
    "multiprocessing nis ossaudiodev pwd readline resource spwd ssl syslog termios tkinter turtle venv".split()
)
# These are there, and can do nothing in a unit.
USELESS = {"subprocess": "starts no programs", "socket": "has no network"}


@dataclass(frozen=True)
class Needs:
    """What must go with a function."""

    #: Packages that travel, by their names.
    packages: Dict[str, Path]
    #: Modules of the user's own program, whose functions and classes travel by value.
    own: List[str]


def needs_of(func: Callable[..., Any], packages: Sequence[str] = ()) -> Needs:
    """What must travel with a function; `Unsendable` if something of it cannot."""
    found = _Found()
    found.look_at(func)
    names = found.names
    what = getattr(func, "__qualname__", None) or type(func).__qualname__
    travelling: Dict[str, Path] = {}
    for name in sorted(names - set(packages)):
        if name in NOT_THERE or name in USELESS:
            why = USELESS.get(name, "does not have it")
            raise Unsendable(f"{what} needs {name}; the Python of the grid {why}")
        if not _is_standard(name):
            travelling[name] = _pure(name, what)
    for name in packages:
        travelling[name] = _place(name, what)
    _follow(travelling)
    own = sorted(name for name in found.own if name in sys.modules and name.split(".")[0] not in travelling)
    return Needs(travelling, own)


def zipped(packages: Dict[str, Path]) -> bytes:
    """Packages as a zip that Python imports from; the same files make the same bytes."""
    if not packages:
        return b""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for _, place in sorted(packages.items()):
            for file in _files(place):
                # A moment of no meaning, so that it does not differ.
                entry = zipfile.ZipInfo(file.relative_to(place.parent).as_posix(), (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    if out.tell() > ZIP_BYTES_MAX:
        names = ", ".join(sorted(packages))
        raise Unsendable(f"{names}: {out.tell():,} bytes as a zip; at most {ZIP_BYTES_MAX:,} travel with a unit")
    return out.getvalue()


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """A code object and those of the functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def is_local(module: str) -> bool:
    """Whether a module is part of the user's own program, not of an installed package."""
    found = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    if module == "__main__" or found is None:
        return True
    return not (_is_standard(module.split(".")[0]) or file is None or _is_installed(Path(file)))


class _Found:
    """What a function names, and what that names in its turn."""

    def __init__(self) -> None:
        #: Top-level names of modules that are imported.
        self.names: Set[str] = set()
        #: Modules of the user's own program that functions and classes are of.
        self.own: Set[str] = set()
        # Values that were looked at; kept, so that no other gets the place of one.
        self._seen: Dict[int, Any] = {}

    def look_at(self, value: Any) -> None:
        """Adds the top-level names of all modules that a value needs."""
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, ModuleType):
            self.names.add(value.__name__.split(".")[0])
        elif isinstance(value, functools.partial):
            for part in (value.func, *value.args, *value.keywords.values()):
                self.look_at(part)
        elif isinstance(value, MethodType):
            self.look_at(value.__func__)
            self.look_at(value.__self__)
        elif isinstance(value, FunctionType):
            self._look_at_function(value)
        elif isinstance(value, type):
            self._look_at_class(value)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for one in value:
                self.look_at(one)
        elif isinstance(value, dict):
            for key, one in value.items():
                self.look_at(key)
                self.look_at(one)
        else:
            self._look_at_class(type(value))

    def _look_at_function(self, func: FunctionType) -> None:
        module = func.__module__ or "__main__"
        if not is_local(module):
            self.names.add(module.split(".")[0])
            return  # It travels, or is there: what it needs goes with its package.
        self.own.add(module)
        for code in codes_of(func.__code__):
            self.names.update(_imported(code))
            for name in code.co_names:
                if name in func.__globals__:
                    self.look_at(func.__globals__[name])
        for cell in func.__closure__ or ():
            try:
                self.look_at(cell.cell_contents)
            except ValueError:
                pass  # It is empty yet: a function that names itself.
        for default in (*(func.__defaults__ or ()), *(func.__kwdefaults__ or {}).values()):
            self.look_at(default)

    def _look_at_class(self, kind: type) -> None:
        module = kind.__module__
        if not is_local(module):
            self.names.add(module.split(".")[0])
            return
        self.own.add(module)
        for base in kind.__mro__[1:]:
            if base is not object:
                self.look_at(base)
        for member in vars(kind).values():
            if isinstance(member, (staticmethod, classmethod)):
                member = member.__func__
            if isinstance(member, FunctionType):
                self._look_at_function(member)


def _imported(code: CodeType) -> Iterator[str]:
    import dis

    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME" and step.argval:
            yield str(step.argval).split(".")[0]


def _is_standard(name: str) -> bool:
    known = getattr(sys, "stdlib_module_names", None)  # From Python 3.10 on.
    if known is not None:
        return name in known or name == "__main__"
    if name in sys.builtin_module_names or name == "__main__" or name in NOT_THERE:
        return True
    spec = importlib.util.find_spec(name)
    origin = getattr(spec, "origin", None)
    if origin in ("built-in", "frozen"):
        return True
    standard = Path(sysconfig.get_path("stdlib"))
    return origin is not None and standard in Path(origin).parents and not _is_installed(Path(origin))


def _is_installed(file: Path) -> bool:
    return bool({"site-packages", "dist-packages"} & set(file.parts))


def _place(name: str, what: str) -> Path:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise Unsendable(f"{what} needs {name}, which is not installed here, so it cannot travel")
    for folder in spec.submodule_search_locations or ():
        return Path(folder)
    if spec.origin is None or not Path(spec.origin).is_file():
        raise Unsendable(f"{what} needs {name}, which is no file that could travel")
    return Path(spec.origin)


def _pure(name: str, what: str) -> Path:
    place = _place(name, what)
    native = _native(place)
    if native is not None:
        raise Unsendable(
            f"{what} needs {name}, which has native code ({native.name}); the Python of the grid runs pure "
            f"Python only. Do without it, or write a task in Rust or C. If {name} works without that file, "
            f"say packages=[{name!r}]"
        )
    return place


def _native(place: Path) -> Union[None, Path]:
    endings = tuple(importlib.machinery.EXTENSION_SUFFIXES) + (".so", ".pyd", ".dylib")
    found = [place] if place.is_file() else sorted(place.rglob("*"))
    return next((file for file in found if file.name.endswith(endings)), None)


def _files(place: Path) -> List[Path]:
    if place.is_file():
        return [place]
    endings = (".pyc", ".so", ".pyd", ".dylib")
    found = [file for file in sorted(place.rglob("*")) if file.is_file()]
    if not _is_installed(place):
        # Somebody's own folder: what lies beside the sources, keys and data, stays here.
        return [file for file in found if file.suffix == ".py" and not _is_hidden(file, place)]
    return [file for file in found if "__pycache__" not in file.parts and not file.name.endswith(endings)]


def _is_hidden(file: Path, place: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(place).parts)


def _follow(travelling: Dict[str, Path]) -> None:
    """Adds what the travelling packages import in their turn, as far as that is pure Python."""
    waiting = list(travelling.values())
    while waiting:
        place = waiting.pop()
        for name in _imports_in(place) - set(travelling):
            try:
                if name in NOT_THERE or _is_standard(name):
                    continue
                found = _pure(name, place.name)
            except Unsendable:
                continue  # If it is imported there after all, the error names it.
            travelling[name] = found
            waiting.append(found)


def _imports_in(place: Path) -> Set[str]:
    names: Set[str] = set()
    for file in _files(place):
        if file.suffix != ".py":
            continue
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names.update(one.name.split(".")[0] for one in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.split(".")[0])
    return names
