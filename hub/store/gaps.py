"""Codes that no table knows, as far as they are counted; listing them is in `overview.py`."""

from hub.store.page import Lease
from hub.store.store import Store
from hub.store.write import lease_hold

__all__ = ["count_anew", "forget_uncounted"]


def count_anew(store: Store, source: str, stream: str) -> None:
    """Before every record of a stream is mapped anew. The codes stay in the list, with no count: what is interrupted now must
    still be known to wait."""
    with store.write() as transaction:
        transaction.run("UPDATE code_gap SET count = 0 WHERE source = ? AND stream = ?", (source, stream))


def forget_uncounted(store: Store, lease: Lease, source: str, stream: str, now: int) -> None:
    """After every record was mapped: the codes that none of them carries any more. `now`: epoch ms. FencedError if the lease
    is lost, because then another may be counting."""
    with store.write() as transaction:
        transaction.hold(lease_hold(lease, now))
        transaction.run("DELETE FROM code_gap WHERE source = ? AND stream = ? AND count = 0", (source, stream))
