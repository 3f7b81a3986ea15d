"""Writing results whole or not at all."""

from __future__ import annotations

import math
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = ["check_folder", "check_suffix", "finite", "write_table", "write_text"]

_SUFFIXES = (".csv", ".parquet")


def check_folder(out: Path) -> None:
    """Refuse a folder that cannot be made or written to, before any work is done; nothing is made yet.

    Parameters
    ----------
    out : Path
        As given with `--out`.

    Raises
    ------
    UserError
        If it is a file, lies in one, or cannot be made or written to.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; name a folder")
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as exc:
        raise UserError(f"--out {out} cannot be written to: {there}: {exc.strerror}") from exc


def check_suffix(path: Path) -> None:
    """Refuse a file name whose format is not known, before any work is done.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UserError
        If the name ends neither in .csv nor in .parquet, or its folder does not exist.
    """
    if path.suffix not in _SUFFIXES:
        raise UserError(f"{path}: the name must end in {' or '.join(_SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path}: the folder {path.absolute().parent} does not exist")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, by the suffix of the name.

    Parameters
    ----------
    table : DataFrame
    path : Path

    Raises
    ------
    UserError
        If the name ends neither in .csv nor in .parquet, or its folder does not exist.
    """
    check_suffix(path)
    with _replacing(path) as scratch:
        if path.suffix == ".csv":
            table.to_csv(scratch, index=False)
        else:
            table.to_parquet(scratch, index=False)


def write_text(text: str, path: Path) -> None:
    """Write a text file.

    Parameters
    ----------
    text : str
    path : Path
    """
    with _replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a scratch file beside the target that takes its place once it is complete."""
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")
    os.close(handle)
    scratch = Path(name)
    try:
        yield scratch
        scratch.chmod(0o666 & ~_umask())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def finite(value: Any) -> Any:
    """Replace what JSON cannot write, an undefined figure, by null.

    Parameters
    ----------
    value : dict, list or plain value

    Returns
    -------
    dict, list or plain value
    """
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
