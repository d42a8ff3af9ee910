"""Where stores began. A new store is made whole at the newest schema (`hub.store.schema`), so nothing runs this any more."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: whatever has a schema has at least this one."""
