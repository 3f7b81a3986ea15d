"""How far long work has come, on a terminal or in a log."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

__all__ = ["Progress", "show_progress"]

Progress = Callable[[int, int], None]
"""Told the number of steps done and of all."""


@contextmanager
def show_progress(console: Console, text: str) -> Iterator[Progress]:
    """Show a bar on a terminal and a line now and then elsewhere; stop cleanly when asked to end.

    Parameters
    ----------
    console : Console
    text : str
        What is being done.

    Yields
    ------
    Progress
    """
    previous = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        if not console.is_terminal:
            yield lambda done, of: console.print(f"{text}: {done} of {of}", highlight=False)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bars(*columns, console=console, transient=True) as bar:
            task = bar.add_task(text, total=None)
            yield lambda done, of: bar.update(task, completed=done, total=of)
    finally:
        signal.signal(signal.SIGTERM, previous)
