"""Calls the command line as `python -m training` does, without a new process."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import NamedTuple
from unittest import mock

from training.commands import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


def call(*arguments: object) -> Result:
    """Run a command; a traceback would raise here as it would there."""
    out, err = io.StringIO(), io.StringIO()
    code: int | str | None = 0
    with (
        mock.patch.object(sys, "argv", ["training", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as exc:
            code = exc.code
    return Result(int(code or 0), out.getvalue(), err.getvalue())
