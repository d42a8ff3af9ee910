"""Secrets are taken out of everything the hub says by their value, wherever they turn up."""

import json
import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import quote, quote_plus

from hub.errors import HubError, traceback_of

__all__ = ["RedactingFormatter", "Redactor", "redactor"]

MASK = "***"
#: A shorter value is not looked for: it would be found inside ordinary words and numbers and make every log unreadable.
SHORTEST = 4
#: One in use, one that another thread has still in hand, and one to spare.
_TOKENS_KNOWN = 3


class Redactor:
    """The secret values known so far. Threads may add while others redact."""

    def __init__(self) -> None:
        self._lasting: set[str] = set()
        self._tokens: dict[str, deque[frozenset[str]]] = {}
        self._longest_first: list[str] = []
        self._lock = threading.Lock()

    def add(self, values: Iterable[str]) -> None:
        """Learn secret values, also in the forms they take in a URL, in JSON, in a traceback and, for several lines,
        line by line."""
        with self._lock:
            new = set(values) - self._lasting
            if new:
                self._lasting |= new
                self._learn()

    def add_token(self, account: str, values: Iterable[str]) -> None:
        """Learn what a source hands out for a while. The newest few of an account are known: in months there are thousands."""
        token = frozenset(values)
        with self._lock:
            newest = self._tokens.setdefault(account, deque(maxlen=_TOKENS_KNOWN))
            if token not in newest:
                newest.append(token)
                self._learn()

    def forget(self) -> None:
        """Know no secret any more: for a process that begins with other settings."""
        with self._lock:
            self._lasting.clear()
            self._tokens.clear()
            self._learn()

    def text(self, text: str) -> str:
        """The text with every known secret replaced by `***`."""
        for value in self._longest_first:
            if value in text:
                text = text.replace(value, MASK)
        return text

    def _learn(self) -> None:
        tokens = chain.from_iterable(chain.from_iterable(self._tokens.values()))
        forms = {form for value in chain(self._lasting, tokens) for form in _forms(value) if len(form) >= SHORTEST}
        # A secret that begins with another one must not leave its tail readable.
        self._longest_first = sorted(forms, key=len, reverse=True)


def _forms(value: str) -> Iterator[str]:
    yield from (value, value.strip(), quote(value, safe=""), quote_plus(value), *value.splitlines())
    yield from (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1])


redactor = Redactor()
"""The process's own: secrets of hub.toml and tokens that sources hand out are added here."""


class RedactingFormatter(logging.Formatter):
    """Redacts the finished line, so that arguments, extras and tracebacks are covered alike.

    What an exception that is not the hub's own says is left out before: no pattern finds a citizen's name in it. The
    inner formatter gets the traceback as the record's `exc_text`.
    """

    def __init__(self, inner: logging.Formatter, secrets: Redactor = redactor) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        given = record.args if isinstance(record.args, tuple) else ()
        bare = logging.makeLogRecord(record.__dict__)
        bare.args = tuple(_bare(one) for one in given) or record.args
        bare.msg, bare.args = _without(bare.getMessage(), error), None
        bare.exc_info, bare.exc_text = None, traceback_of(error) if error else None
        return self._secrets.text(self._inner.format(bare))


def _bare(value: object) -> object:
    foreign = isinstance(value, BaseException) and not isinstance(value, HubError)
    return type(value).__name__ if foreign else value


def _without(message: str, error: BaseException | None) -> str:
    """asyncio and others write into the message what the exception says."""
    if error is None or isinstance(error, HubError):
        return message
    for said in (repr(error), str(error)):
        if len(said) > 1:
            message = message.replace(said, type(error).__name__)
    return message
