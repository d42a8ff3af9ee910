"""Dropped files that were set aside whole: what an operator sees of them, and how they are tried again."""

from dataclasses import dataclass

from hub.store.store import Store

__all__ = ["FileRow", "forget_files", "list_files_aside"]


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file none of whose remaining rows was read. `stream` is the one whose run met it; `read_at` epoch ms."""

    source: str
    stream: str
    name: str
    sha256: str
    size: int
    reason: str
    run: str
    read_at: int


def list_files_aside(store: Store, *, source: str | None = None, stream: str | None = None) -> list[FileRow]:
    """Every file set aside, the latest first."""
    wanted = [(column, value) for column, value in (("f.source", source), ("r.stream", stream)) if value is not None]
    with store.read() as transaction:
        rows = transaction.all(
            "SELECT f.source, coalesce(r.stream, ''), f.name, f.sha256, f.size, f.reason, f.run, f.read_at"
            " FROM dropped_file f LEFT JOIN run r ON r.id = f.run"
            f" WHERE f.reason <> ''{''.join(f' AND {column} = ?' for column, _ in wanted)}"
            " ORDER BY f.read_at DESC, f.name",
            tuple(value for _, value in wanted),
        )
    return [FileRow(*row) for row in rows]


def forget_files(store: Store, source: str | None = None) -> int:
    """Let the next sync try the files again that were set aside (of one source); how many there are."""
    condition, values = (" AND source = ?", (source,)) if source is not None else ("", ())
    with store.write() as transaction:
        return transaction.run(f"DELETE FROM dropped_file WHERE reason <> ''{condition}", values)
