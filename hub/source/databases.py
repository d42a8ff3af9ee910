"""What SQLAlchemy and the drivers below it raise, in the hub's words: which step towards a table failed.

Only the class of a foreign error is said: drivers' texts may hold the URL, statements and values. What kind of failure a
text tells of is looked for in it, because PostgreSQL's driver gives no code where no connection came about, and a
server's text is in the server's language.
"""

import errno
import re
import socket

from sqlalchemy import URL
from sqlalchemy import exc as sa_exc

from hub.errors import ConfigError, DeadlineError, FailedError, HubError, RefusedError, UnavailableError
from hub.source.reaching import not_connected, root_of

__all__ = ["FOREIGN_ERRORS", "LOGIN_REFUSED", "NO_DATABASE", "not_let_in", "peer_of", "translated"]

#: SQLAlchemy's exceptions by what they mean here; the nearest class of the family decides.
FOREIGN_ERRORS: dict[type[Exception], type[HubError]] = {
    sa_exc.OperationalError: UnavailableError,
    sa_exc.InterfaceError: UnavailableError,
    sa_exc.TimeoutError: UnavailableError,
    sa_exc.DisconnectionError: UnavailableError,
    sa_exc.ProgrammingError: ConfigError,
    sa_exc.NoSuchTableError: ConfigError,
    sa_exc.NoSuchModuleError: ConfigError,
    sa_exc.ArgumentError: ConfigError,
    sa_exc.DatabaseError: FailedError,
    sa_exc.DataError: FailedError,
    sa_exc.IntegrityError: FailedError,
    sa_exc.InternalError: FailedError,
    sa_exc.NotSupportedError: FailedError,
    sa_exc.SQLAlchemyError: FailedError,
}
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "oracle": 1521, "mssql": 1433}
#: Texts, because PostgreSQL gives no code where it refuses a connection.
LOGIN_REFUSED = re.compile(
    r"authentication failed|认证失败|no password supplied|pg_hba\.conf|role .* does not exist|角色.*不存在"
    r"|not permitted to log in|不允许登[录陆]"
)
NO_DATABASE = re.compile(r"database .* does not exist|数据库.*不存在")
_LATE = re.compile(r"time(out expired|d out)")
#: What the system said, as PostgreSQL's driver repeats it.
_SAID: tuple[tuple[re.Pattern[str], OSError], ...] = (
    (re.compile("resolve host|translate host name"), socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
    (re.compile("Connection refused"), ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")),
    (re.compile("Network is unreachable"), OSError(errno.ENETUNREACH, "Network is unreachable")),
    (re.compile("No route to host"), OSError(errno.EHOSTUNREACH, "No route to host")),
)


def peer_of(url: URL) -> str:
    """host:port of a database's address, as far as they are known."""
    port = url.port or _PORTS.get(url.get_backend_name())
    return f"{url.host or 'localhost'}{f':{port}' if port else ''}"


def not_let_in(error: Exception, table: str, peer: str) -> HubError:
    """The hub's error where no connection came about, or the database does not take us."""
    original = getattr(error, "orig", None)
    text, why = str(original), type(original or error).__name__
    if LOGIN_REFUSED.search(text):
        return _login(table, why)
    if NO_DATABASE.search(text):
        return ConfigError(
            "there is no such database at {peer} ({why})", remedy="check the database's name in the source's url",
            peer=peer, why=why,
        )  # fmt: skip
    root = root_of(error)
    if isinstance(root, TimeoutError) or _LATE.search(text):
        return not_connected(root, peer, late=True)
    said = root if isinstance(root, OSError) else next((one for shape, one in _SAID if shape.search(text)), None)
    return not_connected(said, peer) if said is not None else translated(error, table)


def translated(error: Exception, table: str) -> HubError:
    """The hub's error for one of SQLAlchemy, once there is a connection."""
    kind = next((FOREIGN_ERRORS[cls] for cls in type(error).__mro__ if cls in FOREIGN_ERRORS), ConfigError)
    original = getattr(error, "orig", None)
    state, text = str(getattr(original, "sqlstate", None) or ""), str(original)
    values = {"table": table, "why": type(original or error).__name__}
    if state.startswith("28"):
        return _login(**values)
    if state == "42501":
        return RefusedError(
            "the database does not let us read {table} ({why})",
            remedy="its owner must grant SELECT on it to the user of the source's url", **values,
        )  # fmt: skip
    if state == "57014" or text == "interrupted":
        return DeadlineError(
            "{table} did not answer in time ({why})", remedy="an index on its order columns may be missing", **values
        )
    if state == "42P01" or isinstance(error, sa_exc.NoSuchTableError):
        return ConfigError(
            "the database has no table {table} that we may see",
            remedy="check the source's tables and schema in hub.toml, and that SELECT on it is granted", table=table,
        )  # fmt: skip
    if issubclass(kind, UnavailableError):
        return UnavailableError(
            "the database with {table} cannot be read ({why})",
            remedy="check its address, or that the file is there",
            **values,
        )
    if issubclass(kind, ConfigError):
        return ConfigError(
            "{table} cannot be read as configured ({why})",
            remedy="check url and tables of the source in hub.toml",
            **values,
        )
    return FailedError("reading {table} failed ({why})", **values)


def _login(table: str, why: str) -> RefusedError:
    return RefusedError(
        "the database with {table} does not let us in ({why})",
        remedy="check user and password in the source's url, and whether the database lets them in from this machine",
        table=table, why=why,
    )  # fmt: skip
