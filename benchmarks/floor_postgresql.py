"""The floor into PostgreSQL: python floor_postgresql.py BASE_URL DATABASE_URL [--since TIME] [--times N]"""

import time

import psycopg
from floor import COLUMNS, INDICES, compressed, incident, pages, run

KNOWN = "SELECT id, raw_hash FROM incident WHERE id = ANY(%s)"
NAMES = ("id", "raw_hash", "raw_page", "raw_index", "seen_at", *COLUMNS)
COPY = f"COPY staged ({', '.join(NAMES)}) FROM STDIN"
UPSERT = (
    f"INSERT INTO incident ({', '.join(NAMES)}) SELECT {', '.join(NAMES)} FROM staged ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in NAMES[1:])
)
TYPES = {
    "raw_hash": "bytea", "raw_page": "bigint", "raw_index": "integer", "seen_at": "bigint", "fine": "bigint",
    **dict.fromkeys(("occurred_at", "reported_at", "source_updated_at", "closed_at", "due_at"), "bigint"),
    **dict.fromkeys(("longitude", "latitude", "source_x", "source_y"), "double precision"),
}  # fmt: skip


def open_database(url: str) -> psycopg.Connection:
    database = psycopg.connect(url, autocommit=True)
    if database.execute("SELECT to_regclass('incident')").fetchone() == (None,):
        columns = ", ".join(f"{name} {TYPES.get(name, 'text')}" for name in NAMES)
        database.execute(f"CREATE TABLE incident ({columns}, PRIMARY KEY (id))")
        database.execute("CREATE TABLE raw_page (id bigserial PRIMARY KEY, body bytea)")
        for index in INDICES:
            database.execute(index)
    database.execute("CREATE TEMPORARY TABLE staged (LIKE incident) ON COMMIT DELETE ROWS")
    return database


def load(base_url: str, url: str, since: str) -> None:
    """Read every page, store what is new or changed."""
    database = open_database(url)
    for page in pages(base_url, since):
        with database.transaction(), database.cursor() as cursor:
            known = dict(cursor.execute(KNOWN, (page.ids,)).fetchall())
            changed = page.changed(known)
            if not changed:
                continue
            now = int(time.time() * 1000)
            body = compressed([page.raws[place] for place in changed])
            (raw,) = cursor.execute("INSERT INTO raw_page (body) VALUES (%s) RETURNING id", (body,)).fetchone()
            with cursor.copy(COPY) as copy:
                for index, place in enumerate(changed):
                    copy.write_row((page.ids[place], page.hashes[place], raw, index, now, *incident(page.raws[place])))
            cursor.execute(UPSERT)
    database.close()


if __name__ == "__main__":
    run(load)
