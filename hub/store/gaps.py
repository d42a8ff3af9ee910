"""Codes that no table knows, as far as they are counted; listing them is in `overview.py`."""

from hub.store.store import Store

__all__ = ["forget_gaps"]


def forget_gaps(store: Store, source: str, stream: str) -> None:
    """Before every record of a stream is mapped anew: what is still unmapped then is counted anew."""
    with store.write() as transaction:
        transaction.run("DELETE FROM code_gap WHERE source = ? AND stream = ?", (source, stream))
