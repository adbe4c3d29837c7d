"""A unit, run once more on this machine by `dugnad exec`, to hear what it wrote to standard error.

Nodes do not send standard error. A unit does the same everywhere, so running it again tells. It runs in the
sandbox of the grid, behind its first wall alone: these are one's own modules.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from ._node import Node
from .errors import DugnadError

# Such a run is given up after this long, s.
RERUN_S_MAX = 600


@dataclass
class Sent:
    """What a job was made of; blobs by their names."""

    module: str
    #: One a unit, or how many units there are that read their own number.
    inputs: Union[int, List[str]]
    args: Sequence[str] = ()
    env: Dict[str, str] = field(default_factory=dict)
    seed: int = 0
    limits: Dict[str, int] = field(default_factory=dict)


def program(node: Optional[Node] = None) -> str:
    """The program `dugnad`: `$DUGNAD_BIN`, what is on the path, or what the node itself is run by."""
    found = os.environ.get("DUGNAD_BIN") or shutil.which("dugnad")
    if found:
        return found
    if node is not None:
        try:
            running = os.readlink(f"/proc/{node.address().pid}/exe")
        except (OSError, DugnadError):
            running = ""
        if Path(running).name == "dugnad":
            return running
    raise DugnadError("the program `dugnad` is not found: put it on the PATH, or name it in $DUGNAD_BIN")


def stderr_of(node: Node, sent: Sent, unit: int) -> str:
    """Runs a unit of a job again and says what it wrote to standard error."""
    with tempfile.TemporaryDirectory() as folder:
        module, stdin = Path(folder, "module.wasm"), Path(folder, "stdin")
        module.write_bytes(node.exchange("GET", f"/v1/blobs/{sent.module}"))
        if isinstance(sent.inputs, int):
            stdin.write_text(f"{unit}\n")
        else:
            stdin.write_bytes(node.exchange("GET", f"/v1/blobs/{sent.inputs[unit]}"))
        command = [program(node), "exec", str(module), "--stdin", str(stdin), "--json"]
        command += ["--seed", str(sent.seed), "--unit", str(unit)]
        command += [f"--arg={one}" for one in sent.args]
        command += [f"--env={name}={value}" for name, value in sent.env.items()]
        command += [f"--{name.replace('_', '-')}={value}" for name, value in sent.limits.items()]
        return _reported(command)


def _reported(command: List[str]) -> str:
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=RERUN_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DugnadError(f"the unit could not be run again: {error}") from error
    try:
        report: Dict[str, Any] = json.loads(ran.stdout)
        return str(report["stderr"])
    except (ValueError, KeyError, TypeError) as error:
        said = ran.stderr.decode(errors="replace").strip()
        raise DugnadError(f"the unit could not be run again: {said or error}") from error
