"""From a section's raw values to its model; whatever is wrong becomes a ConfigError that names the line."""

import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from hub.config.nearest import nearest
from hub.config.places import KeyPath, Places
from hub.config.redact import redactor
from hub.config.secrets import literal_password, literal_secrets, secret_values
from hub.errors import ConfigError

__all__ = ["read_section", "unknown_key"]

M = TypeVar("M", bound=BaseModel)


def read_section(
    model: type[M], raw: Mapping[str, Any], places: Places, *, known: Iterable[str] = (), beside: Iterable[str] = ()
) -> tuple[M | None, tuple[ConfigError, ...]]:
    """The validated section, or None and everything that is wrong with it, in the order of the file. `beside`: keys that
    stand in the section and are not for this model, among which a missing one may be misspelt."""
    try:
        section = model.model_validate(dict(raw))
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_input=False)
        strays = [key for key in (*raw, *beside) if key not in model.model_fields]
        return None, tuple(_problem(model, dict(error), places, tuple(known), strays) for error in found)
    redactor.add(secret_values(section))
    exposed = list(literal_secrets(section, dict(raw)))
    exposed += [(name,) for name, value in raw.items() if literal_password(value)]
    if exposed:
        return None, tuple(_literal(path, places) for path in exposed)
    return section, ()


def unknown_key(path: KeyPath, places: Places, known: Iterable[str]) -> ConfigError:
    """The error for a setting nobody knows, with the nearest name if one is near."""
    names = tuple(known)
    guess = nearest(str(path[-1]), names)
    if guess:
        return ConfigError(
            "{place}: {key} is not a setting",
            remedy="did you mean {nearest}?",
            place=places.of(path),
            key=places.key(path),
            nearest=guess,
        )
    return ConfigError(
        "{place}: {key} is not a setting",
        remedy="known here: {known}",
        place=places.of(path),
        key=places.key(path),
        known=", ".join(sorted(names)),
    )


def _literal(path: KeyPath, places: Places) -> ConfigError:
    return ConfigError(
        "{place}: {key} is a secret and stands in the file as it is",
        remedy="write ${{env:NAME}} or ${{file:PATH}} and change the secret at its source",
        place=places.of(path),
        key=places.key(path),
    )


def _missing(path: KeyPath, places: Places, strays: Iterable[str]) -> ConfigError:
    written = nearest(str(path[-1]), strays) if len(path) == 1 else None
    if written is not None:
        return ConfigError(
            "{place}: {key} is missing",
            remedy="{written} stands there: did you mean {name}?",
            place=places.of((written,)),
            key=places.key(path),
            written=written,
            name=path[-1],
        )
    return ConfigError(
        "{place}: {key} is missing", remedy="add it to the section", place=places.of(path), key=places.key(path)
    )


def _problem(
    model: type[BaseModel], error: dict[str, Any], places: Places, known: tuple[str, ...], strays: list[str]
) -> ConfigError:
    path: KeyPath = error["loc"]
    where = {"place": places.of(path), "key": places.key(path)}
    match error["type"]:
        case "extra_forbidden":
            inner = _model_at(model, path[:-1])
            names = known if len(path) == 1 and known else tuple(inner.model_fields) if inner else ()
            return unknown_key(path, places, names)
        case "missing":
            return _missing(path, places, strays)
        case "literal_error" | "enum":
            expected = str(error.get("ctx", {}).get("expected", ""))
            return ConfigError("{place}: {key} must be one of {expected}", **where, expected=expected)
        case "duration":
            return ConfigError("{place}: {key} is not a duration", remedy="write 5m, 2h, 1d, PT5M or P90D", **where)
        case "schedule":
            return ConfigError(
                "{place}: {key} is no schedule",
                remedy="write five cron fields such as 0 6 * * 1-5, or an interval such as 5m or PT5M",
                **where,
            )
        case "start":
            return ConfigError(
                "{place}: {key} is no start",
                remedy="write a day (2026-01-01), an instant with offset, or a length such as P90D",
                **where,
            )
        case "zone":
            return ConfigError("{place}: {key} is no time zone", remedy="write a name such as Asia/Shanghai", **where)
        case _:
            return ConfigError("{place}: {key} cannot be used: {why}", **where, why=error["msg"])


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model that a path inside a section leads into, through optional, list and dict annotations."""
    found: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int) or found is None:
            continue
        info = found.model_fields.get(part)
        found = _inner_model(info.annotation) if info else None
    return found


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, Annotated, list, tuple, dict):
        return next((model for item in get_args(annotation) if (model := _inner_model(item))), None)
    return None
