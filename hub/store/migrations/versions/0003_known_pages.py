"""Known pages say what their ends are told by, and under which declaration of the stream they were read: those of before, which
do not, are forgotten. Each is looked at once more."""

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    connection = op.get_bind()
    blob = "BLOB" if connection.dialect.name == "sqlite" else "BYTEA"
    connection.execute(text("DROP TABLE known_page"))
    connection.execute(
        text(
            f"CREATE TABLE known_page (source TEXT NOT NULL, stream TEXT NOT NULL, digest {blob} NOT NULL, keys {blob} NOT NULL,"
            " state BIGINT NOT NULL, ends TEXT NOT NULL, enumeration TEXT NOT NULL, used_at BIGINT NOT NULL,"
            " PRIMARY KEY (source, stream, digest))"
        )
    )
