"""The kit connector authors use. Names are loaded when first asked for, so that starting the hub does not load httpx.

from hub.source import Connector, Stream, Endpoint, RestTransport, ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.source.auth import (
        ApiKey,
        Auth,
        Basic,
        Bearer,
        OAuth2ClientCredentials,
        SessionCookie,
        TokenAuth,
        TokenLogin,
    )
    from hub.source.client import Answer, Client
    from hub.source.connector import Connector, ConnectorConfig, FileLedger, SourceContext, Token, TokenStore
    from hub.source.envelope import Check, Envelope, ErrorKind, Split
    from hub.source.files import FileSpec, FileTransport
    from hub.source.gateways import GATEWAY_CHECK, GATEWAY_CODES, BgHmac, GatewayMd5
    from hub.source.keyset import Keyset
    from hub.source.paging import CursorToken, NextLink, Offset, OnePage, PageNumber, Paging
    from hub.source.rest import Detail, Endpoint, RestTransport, WindowParams
    from hub.source.stream import Cursor, FileMark, Page, Position, RawRow, Stream, Transport, Window
    from hub.source.table import Table, TableTransport
    from hub.source.xml import XmlEnvelope, xml_to_flat

__all__ = [
    "GATEWAY_CHECK",
    "GATEWAY_CODES",
    "Answer",
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "BgHmac",
    "Check",
    "Client",
    "Connector",
    "ConnectorConfig",
    "Cursor",
    "CursorToken",
    "Detail",
    "Endpoint",
    "Envelope",
    "ErrorKind",
    "FileLedger",
    "FileMark",
    "FileSpec",
    "FileTransport",
    "GatewayMd5",
    "Keyset",
    "NextLink",
    "OAuth2ClientCredentials",
    "Offset",
    "OnePage",
    "Page",
    "PageNumber",
    "Paging",
    "Position",
    "RawRow",
    "RestTransport",
    "SessionCookie",
    "SourceContext",
    "Split",
    "Stream",
    "Table",
    "TableTransport",
    "Token",
    "TokenAuth",
    "TokenLogin",
    "TokenStore",
    "Transport",
    "Window",
    "WindowParams",
    "XmlEnvelope",
    "xml_to_flat",
]

_MODULES = {
    "auth": (
        "ApiKey",
        "Auth",
        "Basic",
        "Bearer",
        "OAuth2ClientCredentials",
        "SessionCookie",
        "TokenAuth",
        "TokenLogin",
    ),
    "client": ("Answer", "Client"),
    "connector": ("Connector", "ConnectorConfig", "FileLedger", "SourceContext", "Token", "TokenStore"),
    "envelope": ("Check", "Envelope", "ErrorKind", "Split"),
    "files": ("FileSpec", "FileTransport"),
    "gateways": ("GATEWAY_CHECK", "GATEWAY_CODES", "BgHmac", "GatewayMd5"),
    "keyset": ("Keyset",),
    "paging": ("CursorToken", "NextLink", "Offset", "OnePage", "PageNumber", "Paging"),
    "rest": ("Detail", "Endpoint", "RestTransport", "WindowParams"),
    "stream": ("Cursor", "FileMark", "Page", "Position", "RawRow", "Stream", "Transport", "Window"),
    "table": ("Table", "TableTransport"),
    "xml": ("XmlEnvelope", "xml_to_flat"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
