"""The role that docs/consumers.md gives a program may read the views and nothing else."""

import re
from pathlib import Path

import psycopg
import pytest
from rig import open_store

from hub.store.tables import metadata

PAGE = Path(__file__).parents[2] / "docs" / "consumers.md"


def test_the_role_reads_the_views_and_nothing_else(postgres_url: str) -> None:
    open_store(postgres_url).close()
    database = re.search(r"/(\w+)\?", postgres_url)[1]
    role = f"reader_of_{database}"
    text = PAGE.read_text("utf-8")
    block = re.search(r"(    CREATE ROLE hub_reader.*?)\n\n", text, re.DOTALL)[1]
    statements = (
        block.replace("hub_reader", role).replace("'…'", "'x'").replace("DATABASE hub ", f"DATABASE {database} ")
    )
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(statements)
    with psycopg.connect(postgres_url, autocommit=True) as reader:
        reader.execute(f"SET SESSION AUTHORIZATION {role}")
        for view in ("incident_v1", "change_v1"):
            reader.execute(f"SELECT * FROM {view} LIMIT 1")
        refused = psycopg.errors.InsufficientPrivilege
        for table in metadata.sorted_tables:
            with pytest.raises(refused):
                reader.execute(f'SELECT * FROM "{table.name}" LIMIT 1')
        for statement in ("DELETE FROM incident_v1", "CREATE TABLE mine (a int)", "CREATE TEMP TABLE mine (a int)"):
            with pytest.raises(refused):
                reader.execute(statement)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
