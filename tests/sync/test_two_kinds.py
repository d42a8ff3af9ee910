"""Files of two kinds in one stream: each with a mapping of its own, whose name and version go with what it made."""

from pathlib import Path
from typing import Any

import pytest
from rig import Rig

from hub.errors import Outcome
from hub.mapping.mapping import Mappings
from hub.source import FileSpec, FileTransport, SourceContext
from hub.store.quarantine import list_quarantine
from hub.store.tokens import StoredFiles, StoredTokens
from hub.sync.remap import remap

MAPPING = 'version = {}\nkind = "{}"\nnative_id = ["id"]\n[fields]\n{}\n'
KINDS = (
    FileSpec(pattern="east_*", stream="records", mapping="east"),
    FileSpec(pattern="west_*", stream="records", mapping="west"),
)


def written(folder: Path, **west: Any) -> Mappings:
    """Both mappings; that of the west as given, else its first version."""
    folder.mkdir(exist_ok=True)
    (folder / "east.toml").write_text(MAPPING.format(west.get("east", 2), "work_order", 'title = "text"'), "utf-8")
    values = {"version": 1, "fields": 'title = "text"\nfine = "fine"', **west}
    (folder / "west.toml").write_text(MAPPING.format(values["version"], "grid_event", values["fields"]), "utf-8")
    return Mappings([folder])


@pytest.fixture
def rig(rig: Rig, tmp_path: Path) -> Rig:
    """One file of each kind; of the west's rows one has no fine that can be read."""
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "east_1.csv").write_text("id,text\n1,one\n", "utf-8")
    (tmp_path / "drop" / "west_1.csv").write_text("id,text,fine\n2,two,5\n3,three,much\n", "utf-8")
    context = SourceContext(
        source=rig.source,
        tokens=StoredTokens(rig.store, "one"),
        files=StoredFiles(rig.store, lambda: rig.key),
        base_folder=tmp_path,
    )
    rig.transport = FileTransport("drop", KINDS, context, settle_s=0)
    rig.shape(mapping="east", native_id=(), cursor=None, complete=False)
    rig.mappings = written(tmp_path / "mappings")
    assert rig.run().outcome is Outcome.PARTIAL
    return rig


@pytest.mark.parametrize("east", [1, 2])
def test_what_waits_is_tried_again_when_the_version_of_its_own_mapping_rises(
    rig: Rig, tmp_path: Path, east: int
) -> None:
    rig.mappings = written(tmp_path / "mappings", east=east)
    rig.run()
    assert rig.all("SELECT count(*) FROM run WHERE mode = 'replay'") == [(0,)], "nothing is newer"
    rig.mappings = written(tmp_path / "mappings", version=2, fields='title = "text"', east=east)
    rig.run()
    assert list_quarantine(rig.store) == []
    assert rig.living()['"3"'][0] == "three"


def test_a_remap_notes_the_mapping_that_made_each_record(rig: Rig, tmp_path: Path) -> None:
    rig.mappings = written(tmp_path / "mappings", version=5, fields='description = "text"\nfine = "fine"')
    assert remap(rig.store, rig.job, "one").run.counts.changed == 1
    made = rig.all("SELECT native_id, kind, mapping, mapping_version FROM incident ORDER BY native_id")
    assert made == [('"1"', "work_order", "east", 2), ('"2"', "grid_event", "west", 5)]
