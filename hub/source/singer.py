"""A Singer tap as a source: the tap runs as a child process, its RECORDs are the rows, its STATE is the position.

The Singer specification (hub.meltano.com, "Singer Spec"): one JSON message a line on stdout, SCHEMA before the RECORDs
of a stream, STATE whenever the tap could be started again from there. Between two readings the hub's own cursor
decides: `{since}` in the tap's configuration becomes the start of the window.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from pydantic import SecretStr

from hub.errors import ConfigError, DeadlineError, EnvelopeError, FailedError, HubError
from hub.source.connector import SourceContext
from hub.source.document import PARSE_ERRORS
from hub.source.stream import Page, Position, Stream, Window

__all__ = ["SingerTransport", "Tap"]

_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """What a stream is called by the tap (the stream's own name if empty). A stream's `endpoint`."""

    stream: str = ""


class _Message(msgspec.Struct):
    type: str = ""
    stream: str = ""
    record: msgspec.Raw = msgspec.Raw(b"")
    value: msgspec.Raw = msgspec.Raw(b"")


_message = msgspec.json.Decoder(_Message)


@dataclass(slots=True)
class _Running:
    """A tap in the middle of its work, and the position its next row stands at."""

    process: subprocess.Popen[bytes]
    lines: Iterator[bytes]
    position: Position = field(default_factory=dict)


class SingerTransport:
    """The transport of taps (hub.source.stream.Transport). `Page.clock` is None: a tap tells no time.

    A position is the last STATE and how many rows came since. A tap that is still running at the same position is read on;
    a run that was cut off starts it from the STATE, and rows since then come again: which of them were read cannot be
    told by their number, because they may have changed places. `config` may hold secrets; its file lives in a private
    folder until the transport is closed.
    """

    def __init__(self, command: tuple[str, ...], config: Mapping[str, Any], context: SourceContext) -> None:
        self._command, self._config, self._context = command, config, context
        self._running: dict[str, _Running] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="hub-tap-")

    def fetch(self, stream: Stream, window: Window, position: Position | None) -> Page:
        place = position or {}
        running = self._running.pop(stream.name, None)
        if running is None or running.position != place or not place:
            if running is not None:
                _stop(running.process)
            running = self._start(stream, window, place)
        try:
            rows, ended = self._read(running, _tap(stream).stream or stream.name)
            if ended:
                self._finish(running)
                return Page(rows, None)
        except BaseException:
            # In a session of its own, it hears of no interrupt meant for the hub.
            _stop(running.process)
            raise
        self._running[stream.name] = running
        return Page(rows, dict(running.position))

    def detail(self, stream: Stream, row: bytes) -> bytes:
        """A row is the whole record."""
        return row

    def renew(self) -> None:
        """There is no session to renew: signing in is the tap's affair."""

    def close(self) -> None:
        for running in self._running.values():
            _stop(running.process)
        self._running.clear()
        self._folder.cleanup()

    def _start(self, stream: Stream, window: Window, position: Position) -> _Running:
        since = window.since.isoformat() if window.since else "1970-01-01T00:00:00+00:00"
        arguments = ["--config", self._file(stream, "config", _filled(self._config, since))]
        catalog = self._selected(arguments, _tap(stream).stream or stream.name)
        arguments += ["--catalog", self._file(stream, "catalog", catalog)]
        if "state" in position:
            arguments += ["--state", self._file(stream, "state", position["state"])]
        process = self._spawn(arguments)
        assert process.stdout is not None
        return _Running(process, iter(process.stdout), position)

    def _selected(self, arguments: list[str], wanted: str) -> Any:
        """The tap's own catalog with this one stream selected."""
        process = self._spawn([*arguments, "--discover"])
        try:
            out, _ = process.communicate(timeout=self._context.deadline_s)
            catalog = msgspec.json.decode(out)
        except subprocess.TimeoutExpired:
            raise self._overdue() from None
        except PARSE_ERRORS as error:
            raise EnvelopeError("the tap's catalog cannot be read", remedy="run the tap with --discover") from error
        finally:
            _stop(process)
        names = [entry.get("tap_stream_id") or entry.get("stream") for entry in catalog.get("streams", [])]
        if wanted not in names:
            raise ConfigError(
                "the tap has no stream {stream}", stream=wanted, remedy="it has {known}",
                known=", ".join(map(str, names)),
            )  # fmt: skip
        for entry, name in zip(catalog["streams"], names, strict=True):
            entry["selected"] = name == wanted
            whole = next((item for item in entry.get("metadata", []) if not item.get("breadcrumb")), None)
            if whole is None:
                whole = {"breadcrumb": [], "metadata": {}}
                entry.setdefault("metadata", []).append(whole)
            whole["metadata"]["selected"] = name == wanted
        return catalog

    def _read(self, running: _Running, wanted: str) -> tuple[list[bytes], bool]:
        """Rows of one page, and whether the tap is done."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            _kill(running.process)

        timer = threading.Timer(self._context.deadline_s, give_up)
        timer.start()
        rows: list[bytes] = []
        try:
            while len(rows) < _ROWS:
                row = self._next_row(running, wanted)
                if row is None:
                    if late.is_set():
                        raise self._overdue()
                    return rows, True
                rows.append(row)
                running.position = {**running.position, "rows": running.position.get("rows", 0) + 1}
        finally:
            timer.cancel()
        return rows, False

    def _next_row(self, running: _Running, wanted: str) -> bytes | None:
        for line in running.lines:
            try:
                message = _message.decode(line)
            except PARSE_ERRORS as error:
                raise EnvelopeError(
                    "the tap wrote a line that is no Singer message", remedy="a tap must print messages only on stdout"
                ) from error
            if message.type == "STATE":
                running.position = {"state": json.loads(bytes(message.value)), "rows": 0}
            elif message.type == "RECORD" and message.stream == wanted:
                return bytes(message.record)
        return None

    def _finish(self, running: _Running) -> None:
        try:
            code = running.process.wait(timeout=self._context.deadline_s)
        except subprocess.TimeoutExpired:
            raise self._overdue() from None
        _stop(running.process)
        if code != 0:
            raise FailedError(
                "the tap ended with exit code {code}", code=code, remedy="run it by hand to see what it says on stderr"
            )

    def _spawn(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise ConfigError(
                "the tap {command} cannot be started: {why}",
                command=self._command[0],
                why=type(error).__name__,
                remedy="install it in an environment of its own and name its path",
            ) from error

    def _file(self, stream: Stream, name: str, value: Any) -> str:
        """A file for the tap of this one stream: streams are read at the same time."""
        path = Path(self._folder.name) / f"{quote(stream.name, safe='')}.{name}.json"
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(value))
        return str(path)

    def _overdue(self) -> HubError:
        return DeadlineError(
            "the tap did not answer in {seconds} s", seconds=f"{self._context.deadline_s:g}",
            remedy="raise request_deadline of this source, or make the tap's pages smaller",
        )  # fmt: skip


def _tap(stream: Stream) -> Tap:
    return stream.endpoint if isinstance(stream.endpoint, Tap) else Tap()


def _filled(value: Any, since: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(item, since) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item, since) for item in value]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return since if value == "{since}" else value


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With every process it started: one of them may hold the pipe. Once it is waited for, its number may be another's."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    _kill(process)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
