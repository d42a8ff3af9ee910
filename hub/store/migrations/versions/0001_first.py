"""The first schema. While it is the newest, it is what a new store is made with; a second one must freeze it here."""

from alembic import op

from hub.store.schema import create_schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_schema(op.get_bind())
