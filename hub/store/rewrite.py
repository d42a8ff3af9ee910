"""Raw pages written anew where they lie, by a remap or an erasure: only as they were read, so that neither undoes what the other,
or a change of the key, did meanwhile."""

from hub.store.page import Rewrite
from hub.store.refusals import ConflictError
from hub.store.store import Store, Transaction

__all__ = ["rewrite_page"]


def rewrite_page(store: Store, transaction: Transaction, number: int, rewrite: Rewrite) -> None:
    """Write a raw page anew, in a transaction that holds the key. ConflictError if it is not as it was read any more."""
    keyring, read, slices = store.keyring, rewrite.read, rewrite.slices
    same = "IS NOT DISTINCT FROM" if transaction.dialect == "postgresql" else "IS"
    touched = transaction.run(
        f"UPDATE raw_page SET people = ?, key_id = ? WHERE id = ? AND key_id = ? AND people {same} ?",
        (keyring.seal(rewrite.people, "people"), keyring.key_id, number, *read),
    )
    if touched != 1:
        raise ConflictError(
            "another writer rewrote raw page {number} meanwhile", number=number, remedy="run the command again"
        )
    if slices is None and read.key_id != keyring.key_id:
        # A page has one key for both.
        slices = keyring.open(
            transaction.one("SELECT body FROM raw_page WHERE id = ?", (number,))[0], "raw page", list[bytes]
        )
    if slices is not None:
        transaction.run("UPDATE raw_page SET body = ? WHERE id = ?", (keyring.seal(slices, "raw page"), number))
