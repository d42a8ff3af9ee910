"""F601 …: dropped files, exchange tables and hub.toml itself."""

import io
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fault_bench import CITIZEN, PHONE

from hub.errors import EXIT_CODES, Outcome

__all__ = ["CONFIG", "FILES", "FileCase"]

HEADER = "事件编号,类别,类别名称,描述,状态,街道,发生时间,更新时间,经度,纬度,处置单位,上报人,联系电话"
MISCONFIGURED, PARTIAL, UNAVAILABLE, OK = Outcome.MISCONFIGURED, Outcome.PARTIAL, Outcome.UNAVAILABLE, Outcome.OK
DROP = """
[sources.drop]
connector = "csv_drop"
folder = "drop"
[[sources.drop.files]]
pattern = "events_*"
stream = "street_events"
mapping = "street_events"
columns = ["事件编号", "更新时间"]
"""
TABLE = """
[sources.drop]
connector = "road_patrol"
url = "${file:secret.url}"
"""
WEB = '[sources.drop]\nconnector = "faulty"\nbase_url = "http://127.0.0.1:9"\nsecret = "${env:FAULTY_KEY}"\n'


def row(number: int, **changes: str) -> str:
    values = {
        "id": f"e{number}", "class": "0103", "title": "乱堆", "text": "门口", "status": "处置中", "town": "城东街道",
        "at": "2026-11-20 08:00:00", "changed": f"2026-11-20 09:0{number}:00", "x": "119.6", "y": "29.1", "unit": "所",
        "who": CITIZEN, "phone": PHONE,
    } | changes  # fmt: skip
    return ",".join(values.values())


GOOD = "\r\n".join([HEADER, row(1), row(2)]) + "\r\n"


@dataclass(frozen=True, kw_only=True)
class FileCase:
    """`make` puts things into the folder of hub.toml; `new` records come of it, `aside` wait in quarantine list."""

    id: str
    sends: str
    make: Callable[[Path], object] = lambda folder: None
    toml: str = DROP
    outcome: Outcome = OK
    new: int = 0
    aside: int = 0
    says: str = ""

    @property
    def code(self) -> int:
        return EXIT_CODES[self.outcome]

    @property
    def line(self) -> str:
        parts = [f"{self.new} stored"] if self.new else []
        parts += [f"{self.aside} set aside"] if self.aside else []
        return "; ".join([*parts, *([f"“{self.says}”"] if self.says else [])]) or "nothing read"


def drop(content: bytes | str | Callable[[], bytes], name: str = "events_1.csv") -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        data = content.encode() if isinstance(content, str) else content if isinstance(content, bytes) else content()
        (folder / "drop").mkdir(exist_ok=True)
        (folder / "drop" / name).write_bytes(data)
        (folder / "drop" / f"{name}.done").touch()

    return make


def both(*makes: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: [make(folder) for make in makes]


def workbook(formula: bool = False, error: str = "") -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for line in GOOD.splitlines():
        book.active.append(line.split(","))  # type: ignore[union-attr]
    if formula:
        book.active["D2"] = "=1+1"  # type: ignore[index]
    if error:
        book.active["F2"] = error  # type: ignore[index]
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def bomb() -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/workbook.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(1100):
            part.write(b"\0" * (1 << 20))
    return file.getvalue()


def table(script: str, *, lock: bool = False) -> Callable[[Path], object]:
    def make(folder: Path) -> object:
        url = folder / "secret.url"
        url.write_text(f"sqlite:///{folder / 'exchange.db'}")
        url.chmod(0o600)
        connection = sqlite3.connect(folder / "exchange.db", isolation_level=None, check_same_thread=False)
        connection.executescript(script)
        if not lock:
            connection.close()
            return None
        connection.execute("BEGIN EXCLUSIVE")
        return connection  # held until the case is over

    return make


def no_database(folder: Path) -> None:
    table("CREATE TABLE x (a)")(folder)
    (folder / "exchange.db").write_bytes(b"this is no database " * 100)


def aside(
    number: str, sends: str, content: bytes | str | Callable[[], bytes], says: str, name: str = "events_1.csv"
) -> FileCase:
    """The file is set aside whole; a good one beside it is read."""
    good_one = drop(GOOD, "events_2.csv")
    return FileCase(
        id=number, sends=sends, make=both(drop(content, name), good_one), outcome=PARTIAL, new=2, aside=1, says=says
    )


FILES = (
    FileCase(id="F601", sends="GBK", make=drop(GOOD.encode("gbk")), new=2),
    FileCase(id="F602", sends="UTF-16 with BOM", make=drop(GOOD.encode("utf-16")), new=2),
    FileCase(id="F603", sends="a UTF-8 BOM", make=drop(b"\xef\xbb\xbf" + GOOD.encode()), new=2),
    FileCase(id="F604", sends="a file still being sent (.part)", make=drop(GOOD, "events_1.csv.part")),
    FileCase(
        id="F605",
        sends="a lock file and a hidden file of an editor",
        make=both(drop("x", "~$events_1.csv"), drop("x", ".events_1.csv.swp")),
    ),
    FileCase(
        id="F606", sends="the same content under two names", make=both(drop(GOOD), drop(GOOD, "events_2.csv")), new=2
    ),
    aside("F607", "an empty file", b"", "is empty"),
    aside("F608", "a file without its header", row(3) + "\r\n" + row(4), "header"),
    aside("F609", "a missing column", GOOD.replace("更新时间", "改"), "lacks column 更新时间"),
    aside("F610", "a column twice", GOOD.replace("类别名称", "类别"), "twice"),
    aside("F611", "a file that fits no pattern", GOOD + "\r\n", "fits no pattern", "others.csv"),
    aside("F612", "half a spreadsheet", lambda: workbook()[:2000], "spreadsheet", "events_1.xlsx"),
    aside("F613", "a spreadsheet that is a zip bomb", bomb, "unfolds", "events_1.xlsx"),
    aside("F614", "a CSV file that is called a spreadsheet", GOOD + " ", "spreadsheet", "events_1.xlsx"),
    aside("F615", "a field of 200,000 characters", GOOD + row(3, text="长" * 200_000), "cannot be read from line"),
    FileCase(
        id="F616",
        sends="a row too short and one too long",
        outcome=PARTIAL,
        new=2,
        aside=2,
        says="fields where",
        make=drop(GOOD + row(3).rsplit(",", 3)[0] + "\r\n" + row(4) + ",1,2\r\n"),
    ),
    FileCase(id="F617", sends="a header without rows", make=drop(HEADER + "\r\n")),
    FileCase(
        id="F618",
        sends="a spreadsheet with a formula nobody calculated",
        make=drop(lambda: workbook(True), "events_1.xlsx"),
        new=2,
    ),
    FileCase(
        id="F619", sends="cells that begin like formulas", make=drop(GOOD.replace("门口", "=cmd|' /C calc'!A0")), new=2
    ),
    FileCase(
        id="F620",
        sends="an impossible date in one row",
        outcome=PARTIAL,
        new=2,
        aside=1,
        says="发生时间",
        make=drop(GOOD + row(3, at="2026-02-30 08:00:00")),
    ),
    FileCase(id="F621", sends="no folder", outcome=UNAVAILABLE, says="cannot be looked into"),
    FileCase(
        id="F622",
        sends="no table in the exchange database",
        make=table("CREATE TABLE x (a)"),
        toml=TABLE,
        outcome=MISCONFIGURED,
        says="the database has no table",
    ),
    FileCase(
        id="F623",
        sends="an exchange database that is none",
        make=no_database,
        toml=TABLE,
        outcome=Outcome.FAILED,
        says="failed",
    ),
    FileCase(
        id="F624",
        sends="an exchange table without its columns",
        make=table("CREATE TABLE lm_event_exchange (a)"),
        toml=TABLE,
        outcome=MISCONFIGURED,
        says="has no column",
    ),
    FileCase(
        id="F625",
        sends="a spreadsheet with the error of a formula",
        outcome=PARTIAL,
        new=1,
        aside=1,
        says="街道: wrong type (object)",
        make=drop(lambda: workbook(error="#N/A"), "events_1.xlsx"),
    ),
)


def secret_others_can_read(folder: Path) -> None:
    file = folder / "open.secret"
    file.write_text("k3y-that-nobody-may-read-9x")
    file.chmod(0o644)


def wrong(
    number: str, sends: str, toml: str, says: str, make: Callable[[Path], object] = lambda folder: None
) -> FileCase:
    return FileCase(id=number, sends=sends, toml=toml, outcome=MISCONFIGURED, says=says, make=make)


def changed(old: str, new: str) -> str:
    assert old in WEB
    return WEB.replace(old, new)


CONFIG = (
    wrong("F701", "no TOML", WEB + "x = = 1\n", "TOML"),
    wrong("F702", "a misspelt setting", WEB + 'shedule = "5m"\n', "schedule"),
    wrong("F703", "a misspelt connector", changed('"faulty"', '"faultly"'), "did you mean faulty"),
    wrong("F704", "an unknown connector", changed('"faulty"', '"nonsense"'), "no connector nonsense"),
    wrong("F705", "a secret whose variable is not set", changed("FAULTY_KEY", "NOT_SET"), "NOT_SET"),
    wrong("F706", "a secret whose file is missing", changed("env:FAULTY_KEY", "file:gone.secret"), "does not exist"),
    wrong(
        "F707",
        "a secrets file others can read",
        changed("env:FAULTY_KEY", "file:open.secret"),
        "others can read",
        secret_others_can_read,
    ),
    wrong("F708", "a secret written out", changed('"${env:FAULTY_KEY}"', '"k3y-that-nobody-may-read-9x"'), "secret"),
    wrong("F709", "a cron line of four fields", WEB + 'schedule = "0 6 * *"\n', "schedule"),
    wrong("F710", "a cron line for minute 61", WEB + 'schedule = "61 * * * *"\n', "schedule"),
    wrong("F711", "a duration that is none", WEB + 'freshness = "soon"\n', "freshness"),
    wrong("F712", "a negative rate", WEB + "rate = -1.0\n", "rate"),
    wrong("F713", "a wrong type", WEB + 'retries = "many"\n', "retries"),
    wrong("F714", "a missing setting of the connector", changed('base_url = "http://127.0.0.1:9"\n', ""), "base_url"),
    wrong("F715", "an address without http://", changed("http://127.0.0.1:9", "127.0.0.1:9"), "cannot be asked"),
    wrong("F716", "an authority file that is missing", WEB + 'ca_bundle = "gone.pem"\n', "certificate"),
    wrong("F717", "an unknown section", WEB + "[nonsense]\nx = 1\n", "nonsense"),
    wrong("F718", "an unknown time zone of a file kind", DROP + 'zone = "Mars/Base"\n', "Mars/Base", drop(GOOD)),
    wrong(
        "F719",
        "a mapping nobody has",
        DROP.replace('mapping = "street_events"', 'mapping = "nonsense"'),
        "nonsense",
        drop(GOOD),
    ),
)
