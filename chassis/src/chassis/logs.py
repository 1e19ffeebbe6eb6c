"""Structured logs: one JSON object a line, with request id and trace id of what caused it."""

import logging
import sys
import traceback
from typing import TextIO

import orjson
import structlog
from flask import g, has_request_context
from structlog.typing import EventDict, WrappedLogger

from chassis import tracing

FRAMES_SHOWN = 6


def configure(service: str, level: str = "info", style: str = "json", stream: TextIO = sys.stdout) -> None:
    """Send the logs of this process, and of the libraries in it, to ``stream``.

    ``style`` is ``json`` (one object a line) or ``console`` (for people).
    """
    numeric = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_cause,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
        _condense_error,
    ]
    renderer: structlog.typing.Processor = _render_json if style == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    library = logging.StreamHandler(stream)
    library.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[library], level=max(numeric, logging.WARNING), force=True)


def _with_cause(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    # Looked up when something is logged, because most requests log nothing.
    event.pop(tracing.HEADER, None)
    if (trace_id := tracing.trace_id()) is not None:
        event["trace_id"] = trace_id
    if has_request_context() and "request_id" in g:
        event["request_id"] = g.request_id
    return event


def _named(service: str) -> structlog.typing.Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _condense_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` by the error's class and the places it came through.

    A message or a local value may hold SQL or a secret, so neither is logged.
    """
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES_SHOWN:]
        event["error"] = type(error).__name__
        event["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _render_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str).decode()
