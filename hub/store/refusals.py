"""What a database refuses, in the hub's words: whom it concerns and what to do about it."""

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from hub.errors import HubError, MisconfiguredError, StoreError, UnavailableError

__all__ = ["ConflictError", "translated"]


#: A statement was cancelled, a lock was not had in time, or two transactions waited for each other.
_WAITED = ("57014", "55P03", "40P01")


class ConflictError(StoreError):
    """Another writer touched the same rows between reading and writing; the page is prepared once more."""


def translated(error: DBAPIError) -> HubError:
    """What the database said, without statement or parameters: those may hold records."""
    reason = str(error.orig).splitlines()[0][:200] if error.orig else type(error).__name__
    code = getattr(error.orig, "sqlstate", None) or ""
    if code.startswith("22"):
        # PostgreSQL quotes the value that it cannot use.
        reason = type(error.orig).__name__
    if isinstance(error, IntegrityError):
        return ConflictError("the store refused a row that another writer had just stored")
    if _kept_out(error, reason):
        return MisconfiguredError(
            "the store does not let the hub in: {reason}", reason=reason, remedy="correct [store] url, or the database's rights"
        )  # fmt: skip
    if error.connection_invalidated or (
        isinstance(error, OperationalError) and ("locked" in reason or "connect" in reason or "resolve" in reason)
    ):
        return UnavailableError("the store cannot be reached: {reason}", reason=reason, remedy="run the command again")
    if code in _WAITED:
        return UnavailableError(
            "the store did not get to it: {reason}", reason=reason,
            remedy="run the command again; if that is said often, look at statement_timeout and lock_timeout of the hub's role",
        )  # fmt: skip
    if "disk I/O" in reason:
        return StoreError(
            "the store's disk fails: {reason}", reason=reason,
            remedy="look for a spent quota, a size limit or a broken disk (dmesg); the next run goes on by itself",
        )  # fmt: skip
    if "disk is full" in reason or code == "53100":
        return StoreError(
            "the store has no room left: {reason}", reason=reason, remedy="make room on its disk; the next run goes on by itself"
        )  # fmt: skip
    if code.startswith("53"):
        return StoreError(
            "the store's server is at a limit: {reason}", reason=reason,
            remedy="raise it, for instance with ALTER ROLE … SET; the next run goes on by itself",
        )  # fmt: skip
    if code == "25006":
        return StoreError(
            "the store's PostgreSQL takes no writes: {reason}", reason=reason, remedy="hub validate says why"
        )
    if "readonly" in reason or "unable to open" in reason:
        return StoreError(
            "the store cannot be written to: {reason}", reason=reason, remedy="check owner and rights of its file and folder"
        )  # fmt: skip
    if code == "42501":
        return StoreError(
            "the store's database role lacks rights: {reason}", reason=reason, remedy="hub validate says which GRANT it needs"
        )  # fmt: skip
    return StoreError(
        "the store refused a statement: {reason}",
        reason=reason,
        remedy="run it again; if it says so again, restore a backup",
    )


def _kept_out(error: DBAPIError, reason: str) -> bool:
    """Whether PostgreSQL refused the connection itself: only there it gives no code."""
    # Loaded once something failed: whoever is let in starts sooner.
    from hub.source.databases import LOGIN_REFUSED, NO_DATABASE

    if getattr(error.orig, "sqlstate", None) is not None:
        return False
    return "invalid connection option" in reason or any(shape.search(reason) for shape in (LOGIN_REFUSED, NO_DATABASE))
