"""The unified store: the same schema, statements and promises on SQLite and PostgreSQL."""

from hub.config import Settings
from hub.config.keyfile import pending_key
from hub.store.crypto import Keyring
from hub.store.store import Store

__all__ = ["Store", "open_store"]


def open_store(settings: Settings, *, with_key: bool = True) -> Store:
    """The store of these settings, its schema and key checked. Raises StoreVersionError, ConfigError, UnavailableError."""
    from hub.store.migrate import check_schema

    keyring = Keyring(settings.store.secret_key(), pending_key(settings)) if with_key else None
    store = Store(settings.store.url, keyring)
    check_schema(store)
    return store
