"""Log lines: JSON on stderr, with a fixed list of keys, so that no patient value slips in."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog
from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

__all__ = ["KEYS", "configure_library_logs", "make_logger", "make_request_log", "place_of"]

KEYS: Final = frozenset(
    {"timestamp", "level", "event", "id", "method", "route", "status", "ms"}
    | {"error", "place", "reason", "model", "version", "digest", "validated", "host", "port", "workers"}
)
"""All that a line may hold. None of them is ever taken from a request's body, headers or query."""


def make_logger(level: str) -> FilteringBoundLogger:
    """Make the service's logger.

    Parameters
    ----------
    level : str
        Least level that is written.

    Returns
    -------
    FilteringBoundLogger
    """
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.BytesLogger(sys.stderr.buffer),
        processors=[*_common(), _to_json_line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    ).bind()
    return logger


def configure_library_logs(level: str) -> None:
    """Write what libraries log (the server's start and stop) in the same form, without tracebacks.

    A traceback ends with the exception's message, which may quote a value.

    Parameters
    ----------
    level : str
        Least level that is written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[*_common(), structlog.processors.JSONRenderer()],
            keep_exc_info=False,
            keep_stack_info=False,
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


def make_request_log(level: str) -> Callable[[str, str, str, int, float], None]:
    """Make the function that writes a request's line.

    It writes what `make_logger(level).info("request", …)` would; the logger's chain of processors costs
    as much as a third of a prediction, so this one line, of the same keys, is written without it.

    Parameters
    ----------
    level : str
        Least level that is written; above "info" the function does nothing.

    Returns
    -------
    callable
        Of id, method, route template, status and milliseconds.
    """
    stream = sys.stderr.buffer

    def write(request_id: str, method: str, route: str, status: int, ms: float) -> None:
        line = {"id": request_id, "method": method, "route": route, "status": status, "ms": round(ms, 3)}
        stamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        stream.write(to_json(line | {"event": "request", "level": "info", "timestamp": stamp}) + b"\n")
        stream.flush()

    def write_nothing(*_: object) -> None:
        pass

    return write if level in ("debug", "info") else write_nothing


def place_of(error: BaseException) -> str:
    """Where an error was raised, without its message.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
        Such as `scorer.py:92 in answer`.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name}"


def _common() -> list[structlog.typing.Processor]:
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return [structlog.processors.add_log_level, stamp, _only_known_keys]


def _to_json_line(logger: WrappedLogger, method: str, event: EventDict) -> bytes:  # noqa: ARG001
    return to_json(event)


def _only_known_keys(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:  # noqa: ARG001
    return {key: value for key, value in event.items() if key in KEYS}
