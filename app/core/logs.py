"""Log lines as JSON on standard error, without secrets: what blots them out is handed in by the top (`mask_with`)."""

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import structlog

_mask: Callable[[str], str] = str


def mask_with(mask: Callable[[str], str]) -> None:
    """From now on every line of this process's log goes through `mask`."""
    global _mask
    _mask = mask


def _masked(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: _shown(value) for key, value in event.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _shown(each) for name, each in value.items()}
    return value if value is None or isinstance(value, bool | int | float) else _mask(str(value))


class _Plain(logging.Formatter):
    """Lines of libraries, with their tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole text, masked."""
        return _mask(super().format(record))


def _uncaught(error: BaseException | None) -> None:
    """What nobody caught is told as well, masked; Python itself would print it as it is."""
    if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        logging.getLogger("wissel").critical("uncaught", exc_info=error)


def configure(level: str) -> None:
    """Set up logging for this process; `level` is a name such as ``info``."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _masked,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain("%(name)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    sys.excepthook = lambda _kind, error, _trace: _uncaught(error)
    threading.excepthook = lambda told: _uncaught(told.exc_value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
