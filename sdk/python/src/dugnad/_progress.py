"""A bar of progress, by tqdm where that is installed."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any, Optional, Type


class Bar:
    """A bar; nothing at all if it is not wanted."""

    def __init__(self, wanted: bool, total: int, name: str, unit: str = "unit") -> None:
        self._bar: Any = None
        if not wanted:
            return
        try:
            from tqdm.auto import tqdm
        except ImportError:
            warnings.warn("progress=True shows nothing without tqdm: pip install tqdm", stacklevel=4)
        else:
            self._bar = tqdm(total=total, desc=name, unit=f" {unit}s")

    def reach(self, done: int) -> None:
        """So many are done by now."""
        if self._bar is not None and done != self._bar.n:
            self._bar.update(done - self._bar.n)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._bar is not None:
            self._bar.close()
