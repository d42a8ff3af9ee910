"""The class a connector author writes, and what the engine gives it to work with."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from hub.source.rows import KnownText
from hub.source.stream import Stream, Transport

if TYPE_CHECKING:
    import httpx

__all__ = ["Connector", "ConnectorConfig", "FileLedger", "SourceContext", "Token", "TokenStore"]


class ConnectorConfig(BaseModel):
    """A connector's own settings in `[sources.NAME]`. Every field has a description; secrets are `SecretStr`, and a field
    that may hold one among other things has `repr=False`: `hub settings` shows all others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Token:
    """What a source gave us to sign with. `values` are secret; `expires_at` is UTC by our clock."""

    values: dict[str, str] = field(repr=False)
    expires_at: datetime | None = None


class TokenStore(Protocol):
    """Tokens shared by every process on this store, because two clients on one key invalidate each other (domain.md
    §1.1)."""

    def get(self, key: str) -> Token | None: ...

    def put(self, key: str, token: Token) -> None: ...

    def forget(self, key: str, token: Token) -> None:
        """Drop exactly this token; a newer one that another process stored meanwhile stays."""

    def mark(self, credentials: str) -> str:
        """By what a token is known as fetched with these credentials; nobody can tell or try them from it without the
        store's key."""

    def refreshing(self, account: str) -> AbstractContextManager[None]:
        """A short lease: one process fetches a new token, the others wait and then find it with `get`."""


class FileLedger(Protocol):
    """Which dropped files were read already, by content."""

    def seen(self, sha256: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """What the hub lends a transport. `http` are the operator's network settings for httpx.HTTPTransport;
    `acquire(host)` waits for the host's shared request budget; `deadline_s` bounds one request from first byte to last;
    `max_bytes` its body. `known(stream, digest)` is what is remembered of a text of rows that was read and stored before,
    else None."""

    source: str
    tokens: TokenStore
    files: FileLedger
    http: dict[str, Any] = field(default_factory=dict)
    acquire: Callable[[str], None] = lambda host: None
    known: Callable[[Stream, bytes], KnownText | None] = lambda stream, digest: None
    transport: "httpx.BaseTransport | None" = None
    deadline_s: float = 60.0
    max_bytes: int = 64 * 1024 * 1024
    base_folder: Path = Path()


class Connector(ABC):
    """A family of upstream systems. `name` is what `connector = "…"` names in hub.toml; `title` is its Chinese name.

    Streams may depend on the settings (csv_drop). A connector holds no state: positions, tokens and files read are the
    engine's.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    title_en: ClassVar[str]
    arrival: ClassVar[Literal["poll", "table", "file"]] = "poll"
    Config: ClassVar[type[ConnectorConfig]] = ConnectorConfig

    @abstractmethod
    def streams(self, config: Any) -> tuple[Stream, ...]:
        """What the system has to be read, under these settings."""

    @abstractmethod
    def transport(self, config: Any, context: SourceContext) -> Transport:
        """The way to it; closed by whoever asked for it."""
