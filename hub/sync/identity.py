"""Who a raw record is, read without decoding the rest of it: its native id, and what an exchange log says of it."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from hub.mapping.record import Tree
from hub.mapping.transforms import word_of
from hub.mapping.values import Leaf

__all__ = ["Head", "HeadReader", "NoIdentityError"]


_ENCODE = msgspec.json.Encoder().encode


class NoIdentityError(ValueError):
    """The record has no usable native id; the text says why, without values."""


class Head(msgspec.Struct, frozen=True, gc=False):
    """`native_id` is JSON text. `withdrawn`: the source says it is gone; `changed`: the cursor's leaf, for such records."""

    native_id: str
    withdrawn: bool
    changed: Leaf


class HeadReader:
    """Reads heads of one stream's (reshaped) records."""

    def __init__(
        self,
        id_paths: tuple[str, ...],
        operation: str | None,
        deletes: tuple[str, ...],
        cursor: str | None,
    ) -> None:
        self._deletes = frozenset(map(word_of, deletes)) if operation else frozenset()
        tree = Tree()
        for path in id_paths:
            tree.add(path)
        if operation:
            tree.add(operation, optional=True)
            if cursor:
                tree.add(cursor, optional=True)
        self._decode = msgspec.json.Decoder(tree.record_struct()).decode
        self._ids = [_getter(tree.attribute(path)) for path in id_paths]
        self._only = self._ids[0] if len(self._ids) == 1 else None
        self._operation = _getter(tree.attribute(operation)) if operation else None
        self._cursor = _getter(tree.attribute(cursor)) if operation and cursor else None
        self.paths = id_paths

    def read(self, flat: bytes) -> Head:
        """NoIdentityError for a record without id; the id of a composite key is the JSON array of its parts."""
        try:
            record = self._decode(flat)
        except msgspec.ValidationError:
            raise NoIdentityError(f"no native id at {', '.join(self.paths)}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NoIdentityError("not JSON") from None
        if self._only is not None:
            part = self._only(record)
            native_id = _ENCODE(part) if part.__class__ is str and part.strip() else self._native_id([part])
        else:
            native_id = self._native_id([get(record) for get in self._ids])
        if self._operation is None:
            return Head(native_id.decode(), False, None)
        withdrawn = word_of(self._operation(record)) in self._deletes
        return Head(native_id.decode(), withdrawn, self._cursor(record) if self._cursor else None)

    def _native_id(self, parts: list[Leaf]) -> bytes:
        for part in parts:
            # Of blanks alone is what a column of fixed width pads an empty id to, and each such row would pass for the last.
            if part is None or isinstance(part, bool | float) or (isinstance(part, str) and not part.strip()):
                raise NoIdentityError(f"no native id at {', '.join(self.paths)}")
        return _ENCODE(parts[0] if len(parts) == 1 else parts)


def _getter(names: tuple[str, ...]) -> Callable[[Any], Leaf]:
    if len(names) == 1:
        return attrgetter(names[0])

    def get(record: Any) -> Leaf:
        leaf: Any = record
        for name in names:
            leaf = getattr(leaf, name) if leaf is not None else None
        found: Leaf = leaf
        return found

    return get
