"""Files that an operator named and the hub writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.errors import ConfigError

__all__ = ["writing"]


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Around whatever writes `target`: ConfigError with the system's own reason where that is not possible."""
    try:
        yield
    except OSError as exc:
        raise ConfigError(
            "{path} cannot be written: {why}",
            remedy="check the folder and its owner",
            path=exc.filename or target,
            why=exc.strerror or type(exc).__name__,
        ) from exc
