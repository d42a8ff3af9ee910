"""The floor into SQLite: python floor_sqlite.py BASE_URL DATABASE [--since TIME] [--times N]"""

import sqlite3
import time

import orjson
from floor import COLUMNS, INDICES, compressed, incident, pages, run

KNOWN = "SELECT id, raw_hash FROM incident WHERE id IN (SELECT value FROM json_each(?))"
NAMES = ("id", "raw_hash", "raw_page", "raw_index", "seen_at", *COLUMNS)
UPSERT = (
    f"INSERT INTO incident ({', '.join(NAMES)}) VALUES ({', '.join('?' * len(NAMES))}) ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in NAMES[1:])
)


def open_database(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=8000"):
        database.execute(f"PRAGMA {pragma}")
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'incident'").fetchone():
        own = "id TEXT PRIMARY KEY, raw_hash BLOB, raw_page INTEGER, raw_index INTEGER, seen_at INTEGER"
        database.execute(f"CREATE TABLE incident ({own}, {', '.join(COLUMNS)})")
        database.execute("CREATE TABLE raw_page (id INTEGER PRIMARY KEY, body BLOB)")
        for index in INDICES:
            database.execute(index)
    return database


def load(base_url: str, path: str, since: str) -> None:
    """Read every page, store what is new or changed."""
    database = open_database(path)
    for page in pages(base_url, since):
        database.execute("BEGIN IMMEDIATE")
        known = dict(database.execute(KNOWN, (orjson.dumps(page.ids).decode(),)))
        changed = page.changed(known)
        if changed:
            now = int(time.time() * 1000)
            raw = database.execute(
                "INSERT INTO raw_page (body) VALUES (?)", (compressed([page.raws[place] for place in changed]),)
            ).lastrowid
            database.executemany(
                UPSERT,
                [
                    (page.ids[place], page.hashes[place], raw, index, now, *incident(page.raws[place]))
                    for index, place in enumerate(changed)
                ],
            )
        database.execute("COMMIT")
    database.close()


if __name__ == "__main__":
    run(load)
