"""What a sync is at, on stderr if that is a terminal, and not a word otherwise."""

import sys
import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from hub.commands.output import Output
from hub.sync.result import RunResult

__all__ = ["SyncProgress"]


class SyncProgress:
    """A line a stream with counts and rate. `page` and `done` may be called from several threads."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._tasks: dict[tuple[str, str, str], TaskID] = {}
        self._began: dict[TaskID, float] = {}
        self._lock = threading.Lock()
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(finished_text="•"),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def page(self, result: RunResult) -> None:
        """A page was stored."""
        task = self._task(result)
        counts, elapsed = result.counts, time.monotonic() - self._began[task]
        rate = counts.fetched / elapsed if elapsed else 0.0
        said = self._output.text(
            "{fetched} read, {new} new, {changed} changed, {rate}/s",
            fetched=f"{counts.fetched:,}",
            new=f"{counts.new:,}",
            changed=f"{counts.changed:,}",
            rate=f"{rate:,.0f}",
        )
        self._progress.update(task, said=said)

    def done(self, result: RunResult) -> None:
        """A run ended: its line goes."""
        self._progress.remove_task(self._task(result))

    def _task(self, result: RunResult) -> TaskID:
        key = (result.source, result.stream, result.partition)
        with self._lock:
            if key not in self._tasks:
                name = "/".join(part for part in key if part)
                self._tasks[key] = task = self._progress.add_task(name, total=None, said="")
                self._began[task] = time.monotonic()
            return self._tasks[key]
