"""Files dropped in a folder (CSV, spreadsheets). Read once, remembered by content, never changed or deleted.

Rows are canonical JSON `{column: text}` and nothing else (`sheets.Field` for the error of a formula): a row that comes again
in a later file has the same bytes, so it is known without being mapped. Which file and row it came from is said by the
page (`Page.origin`), not in the row.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from hub.source.connector import SourceContext
from hub.source.folder import Dropped, Folder
from hub.source.sheets import SetAsideError, Sheet, open_sheet
from hub.source.stream import FileMark, Page, Position, RawRow, Stream, Window

__all__ = ["FileSpec", "FileTransport"]

_ROWS = 1000


class FileSpec(BaseModel):
    """One kind of file in the folder: an entry of `[[sources.NAME.files]]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str = Field(description="File names it fits, with * and ?.", examples=["street_events_*.csv"])
    stream: str = Field(description="Stream the rows belong to.")
    mapping: str = Field(description="Mapping that reads the rows.")
    zone: str = Field("", description="Time zone of the times in these files; empty: the mapping's.")
    encoding: str = Field("", description="Encoding; empty: BOM, UTF-8, GB18030, then detection. A BOM always counts.")
    delimiter: str = Field(",", min_length=1, max_length=1, description="Character between the fields of a CSV file.")
    sheet: str = Field("", description="Sheet of a spreadsheet; empty: the first.")
    columns: tuple[str, ...] = Field(
        (), description="Columns the header must have; a file that lacks one is set aside."
    )


@dataclass(slots=True)
class _Open:
    """A file being read, kept between two pages so that nothing is read twice; a position alone can rebuild it."""

    sha256: str
    sheet: Sheet


class FileTransport:
    """The transport of drop folders (hub.source.stream.Transport).

    One file after the other, oldest first, 1,000 rows a page. A file that fits no pattern or several, cannot be
    decoded or has no header is set aside whole: an empty page with a FileMark that says why. `Page.clock` is None,
    and a window is not looked at: a file is new or it is not. A position is {"name", "sha256", "row"} inside a file and
    {"after": [mtime_ns, name]} between two.
    """

    def __init__(
        self, folder: str | Path, specs: tuple[FileSpec, ...], context: SourceContext, *, settle_s: float = 2.0
    ) -> None:
        self.kinds = specs
        self._folder = Folder(
            context.base_folder / folder, tuple(spec.pattern for spec in specs), context.files, settle_s
        )
        self._open: dict[str, _Open] = {}

    def fetch(self, stream: Stream, window: Window, position: Position | None) -> Page:
        position = position or {}
        if "sha256" in position:
            file = self._folder.unchanged(position["name"], position["sha256"])
            if file is not None:
                return self._page(stream, file, position["row"])
            # Gone or replaced: what is there now is another file and waits its turn.
        after = position.get("after")
        file = self._folder.next_whole(lambda file: self._owner(file) == stream.name, tuple(after) if after else None)
        return self._page(stream, file, 0) if file is not None else Page([], None, requests=0)

    def detail(self, stream: Stream, row: bytes) -> bytes:
        """A row is the whole record."""
        return row

    def renew(self) -> None:
        """There is no session to renew."""

    def close(self) -> None:
        self._open.clear()

    def _owner(self, file: Dropped) -> str:
        """The stream that reads the file; what fits none or several is reported by the first stream."""
        return self.kinds[file.patterns[0] if len(file.patterns) == 1 else 0].stream

    def _page(self, stream: Stream, file: Dropped, row: int) -> Page:
        sha256 = self._folder.sha256(file)
        if len(file.patterns) != 1:
            fits = ", ".join(self.kinds[number].pattern for number in file.patterns)
            return self._done(file, sha256, f"fits several patterns: {fits}" if fits else "fits no pattern")
        spec = self.kinds[file.patterns[0]]
        origin = f"{file.path.name} {sha256} row {row + 1}"
        rows: list[bytes] = []
        bad: list[RawRow] = []
        given: dict[str, Any] = {"mapping": spec.mapping, "zone": spec.zone, "requests": 0, "origin": origin}
        try:
            sheet = self._sheet(stream, file, sha256, spec, row)
            while len(rows) + len(bad) < _ROWS and (record := sheet.read()) is not None:
                if isinstance(record, dict):
                    rows.append(msgspec.json.encode(record, order="sorted"))
                else:
                    bad.append(RawRow(msgspec.json.encode(record[1]), record[0]))
        except SetAsideError as exc:
            self._open.pop(stream.name, None)
            return self._done(file, sha256, str(exc), rows, tuple(bad), **given)
        if len(rows) + len(bad) == _ROWS:
            return Page(rows, {"name": file.path.name, "sha256": sha256, "row": sheet.row}, bad=tuple(bad), **given)
        self._open.pop(stream.name, None)
        return self._done(file, sha256, "", rows, tuple(bad), **given)

    def _sheet(self, stream: Stream, file: Dropped, sha256: str, spec: FileSpec, row: int) -> Sheet:
        current = self._open.get(stream.name)
        if current is None or (current.sha256, current.sheet.row) != (sha256, row):
            sheet = open_sheet(
                file.path,
                encoding=spec.encoding,
                delimiter=spec.delimiter,
                sheet=spec.sheet,
                required=spec.columns,
                skip=row,
            )
            current = self._open[stream.name] = _Open(sha256, sheet)
        return current.sheet

    def _done(
        self,
        file: Dropped,
        sha256: str,
        reason: str,
        rows: list[bytes] | None = None,
        bad: tuple[RawRow, ...] = (),
        **given: Any,
    ) -> Page:
        mark = FileMark(file.path.name, sha256, file.size, reason)
        return Page(rows or [], {"after": list(file.order)}, bad=bad, file=mark, **(given or {"requests": 0}))
