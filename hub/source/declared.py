"""A connector without Python: a package of a `connector.toml`, an empty `__init__.py` and `mappings/`.

The file names its settings, how to sign in, and its streams; `${name}` stands for what the operator set, and a key
whose setting was left out is left out too. Everything is built once when the file is read, with samples in place of
settings, so that a mistake is found before any source is configured.
"""

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, Field, SecretStr, create_model

from hub.config.places import Places, key_lines
from hub.config.values import Duration
from hub.errors import PluginError
from hub.source.auth import Auth
from hub.source.connector import Connector, ConnectorConfig, SourceContext
from hub.source.files import FileSpec, FileTransport
from hub.source.parts import Place, kind_of, make, stream_of
from hub.source.rest import RestTransport
from hub.source.stream import Stream, Transport
from hub.source.table import Table, TableTransport
from hub.source.xml import xml_to_flat

__all__ = ["FILE_NAME", "DeclaredConnector", "read_connector"]

FILE_NAME = "connector.toml"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SETTING = re.compile(r"\$\{(\w+)\}")
_TRANSPORTS = ("rest", "table", "files")
_TOP = ("name", "title", "title_en", "settings", "streams", *_TRANSPORTS)
#: type in the file → (annotation, what stands for a value while the file is checked)
_TYPES: dict[str, tuple[Any, Any]] = {
    "text": (str, "https://source.invalid"),
    "secret": (SecretStr, SecretStr("secret")),
    "integer": (int, 1),
    "number": (float, 1.0),
    "boolean": (bool, True),
    "duration": (Duration, timedelta(minutes=1)),
    "instant": (AwareDatetime, datetime(2000, 1, 1, tzinfo=UTC)),
}
_ARRIVAL: dict[str, Literal["poll", "table", "file"]] = {"rest": "poll", "table": "table", "files": "file"}
_LEFT_OUT = object()


class DeclaredConnector(Connector):
    """What a connector.toml declares, as the class the engine knows."""

    declaration: ClassVar[dict[str, Any]]
    place: ClassVar[Place]

    def streams(self, config: Any) -> tuple[Stream, ...]:
        values = {name: getattr(config, name) for name in type(config).model_fields}
        return _streams(self.declaration, values, self.place, self.name)

    def transport(self, config: Any, context: SourceContext) -> Transport:
        values = {name: getattr(config, name) for name in type(config).model_fields}
        way = _transport_key(self.declaration, self.place)
        where = self.place.at(way)
        table = _filled(self.declaration[way], values, where)
        if way == "rest":
            return RestTransport(_needed(table, "base_url", where), context, _auth(table, where, context))
        if way == "table":
            return TableTransport(_needed(table, "url", where), context)
        return FileTransport(_needed(table, "folder", where), _file_kinds(table, where), context)


def read_connector(path: Path) -> type[Connector]:
    """The connector a file declares. PluginError names file, line and key of the first mistake."""
    try:
        text = path.read_text("utf-8-sig")
        declaration = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PluginError("{path} cannot be read: {why}", remedy="check the file", path=path.name, why=error) from error
    where = Place(Places(path, key_lines(text)))
    _check_top(declaration, where)
    settings = declaration.get("settings", {})
    config = _config(settings, where.at("settings"))
    name = declaration["name"]
    connector = type(
        "".join(part.title() for part in name.split("_")),
        (DeclaredConnector,),
        {
            "__doc__": f"Declared in {path.name}.", "name": name, "title": declaration["title"],
            "title_en": declaration["title_en"], "arrival": _ARRIVAL[_transport_key(declaration, where)],
            "Config": config, "declaration": declaration, "place": where,
        },
    )  # fmt: skip
    _try_out(declaration, settings, where)
    return connector


def _check_top(declaration: dict[str, Any], where: Place) -> None:
    for key in declaration:
        if key not in _TOP:
            raise where.at(key).unknown(set(_TOP))
    for key in ("name", "title", "title_en"):
        if not isinstance(declaration.get(key), str):
            raise where.missing(key)
    if not _NAME.fullmatch(declaration["name"]):
        raise where.at("name").error("small letters, digits and single underscores")
    _transport_key(declaration, where)


def _transport_key(declaration: dict[str, Any], where: Place) -> str:
    found = [way for way in _TRANSPORTS if way in declaration]
    if len(found) != 1:
        raise where.error("it needs one of [rest], [table] and [files]")
    return found[0]


def _config(settings: Any, where: Place) -> type[ConnectorConfig]:
    """A model of the settings: `{ description, type, default | optional, choices, min, max, pattern, example }`."""
    if not isinstance(settings, dict):
        raise where.error("must be a table")
    fields: dict[str, Any] = {}
    for name, table in settings.items():
        fields[name] = make(_setting, table, where.at(name))
    return create_model("Config", __base__=ConnectorConfig, **fields)


def _setting(
    description: str,
    type: Literal["", "text", "secret", "integer", "number", "boolean", "duration", "instant"] = "",
    default: Any = None,
    optional: bool = False,
    choices: tuple[str, ...] = (),
    min: float | None = None,
    max: float | None = None,
    pattern: str | None = None,
    example: str = "",
) -> tuple[Any, Any]:
    """Annotation and field of one setting; without `type` the default's own type counts."""
    annotation = Literal[choices] if choices else _TYPES[type or _type_of(default)][0]
    limits = {key: value for key, value in (("ge", min), ("le", max), ("pattern", pattern)) if value is not None}
    examples = [example] if example else None
    if optional:
        return annotation | None, Field(None, description=description, examples=examples, **limits)  # type: ignore[call-overload]
    default = ... if default is None else default
    field = Field(default, description=description, examples=examples, validate_default=default is not ..., **limits)  # type: ignore[call-overload]
    return annotation, field


def _type_of(default: Any) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", datetime: "instant"}
    return kinds.get(type(default), "text")


def _try_out(declaration: dict[str, Any], settings: dict[str, Any], where: Place) -> None:
    samples = {name: _sample(table) for name, table in settings.items()}
    way = _transport_key(declaration, where)
    table, at = _filled(declaration[way], samples, where.at(way)), where.at(way)
    _needed(table, {"rest": "base_url", "table": "url", "files": "folder"}[way], at)
    for key in table:
        if key not in {"rest": ("base_url", "auth"), "table": ("url",), "files": ("folder", "kinds")}[way]:
            raise at.at(key).unknown({"base_url", "auth", "url", "folder", "kinds"})
    if way == "rest":
        _auth(table, at, None)
    _streams(declaration, samples, where, declaration["name"])


def _sample(table: dict[str, Any]) -> Any:
    default = table.get("default")
    if table.get("choices"):
        return default or table["choices"][0]
    kind = table.get("type") or _type_of(default)
    return _TYPES[kind][1] if default is None or kind in ("duration", "instant") else default


def _streams(declaration: dict[str, Any], values: dict[str, Any], where: Place, connector: str) -> tuple[Stream, ...]:
    way = _transport_key(declaration, where)
    if way == "files":
        return _file_streams(_file_kinds(_filled(declaration["files"], values, where.at("files")), where.at("files")))
    tables = declaration.get("streams")
    if not isinstance(tables, dict) or not tables:
        raise where.missing("streams")
    streams = []
    for name, table in tables.items():
        at = where.at("streams", name)
        filled = {"title": name, "mapping": f"{connector}/{name}", **_filled(table, values, at)}
        streams.append(_rest_stream(name, filled, at) if way == "rest" else _table_stream(name, filled, at))
    return tuple(streams)


def _rest_stream(name: str, table: dict[str, Any], where: Place) -> Stream:
    xml = isinstance(table.get("envelope"), dict) and table["envelope"].get("kind") == "xml"
    return stream_of(table, where, name=name, reshape=xml_to_flat if xml else None)


def _table_stream(name: str, table: dict[str, Any], where: Place) -> Stream:
    if "table" not in table:
        raise where.missing("table")
    endpoint = make(Table, table["table"], where.at("table"))
    rest = {key: value for key, value in table.items() if key != "table"}
    stream: Stream = make(Stream, rest, where, name=name, endpoint=endpoint)
    return stream


def _file_kinds(table: dict[str, Any], where: Place) -> tuple[FileSpec, ...]:
    return tuple(make(FileSpec, kind, where.at("kinds", at)) for at, kind in enumerate(_needed(table, "kinds", where)))


def _file_streams(kinds: tuple[FileSpec, ...]) -> tuple[Stream, ...]:
    first = {kind.stream: kind.mapping for kind in reversed(kinds)}
    names = dict.fromkeys(kind.stream for kind in kinds)
    return tuple(Stream(name=name, title=name, mapping=first[name], complete=False) for name in names)


def _auth(table: dict[str, Any], where: Place, context: SourceContext | None) -> Auth:
    """How to sign in; not at all where the secret is an optional setting nobody gave."""
    tokens = context.tokens if context else None
    auth: Auth = kind_of("auth", table.get("auth", {}), where.at("auth"), tokens=tokens)
    return auth


def _needed(table: dict[str, Any], key: str, where: Place) -> Any:
    if table.get(key) is None:
        raise where.missing(key)
    return table[key]


def _filled(value: Any, settings: dict[str, Any], where: Place) -> Any:
    """The value with `${name}` replaced at any depth: alone by the setting itself, inside text by its text."""
    if isinstance(value, dict):
        filled = {key: _filled(item, settings, where.at(key)) for key, item in value.items()}
        kept = {key: item for key, item in filled.items() if item is not _LEFT_OUT}
        # A sign-in without its secret is no sign-in; any other table does without the one key.
        return {} if where.path[-1:] == ("auth",) and len(kept) < len(value) else kept
    if isinstance(value, list):
        return [_filled(item, settings, where.at(at)) for at, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _SETTING.findall(value):
        if name not in settings:
            raise where.error(f"[settings] has no {name}")
    if (alone := _SETTING.fullmatch(value)) is not None:
        found = settings[alone[1]]
        return _LEFT_OUT if found is None else found
    if any(isinstance(settings[name], SecretStr) for name in _SETTING.findall(value)):
        return SecretStr(_SETTING.sub(lambda place: _text(settings[place[1]]), value))
    return _SETTING.sub(lambda place: _text(settings[place[1]]), value)


def _text(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else "" if value is None else str(value)
