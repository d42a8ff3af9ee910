"""Exchange tables on real SQLite files: order, windows, texts, and errors of the database in the hub's words."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy import exc as sa_exc

from hub.errors import ConfigError, DeadlineError, EnvelopeError, HubError, UnavailableError
from hub.source import Cursor, Page, SourceContext, Stream, Table, TableTransport, Window
from hub.source.table import _canonical

LOG = Table(name="case_exchange", order=("cd_seq",), cursor="cd_time", page_size=3)


def stream(table: Any = LOG, cursor: Cursor | None = None) -> Stream:
    return Stream(
        name="cases",
        title="案件",
        mapping="cases",
        native_id="case_id",
        endpoint=table,
        cursor=cursor or Cursor(path="cd_time"),
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "exchange.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE case_exchange"
            " (cd_seq INTEGER PRIMARY KEY, cd_time TEXT, cd_operation TEXT, case_id TEXT, fine REAL)"
        )
        connection.executemany(
            "INSERT INTO case_exchange VALUES (?, ?, ?, ?, ?)",
            [
                (1, "2026-11-20 08:00:00", "i", "A", None),
                (2, "2026-11-20 08:00:00", "i", "B", 2000.5),
                (3, "2026-11-20 09:00:00", "u", "A", 1.0),
                (4, "2026-11-20 09:30:00", "d", "B", None),
                (5, "2026-11-20 08:30:00", "i", "C", None),
                (6, None, "i", "D", None),
            ],
        )
    connection.close()
    return path


def read(context: SourceContext, url: str, wanted: Stream, window: Window | None = None) -> list[Page]:
    pages, position = [], None
    with closing(TableTransport(url, context)) as transport:
        while True:
            page = transport.fetch(wanted, window or Window(), position)
            pages.append(page)
            if page.next is None:
                return pages
            position = json.loads(json.dumps(page.next))
            assert len(pages) < 20


def rows(pages: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(row) for page in pages for row in page.rows]


def test_rows_come_in_their_order_as_canonical_text(context: SourceContext, database: Path) -> None:
    pages = read(context, f"sqlite:///{database}", stream())
    assert [row["cd_seq"] for row in rows(pages)] == ["1", "2", "3", "4", "5", "6"]
    assert [len(page.rows) for page in pages] == [3, 3]
    assert (
        pages[0].rows[1]
        == b'{"case_id":"B","cd_operation":"i","cd_seq":"2","cd_time":"2026-11-20 08:00:00","fine":"2000.5"}'
    )
    assert pages[0].clock is None


def test_a_path_is_seen_from_the_project(context: SourceContext, database: Path) -> None:
    assert len(rows(read(context, SecretStr(f"sqlite:///{database.name}"), stream()))) == 6  # type: ignore[arg-type]


def test_windows_in_the_zone_of_the_table_never_hide_rows_without_a_time(
    context: SourceContext, database: Path
) -> None:
    since = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
    found = rows(read(context, f"sqlite:///{database}", stream(), Window(since, since + timedelta(hours=1))))
    assert [row["cd_seq"] for row in found] == ["3", "5", "6"]


def test_named_columns_and_a_composite_order(context: SourceContext, database: Path) -> None:
    table = Table(name="case_exchange", order=("case_id", "cd_seq"), columns=("cd_operation",), page_size=2)
    found = rows(read(context, f"sqlite:///{database}", stream(table)))
    assert [(row["case_id"], row["cd_seq"]) for row in found] == [
        ("A", "1"),
        ("A", "3"),
        ("B", "2"),
        ("B", "4"),
        ("C", "5"),
        ("D", "6"),
    ]
    assert set(found[0]) == {"case_id", "cd_seq", "cd_operation"}


def test_a_null_in_an_order_column_is_not_read_past(context: SourceContext, database: Path) -> None:
    table = Table(name="case_exchange", order=("cd_time",), page_size=1)
    with pytest.raises(EnvelopeError, match="order column of case_exchange is null"):
        read(context, f"sqlite:///{database}", stream(table))


def test_binary_values_set_their_row_aside(context: SourceContext, database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE case_exchange SET case_id = x'00ff' WHERE cd_seq = 2")
        connection.execute("UPDATE case_exchange SET case_id = CAST(x'd6d0' AS TEXT) WHERE cd_seq = 3")
    connection.close()
    pages = read(context, f"sqlite:///{database}", stream())
    assert [bad.reason for page in pages for bad in page.bad] == ["no text in column case_id"] * 2
    assert len(rows(pages)) == 4
    assert json.loads(pages[0].bad[0].raw)["case_id"] is None


def test_the_file_is_never_written(context: SourceContext, database: Path, tmp_path: Path) -> None:
    before = database.read_bytes()
    transport = TableTransport(f"sqlite:///{database}", context)
    with transport._engine.connect() as connection, pytest.raises(sa_exc.OperationalError, match="readonly"):
        connection.execute(sa.text("DELETE FROM case_exchange"))
    transport.fetch(stream(), Window(), None)
    transport.close()
    assert database.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["exchange.db"]


def test_a_file_replaced_between_two_pages_is_seen(context: SourceContext, database: Path) -> None:
    transport = TableTransport(f"sqlite:///{database}", context)
    page = transport.fetch(stream(), Window(), None)
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO case_exchange VALUES (7, '2026-11-20 10:00:00', 'i', 'E', NULL)")
    connection.close()
    transport.fetch(stream(), Window(), page.next)
    assert json.loads(transport.fetch(stream(), Window(), {"after": [6]}).rows[0])["case_id"] == "E"
    transport.close()


def test_typed_columns_on_the_way_there_and_back(context: SourceContext, tmp_path: Path) -> None:
    """Dates, decimals and truth values as other databases have them."""
    url = f"sqlite:///{tmp_path}/typed.db"
    engine = sa.create_engine(url)
    table = sa.Table(
        "typed",
        sa.MetaData(),
        sa.Column("at", sa.DateTime, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("fine", sa.Numeric(10, 2), primary_key=True),
        sa.Column("major", sa.Boolean),
    )
    table.metadata.create_all(engine)
    start = datetime(2026, 11, 20, 8)  # noqa: DTZ001 - a database column without a zone
    with engine.begin() as connection:
        for number in range(5):
            values = {
                "at": start + timedelta(hours=number // 2),
                "day": date(2026, 1, 1),
                "fine": Decimal(number) / 2,
                "major": number % 2,
            }
            connection.execute(table.insert().values(values))
    engine.dispose()
    wanted = stream(Table(name="typed", order=("at", "day", "fine"), cursor="at", page_size=2))
    assert len(rows(read(context, url, wanted))) == 5
    found = rows(
        read(context, url, wanted, Window(datetime(2026, 11, 20, 1, tzinfo=UTC), datetime(2026, 11, 20, 2, tzinfo=UTC)))
    )
    assert found[0] == {"at": "2026-11-20 09:00:00.000000", "day": "2026-01-01", "fine": "1", "major": "0"}
    assert [row["fine"] for row in found] == ["1", "1.5"]


def written(folder: Path, columns: str, values: list[tuple[Any, ...]]) -> str:
    """The URL of a database with one table `t`."""
    with sqlite3.connect(folder / "t.db") as connection:
        connection.execute(f"CREATE TABLE t ({columns})")
        connection.executemany(f"INSERT INTO t VALUES ({','.join('?' * len(values[0]))})", values)
    connection.close()
    return f"sqlite:///{folder}/t.db"


BY_SEQ = Table(name="t", order=("seq",), page_size=2)


def test_decimal_numbers_of_sqlite_keep_all_digits(context: SourceContext, tmp_path: Path) -> None:
    numbers = [330702199001011234 + step for step in range(4)]
    url = written(tmp_path, "seq NUMERIC(20,0), id DECIMAL(20,0)", [(number, number) for number in numbers])
    assert [row["id"] for row in rows(read(context, url, stream(BY_SEQ)))] == [str(number) for number in numbers]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("BOOLEAN", ["1", "2", "N", "否"]),
        ("DATETIME", ["2026-11-19 08:00:00", "2026/11/19"]),
        ("DATE", ["2026-11-19", "2026-11-19 00:00:00"]),
        ("NUMERIC", ["1", "n/a"]),
        ("JSON", ["{}", "x"]),
    ],
)
def test_sqlite_gives_what_was_written_whatever_the_column_is_called(
    context: SourceContext, tmp_path: Path, kind: str, values: list[str]
) -> None:
    url = written(tmp_path, f"seq INTEGER, v {kind}", list(enumerate(values)))
    assert [row["v"] for row in rows(read(context, url, stream(BY_SEQ)))] == values


@pytest.mark.parametrize(
    ("kind", "at", "hours"),
    [("DATETIME", "2026-11-20 00:00:00", 1), ("DATETIME", "2026-11-20 00:00:00.000000", 1), ("DATE", "2026-11-20", 24)],
)
def test_the_start_of_a_window_belongs_to_it_and_the_end_does_not(
    context: SourceContext, tmp_path: Path, kind: str, at: str, hours: int
) -> None:
    url = written(tmp_path, f"seq INTEGER, at {kind}", [(1, at)])
    wanted = stream(Table(name="t", order=("seq",), cursor="at"), Cursor(path="at"))
    start, step = datetime(2026, 11, 19, 16, tzinfo=UTC), timedelta(hours=hours)
    assert len(rows(read(context, url, wanted, Window(start, start + step)))) == 1
    assert rows(read(context, url, wanted, Window(start - step, start))) == []


def test_numbers_with_decimals_order_a_view(context: SourceContext, tmp_path: Path) -> None:
    url = written(tmp_path, "n REAL", [(0.5,), (1.5,), (2.5,)])
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("CREATE VIEW w AS SELECT n + 0 AS seq FROM t")
    connection.close()
    wanted = stream(Table(name="w", order=("seq",), page_size=2))
    assert [row["seq"] for row in rows(read(context, url, wanted))] == ["0.5", "1.5", "2.5"]


def test_an_order_that_is_not_unique_is_told(context: SourceContext, tmp_path: Path) -> None:
    """Of two rows alike at the edge of a page the second would stand behind neither page."""
    url = written(tmp_path, "seq INTEGER, id TEXT", [(1, "a"), (2, "b"), (2, "c"), (3, "d")])
    with pytest.raises(EnvelopeError, match="alike in its order columns"):
        read(context, url, stream(BY_SEQ))


def test_an_order_that_is_no_text_is_told(context: SourceContext, tmp_path: Path) -> None:
    """A partner's key in GBK: what its bytes read like stands before every row, so that one page comes again without end."""
    url = written(tmp_path, "seq TEXT, id TEXT", [("城1".encode("gbk"), "a"), ("城2".encode("gbk"), "b"), ("c", "c")])
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection, connection:
        connection.execute("UPDATE t SET seq = CAST(seq AS TEXT)")
    with closing(TableTransport(url, context)) as transport, pytest.raises(EnvelopeError, match="is no text"):
        position = transport.fetch(stream(BY_SEQ), Window(), None).next
        transport.fetch(stream(BY_SEQ), Window(), position)


def test_a_null_in_the_order_is_told_on_postgresql(context: SourceContext, postgres_url: str) -> None:
    """There nulls come last, and nothing is greater than the row before them."""
    url = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (seq bigint, id text)"))
        connection.execute(sa.text("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (NULL, 'c')"))
    engine.dispose()
    with pytest.raises(EnvelopeError, match="is null"):
        read(context, url.render_as_string(hide_password=False), stream(BY_SEQ))


def test_documents_and_instants_have_one_text() -> None:
    """JSON columns, and instants whatever zone the database's session shows them in."""
    local = datetime(2026, 11, 20, 8, tzinfo=ZoneInfo("Asia/Shanghai"))
    row = {"a": {"z": 1, "b": ["中"]}, "b": [1], "c": local}
    assert json.loads(_canonical(row)[0]) == {"a": '{"b":["中"],"z":1}', "b": "[1]", "c": "2026-11-20T00:00:00+00:00"}


def test_epoch_cursors(context: SourceContext, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "e.db") as connection:
        connection.execute("CREATE TABLE e (id INTEGER PRIMARY KEY, at INTEGER)")
        connection.executemany("INSERT INTO e VALUES (?, ?)", [(1, 1000), (2, 2000)])
    connection.close()
    wanted = stream(Table(name="e", order=("id",), cursor="at"), Cursor(path="at", format="epoch_ms"))
    found = rows(read(context, f"sqlite:///{tmp_path}/e.db", wanted, Window(datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC))))
    assert [row["id"] for row in found] == ["2"]


def test_a_slow_query_ends_at_the_deadline(context: SourceContext, database: Path) -> None:
    from dataclasses import replace

    with sqlite3.connect(database) as connection:
        connection.execute(
            "CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9)"
            " SELECT count(*) AS c FROM n"
        )
    connection.close()
    with pytest.raises(DeadlineError):
        read(replace(context, deadline_s=0.2), f"sqlite:///{database}", stream(Table(name="slow", order=("c",))))


@pytest.mark.parametrize(
    ("url", "table", "error"),
    [
        ("sqlite:///{folder}/none.db", LOG, UnavailableError),
        ("sqlite:///{folder}", LOG, UnavailableError),
        ("sqlite:///{folder}/exchange.db", Table(name="none", order=("id",)), ConfigError),
        ("sqlite:///{folder}/exchange.db", Table(name="case_exchange", order=("none",)), ConfigError),
        ("sqlite:///{folder}/exchange.db", None, ConfigError),
        ("nonsense", LOG, ConfigError),
        ("nonsense://a/b", LOG, ConfigError),
        ("postgresql+psycopg://hub:secret@127.0.0.1:9/x", LOG, UnavailableError),
    ],
)
def test_what_cannot_be_read(
    context: SourceContext, database: Path, url: str, table: Any, error: type[HubError]
) -> None:
    with pytest.raises(error) as caught:
        read(context, url.format(folder=database.parent), stream(table))
    assert type(caught.value) is error
    assert "secret" not in str(caught.value)


def test_nothing_to_renew(context: SourceContext, database: Path) -> None:
    transport = TableTransport(f"sqlite:///{database}", context)
    transport.renew()
    assert transport.detail(stream(), b"{}") == b"{}"
    transport.close()


@pytest.mark.parametrize("between", [" ", "T"])
def test_a_window_ends_where_it_should_however_the_partner_writes_iso_text(
    context: SourceContext, tmp_path: Path, between: str
) -> None:
    """A T lies behind a blank: on the day a window ends, none of the rows would be before its end."""
    times = [f"2026-11-20{between}0{hour}:00:00" for hour in (7, 8, 9)]
    url = written(tmp_path, "seq INTEGER, at TEXT", list(enumerate(times)))
    wanted = stream(Table(name="t", order=("seq",), cursor="at"), Cursor(path="at"))
    ends = datetime(2026, 11, 20, 1, tzinfo=UTC)
    pages = read(context, url, wanted, Window(ends - timedelta(hours=1), ends))
    assert "1" in [row["seq"] for row in rows(pages)]
    assert "2" not in [row["seq"] for row in rows(pages)]
