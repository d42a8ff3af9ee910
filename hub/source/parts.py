"""Kit parts written as tables: `{ kind = "keyset", per_page = 200 }` becomes `Keyset(per_page=200)`, or an error that
names file and key. Any keyword of a part can be written; durations are text (`10m`, `PT10M`)."""

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args, get_type_hints

from pydantic import AwareDatetime, SecretStr, TypeAdapter, ValidationError

from hub.config.nearest import nearest
from hub.config.places import KeyPath, Places
from hub.config.values import Duration
from hub.errors import PluginError
from hub.source.auth import ApiKey, Auth, Basic, Bearer, OAuth2ClientCredentials, SessionCookie, TokenLogin
from hub.source.envelope import Check, Envelope
from hub.source.gateways import BgHmac, GatewayMd5
from hub.source.keyset import Keyset
from hub.source.paging import CursorToken, NextLink, Offset, OnePage, PageNumber
from hub.source.rest import Detail, Endpoint, WindowParams
from hub.source.stream import Cursor, Stream
from hub.source.table import Table
from hub.source.xml import XmlEnvelope

__all__ = ["KINDS", "Place", "kind_of", "make", "stream_of"]

#: Key → what `kind` may say there. The first is meant where nothing is said.
KINDS: dict[str, dict[str, type]] = {
    "auth": {
        "none": Auth, "api_key": ApiKey, "basic": Basic, "bearer": Bearer, "oauth2": OAuth2ClientCredentials,
        "session": SessionCookie, "token": TokenLogin, "gateway_md5": GatewayMd5, "bg_hmac": BgHmac,
    },
    "paging": {
        "one_page": OnePage, "page_number": PageNumber, "offset": Offset, "cursor_token": CursorToken,
        "next_link": NextLink, "keyset": Keyset,
    },
    "envelope": {"json": Envelope, "xml": XmlEnvelope},
}  # fmt: skip
#: Key → the part its table is, where there is only one.
_TABLES: dict[str, type] = {
    "window": WindowParams, "detail": Detail, "cursor": Cursor, "table": Table, "checks": Check,
}  # fmt: skip
#: What the engine or the clock gives, and what only code can say.
_NOT_WRITTEN = {
    "self", "tokens", "now", "endpoint", "reshape",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A key of a connector.toml, for errors."""

    places: Places
    path: KeyPath = ()

    def at(self, *keys: str | int) -> "Place":
        return Place(self.places, (*self.path, *keys))

    def error(self, reason: str) -> PluginError:
        """What cannot be used here; `reason` is the checking library's own sentence."""
        return PluginError(
            "{place}: {key} cannot be used: {why}", place=self.places.of(self.path), key=self.places.key(self.path),
            why=reason, remedy="see docs/connectors/README.md for what it may be",
        )  # fmt: skip

    def unknown(self, known: Mapping[str, object] | set[str]) -> PluginError:
        name = str(self.path[-1])
        return PluginError(
            "{place}: {key} is not known here", place=self.places.of(self.path), key=self.places.key(self.path),
            remedy="there is {known}", known=nearest(name, known) or ", ".join(sorted(known)),
        )  # fmt: skip

    def missing(self, name: str) -> PluginError:
        return PluginError(
            "{place}: {key} is missing", place=self.places.of(self.path), key=self.places.key((*self.path, name)),
            remedy="add it",
        )  # fmt: skip


def make(part: Callable[..., Any], table: Any, where: Place, **given: Any) -> Any:
    """Call `part` with what the table says and what is `given`. PluginError for the first key that is wrong."""
    if not isinstance(table, dict):
        raise where.error("must be a table")
    # Through getattr, since the class is a value here and the checker would warn of subclasses.
    hints = get_type_hints(getattr(part, "__init__") if isinstance(part, type) else part)  # noqa: B009
    signature = inspect.signature(part)
    known = {name for name in signature.parameters if name not in _NOT_WRITTEN and name not in given}
    arguments = {name: value for name, value in given.items() if name in signature.parameters}
    for name, value in table.items():
        if name not in known:
            raise where.at(name).unknown(known)
        arguments[name] = _value(name, value, hints.get(name, Any), where.at(name), given)
    for name, parameter in signature.parameters.items():
        if parameter.default is parameter.empty and name not in arguments and name in known:
            raise where.missing(name)
    try:
        return part(**arguments)
    except ValidationError as error:
        raise where.error(error.errors(include_input=False)[0]["msg"]) from error


def kind_of(name: str, table: Any, where: Place, **given: Any) -> Any:
    """A part whose table says its `kind`."""
    if not isinstance(table, dict):
        raise where.error("must be a table")
    kinds = KINDS[name]
    kind = table.get("kind", next(iter(kinds)))
    if kind not in kinds:
        raise where.at("kind").error(f"one of {', '.join(kinds)}")
    rest = {key: value for key, value in table.items() if key != "kind"}
    return make(kinds[kind], rest, where, **given)


def _value(name: str, value: Any, hint: Any, where: Place, given: dict[str, Any]) -> Any:
    if name in KINDS:
        return kind_of(name, value, where, **given)
    if name == "checks":
        if not isinstance(value, list):
            raise where.error("must be a list of tables")
        return tuple(make(Check, _nulls(check), where.at(index)) for index, check in enumerate(value))
    if name in _TABLES and _TABLES[name] in _parts(hint):
        return make(_TABLES[name], value, where, **given)
    if _secret_in(value) and SecretStr not in _parts(hint):
        raise where.error("a secret belongs into auth, where it is kept out of addresses and logs")
    try:
        return TypeAdapter(_readable(hint)).validate_python(_nulls(value) if name in ("ok", "empty") else value)
    except ValidationError as error:
        raise where.error(error.errors(include_input=False)[0]["msg"]) from error


def _readable(hint: Any) -> Any:
    """The annotation that reads TOML's way of saying the same: durations as text, instants only with an offset."""
    swaps: dict[Any, Any] = {timedelta: Duration, datetime: AwareDatetime}
    if hint in swaps:
        return swaps[hint]
    if isinstance(hint, types.UnionType):
        optional = [swaps[item] for item in get_args(hint) if item in swaps]
        return optional[0] | None if optional else hint
    return hint


def _nulls(value: Any) -> Any:
    """TOML has no null; `{}` stands for it in lists of values."""
    if isinstance(value, list):
        return [None if item == {} else item for item in value]
    if isinstance(value, dict):
        return {key: _nulls(item) if key == "ok" else item for key, item in value.items()}
    return value


def _secret_in(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_secret_in, value.values()))
    return any(map(_secret_in, value)) if isinstance(value, list) else isinstance(value, SecretStr)


def _parts(hint: Any) -> set[Any]:
    """An annotation and everything inside it."""
    return {hint}.union(*map(_parts, get_args(hint))) if get_args(hint) else {hint}


def stream_of(table: dict[str, Any], where: Place, **given: Any) -> Stream:
    """A REST stream: its own keys and its endpoint's, which share one table because no name stands in both."""
    own = {name for name in inspect.signature(Stream).parameters if name not in _NOT_WRITTEN}
    ours = {key: value for key, value in table.items() if key in own}
    theirs = {key: value for key, value in table.items() if key not in own}
    if "path" not in table:
        raise where.missing("path")
    known = own | set(inspect.signature(Endpoint).parameters)
    for key in theirs:
        if key not in known:
            raise where.at(key).unknown(known)
    endpoint = make(Endpoint, theirs, where)
    stream: Stream = make(Stream, ours, where, endpoint=endpoint, **given)
    return stream
