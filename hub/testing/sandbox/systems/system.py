"""What all systems have in common: access to the city, rendering and caching of rows, and counting of requests."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hub.testing.sandbox.absurd import spoil
from hub.testing.sandbox.city import City
from hub.testing.sandbox.records import Record, Row, Shelf, dump, page_of
from hub.testing.sandbox.server import Answer, Request

#: Shows a record as of version `index` the way its system writes it.
Renderer = Callable[[Record, int], dict[str, Any]]


class System(ABC):
    """One upstream system; `handle` runs under the city's lock."""

    speaks_json = True  #: whether its rows can carry nonsense that only JSON knows

    def __init__(self, name: str, city: City, directory: Path) -> None:
        self.name = name
        self.city = city
        self.directory = directory
        self.shelves = {shelf.spec.name: shelf for shelf in city.streams(name)}

    @abstractmethod
    def handle(self, request: Request) -> Answer:
        """Answer one request of the wire."""

    @abstractmethod
    def settings(self, base_url: str) -> dict[str, Any]:
        """The keys of this system's `[sources.NAME]` section; a `Secret` value is written to a file of its own."""

    def is_credential_call(self, request: Request) -> bool:
        return False

    def forget_credentials(self) -> None:
        """Every token and session ends now."""

    def error_envelope(self, code: str | None) -> Answer:
        """The system's own way of saying that it failed, in HTTP 200."""
        return Answer(b'{"success":false}')

    def pagers(self) -> Iterable[Pager]:
        """The readers of its shelves whose rows can be rendered ahead."""
        return ()

    def moved(self) -> None:
        """The city has changed: systems that push (tables, files) write now."""

    def sabotage(self, name: str, options: dict[str, Any]) -> bool:
        """Play a fault only this kind of system has; False when it has no such fault."""
        return False

    def repair(self) -> None:
        """Undo what `sabotage` did."""

    def close(self) -> None:
        """Let go of what is held open."""


class Secret(str):
    """A setting that the written hub.toml must refer to and not contain."""


class Pager:
    """Reads pages off a shelf in the wire text of one renderer."""

    def __init__(self, city: City, shelf: Shelf, render: Renderer, spoils: bool = True) -> None:
        """`spoils`: whether absurd records show their nonsense in these rows."""
        self.city = city
        self.spoils = spoils
        self.shelf = shelf
        self.render = render

    def text(self, row: Row) -> str:
        """The row's JSON text, made once."""
        if row.text is None:
            value = self.render(row.record, row.index)
            row.text = (
                spoil(self.shelf.spec.key, row.record, value) if self.spoils and row.record.absurd else dump(value)
            )
        return row.text

    def rows(
        self,
        request: Request,
        page: int,
        size: int,
        low: int | None,
        high: int | None,
        descending: bool = False,
        town: str = "",
    ) -> tuple[Sequence[Row], int]:
        """The rows of one page of the window [low, high) and how many the window holds; `town`: only of that township."""
        if page > 1 and request.quirk == "shifting_pages":
            self.city.shift(self.shelf.spec.key)
        if page > 1 and request.quirk == "duplicate_page":
            page -= 1
        window = self.shelf.select(low, high)
        if town:
            window = [row for row in window if row.record.event.town.code == town]
        return page_of(window, page, size, descending), len(window)

    def joined(self, rows: Sequence[Row]) -> str:
        return "[" + ",".join([row.text or self.text(row) for row in rows]) + "]"


class ParameterError(ValueError):
    """A parameter is missing or cannot be read; the text names it."""

    def __init__(self, name: str, missing: bool = False) -> None:
        super().__init__(f"{'缺少参数' if missing else '参数类型错误'}: {name}")
        self.missing = missing


def whole(values: Mapping[str, Any], name: str, default: int, maximum: int | None = None) -> int:
    """A whole number from 1 up; above the maximum it is cut."""
    try:
        number = int(values.get(name) or default)
    except (TypeError, ValueError):
        raise ParameterError(name) from None
    if number < 1:
        raise ParameterError(name)
    return number if maximum is None else min(number, maximum)


def moment(values: Mapping[str, Any], name: str, read: Callable[[str], int]) -> int | None:
    """An instant as `read` understands it (epoch seconds), None when absent or empty."""
    text = values.get(name)
    if text is None or text == "":
        return None
    try:
        return read(str(text))
    except ValueError:
        raise ParameterError(name) from None


def ceil_ms(text: str) -> int:
    """The first whole second at or after an instant in epoch ms: the bound of `x >= text` and of `x < text`."""
    return -(-int(text) // 1000)


def after_ms(text: str) -> int:
    """The first whole second after an instant in epoch ms: the bound of `x <= text`."""
    return int(text) // 1000 + 1


def json_text(text: str) -> str:
    """A text as a JSON string: what a double-encoded payload is."""
    return json.dumps(text, ensure_ascii=False)
