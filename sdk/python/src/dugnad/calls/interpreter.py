"""Which CPython for WebAssembly functions run with: the one named, `$DUGNAD_PYTHON_WASM`, or the one that
`python -m dugnad.fetch_python` has put into the cache."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Tuple, Union

from ..errors import NoInterpreter

#: The file in the cache, named by what it is and by the beginning of its BLAKE3.
CACHED = "python-3.11.3-%s.wasm"
# What the fetched one is, and where a module does not say.
VERSION = (3, 11)


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/dugnad`, else `~/.cache/dugnad`."""
    named = os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "dugnad"


def find(named: Union[None, str, Path]) -> Path:
    """The file of the interpreter."""
    from ..fetch_python import cached

    variable = os.environ.get("DUGNAD_PYTHON_WASM")
    for path, whence in ((named, "python_wasm"), (variable, "$DUGNAD_PYTHON_WASM")):
        if path:
            if not Path(path).is_file():
                raise NoInterpreter(f"{whence} names {path}, which is no file")
            return Path(path)
    if cached().is_file():
        return cached()
    raise NoInterpreter(
        "functions run in a CPython for WebAssembly, and there is none here yet: run `python -m "
        "dugnad.fetch_python` once (it takes npm), or name one: Grid(python_wasm=…) or $DUGNAD_PYTHON_WASM"
    )


def version_of(module: bytes) -> Tuple[int, int]:
    """The version of Python in a module, by the name of its library."""
    found = re.search(rb"python3(\d\d?)\.zip", module)
    return (3, int(found.group(1))) if found else VERSION
