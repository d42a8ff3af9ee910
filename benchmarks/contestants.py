"""Who takes part in the jobs on one source, and the command line of each job."""

import base64
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import Sample, run_child
from postgres import Postgres

__all__ = ["Floor", "Hub", "Place", "write_hub"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where everybody works: the upstream system's port, a folder for databases, the PostgreSQL server."""

    port: int
    folder: Path
    postgres: Postgres

    def upstream(self, records: int, *, changed: int = 0, delay_ms: int = 0, order: str = "time") -> str:
        """The address of a system; see server.py."""
        return f"http://127.0.0.1:{self.port}/{records}/{changed}/{delay_ms}/{order}"


def write_hub(folder: Path, store_url: str, sources: dict[str, str], *, page_size: int = 1000) -> None:
    """hub.toml and key; `sources` are names and addresses. The request budget is set out of the way."""
    (folder / "secrets").mkdir(parents=True, exist_ok=True)
    key = folder / "secrets" / "store.key"
    if not key.exists():
        key.write_bytes(base64.b64encode(os.urandom(32)))
        key.chmod(0o600)
    lines = [
        "[store]",
        f'url = "{store_url}"',
        'key = "${file:secrets/store.key}"',
        "[defaults]",
        'start = "2025-01-01"',
        "rate = 1000000",
        f"workers = {max(4, len(sources))}",
    ]
    for name, address in sources.items():
        lines += [f"[sources.{name}]", 'connector = "bench"', f'base_url = "{address}"', f"page_size = {page_size}"]
    (folder / "hub.toml").write_text("\n".join(lines) + "\n")


class Floor:
    """The hand-written script."""

    name = "floor"

    def __init__(self, place: Place, store: str) -> None:
        self._place, self._store = place, store
        self._database = str(place.folder / "floor.db")

    def fresh(self) -> None:
        """An empty store."""
        if self._store == "postgresql":
            self._database = self._place.postgres.fresh("floor")
            return
        for file in self._place.folder.glob("floor.db*"):
            file.unlink()

    def first(self, records: int) -> Sample:
        return self._run(self._place.upstream(records))

    reread = first

    def incremental(self, records: int, changed: int, times: int) -> Sample:
        """Read what changed, `times` in a row in one process."""
        address = self._place.upstream(records, changed=changed)
        return self._run(address, "--since", "2025-12-01 00:00:00", "--times", str(times))

    def _run(self, address: str, *options: str) -> Sample:
        script = f"floor_{self._store}.py"
        server = self._place.postgres.cpu_s if self._store == "postgresql" else None
        return run_child([script, address, self._database, *options], server)


class Hub:
    """The hub through its real path."""

    name = "hub"

    def __init__(self, place: Place, store: str, name: str = "hub") -> None:
        self._place, self._store = place, store
        self.folder = place.folder / f"{name}_{store}"

    def fresh(self) -> None:
        """An empty store."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._store == "postgresql":
            self._place.postgres.fresh(self.folder.name)

    def write(self, sources: dict[str, str], page_size: int = 1000) -> None:
        """Its hub.toml."""
        url = self._place.postgres.url(self.folder.name) if self._store == "postgresql" else "sqlite:///hub.db"
        write_hub(self.folder, url, sources, page_size=page_size)

    def first(self, records: int, *options: str, order: str = "time") -> Sample:
        self.write({"one": self._place.upstream(records, order=order)})
        return self.run(*options)

    def reread(self, records: int) -> Sample:
        return self.first(records, "--full-refresh")

    def recut(self, records: int) -> Sample:
        """A re-read of the same records on other pages, as when one came in front of a source that counts its pages."""
        self.write({"one": self._place.upstream(records)}, page_size=990)
        return self.run("--full-refresh")

    def incremental(self, records: int, changed: int, times: int) -> Sample:
        """Read what changed, `times` in a row in one process."""
        self.write({"one": self._place.upstream(records, changed=changed)})
        return self.run("--times", str(times))

    def run(self, *options: str | Sequence[str]) -> Sample:
        server = self._place.postgres.cpu_s if self._store == "postgresql" else None
        return run_child(["hub_child.py", self.folder, *map(str, options)], server)
