"""Where the hub's CPU goes: each stage's own CPU per record, by timers around the functions it is made of.

    python stages.py FOLDER RECORDS [--full-refresh]

A stage's figure is its thread's CPU without the stages inside it. The mapper is called once a record, which adds about
0.3 µs of the timer itself.
"""

import functools
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from hub_child import open_hub

import hub.store.write as write
import hub.sync.run as run
from hub.commands.session import collect_rarely
from hub.mapping.mapping import Mapper
from hub.source.client import Client
from hub.source.envelope import Envelope
from hub.source.rest import RestTransport
from hub.store.migrate import upgrade
from hub.store.store import Transaction
from hub.sync.decide import Decider
from hub.sync.prepare import Preparer
from hub.sync.run import RunOptions

__all__ = ["Stages"]


class Stages:
    """CPU by stage, each thread's own, nested stages taken off the outer one."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inner: dict[int, list[float]] = defaultdict(list)

    def around(self, owner: Any, name: str, label: str = "") -> None:
        """Time every call of `owner.name`."""
        function = getattr(owner, name)
        label = label or name.strip("_")

        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            import threading

            inner = self._inner[threading.get_ident()]
            inner.append(0.0)
            began = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                took = time.thread_time() - began
                self.spent[label] += took - inner.pop()
                if inner:
                    inner[-1] += took

        setattr(owner, name, timed)


def main(folder: str, records: str, *options: str) -> None:
    stages = Stages()
    stages.around(Client, "send", "http request")
    stages.around(Envelope, "split", "split the page")
    stages.around(Envelope, "split_known", "text of the rows: hash, look-up")
    stages.around(RestTransport, "fetch", "fetch, rest of it")
    stages.around(Preparer, "prepare", "hash; rest of preparing")
    stages.around(Preparer, "_recall", "recall the page")
    stages.around(Preparer, "records", "identify")
    stages.around(Preparer, "known", "look up by native id")
    stages.around(Decider, "decide", "decide")
    stages.around(Decider, "_page_write", "make the page's write plan")
    stages.around(Mapper, "map", "map (with timer)")
    stages.around(run, "write_page", "transaction, rest of it")
    stages.around(write, "_sealed", "seal raw and people")
    stages.around(write, "_write_new", "make the rows to insert")
    stages.around(write, "append_changes", "feed rows")
    stages.around(Transaction, "together", "lease, numbers; state, run, page, seen")
    stages.around(Transaction, "insert", "insert (executemany or COPY)")
    hub = open_hub(Path(folder))
    collect_rarely()
    upgrade(hub.store)
    count = int(records)
    cpu = time.process_time()
    hub.sync(hub.source_names(), RunOptions(full_refresh="--full-refresh" in options))
    total = time.process_time() - cpu
    stages.spent["everything else"] = total - sum(stages.spent.values())
    for label, seconds in sorted(stages.spent.items(), key=lambda item: -item[1]):
        print(f"{label:40}{seconds / count * 1e6:8.2f} µs")
    print(f"{'sum':40}{total / count * 1e6:8.2f} µs")


if __name__ == "__main__":
    main(*sys.argv[1:])
