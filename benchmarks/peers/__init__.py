"""What people use today for the same work, tuned as their own performance pages advise, each in its own environment."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator

from contestants import Place
from measure import HERE, Sample, Samples, run_child

__all__ = ["Dlt", "Peer", "Singer", "peers"]

_ENVIRONMENTS = HERE.parent / ".venv-bench" / "peers"
_DLT_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    "DATA_WRITER__FILE_MAX_ITEMS": "50000",
    "NORMALIZE__WORKERS": "2",
    "SCHEMA__NAMING": "direct",
}


class Peer(ABC):
    """One way of doing the work."""

    name: str
    store: str

    def __init__(self, place: Place) -> None:
        self.place = place

    @abstractmethod
    def fresh(self) -> None:
        """Make an empty store."""

    @abstractmethod
    def run(self, records: int) -> Sample:
        """Read the whole system into the store."""

    def child(self, environment: str, script: str, *arguments: str, **settings: str) -> Sample:
        """Run a script of this folder with the peer's own Python; `settings` are environment variables."""
        python = _ENVIRONMENTS / environment / "bin" / "python"
        server = self.place.postgres.cpu_s if self.store == "postgresql" else None
        return run_child([python, HERE / "peers" / script, *arguments], server, PYTHONPATH=str(HERE), **settings)

    def measure(self, samples: Samples, sizes: tuple[int, int]) -> None:
        """A first load and a full re-read at both sizes, once."""
        for records in sizes:
            self.fresh()
            samples.add(("first", self.name, self.store, records), self.run(records))
            samples.add(("reread", self.name, self.store, records), self.run(records))


class Dlt(Peer):
    """`form`: "rows" yields dicts, as every JSON source of dlt does; "arrow" tables, which pass its normaliser by."""

    def __init__(self, place: Place, store: str, form: str) -> None:
        super().__init__(place)
        self.store, self._form = store, form
        self.name = "dlt" if form == "rows" else "dlt-arrow"
        self._folder = place.folder / "dlt"

    def fresh(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        if self.store == "postgresql":
            self.place.postgres.fresh("dlt")

    def run(self, records: int) -> Sample:
        address = self.place.postgres.dsn("dlt") if self.store == "postgresql" else f"sqlite:///{self._folder}/x.db"
        settings = {**_DLT_SETTINGS, "DLT_DATA_DIR": str(self._folder / "home")}
        return self.child("dlt", "dlt_pipeline.py", self.place.upstream(records), address, self._form, **settings)


class Singer(Peer):
    name = "singer"
    store = "postgresql"

    def fresh(self) -> None:
        self.place.postgres.fresh("singer")

    def run(self, records: int) -> Sample:
        address = self.place.postgres.url("singer").replace("postgresql:", "postgresql+psycopg:")
        return self.child("singer", "singer_pipe.py", self.place.upstream(records), address)


def peers(place: Place) -> Iterator[Peer]:
    """Every peer whose environment is there."""
    if (_ENVIRONMENTS / "dlt").exists():
        for store in ("sqlite", "postgresql"):
            for form in ("rows", "arrow"):
                yield Dlt(place, store, form)
    if (_ENVIRONMENTS / "singer").exists():
        yield Singer(place)
