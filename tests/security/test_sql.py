"""Values reach the database as values: in records, in filters of the command line and in searches for a person."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from answers import call
from rig import START, Rig, open_store, write_mapping

from hub.errors import MisconfiguredError
from hub.store.erasure import erase_person, find_person
from hub.store.incidents import IncidentFilter, list_incidents, read_incident
from hub.store.quarantine import list_quarantine
from hub.testing.sandbox import Sandbox

sys.path.append(str(Path(__file__).parents[1] / "sync"))
from upstream import Upstream

ATTACKS = (
    "'; DROP TABLE incident; --", '"; DELETE FROM incident; --', "x' OR '1'='1", "' UNION SELECT body FROM raw_page --",
    "?", "%s", "%(name)s", "100%", "$1", ":name", "{}", "\\'; DROP TABLE audit; --", "!%!_", "/*", "');--", "{x}",
)  # fmt: skip
TABLES = ("incident", "revision", "change", "raw_page", "quarantine", "run", "page", "state", "lease", "audit")


@pytest.fixture
def rig(store_url: str, tmp_path: Path) -> Iterator[Rig]:
    store = open_store(store_url)
    upstream = Upstream(size=5)
    yield Rig(store, write_mapping(tmp_path / "mappings"), upstream)
    store.close()


def test_in_records(rig: Rig) -> None:
    upstream = rig.transport
    assert isinstance(upstream, Upstream)
    for place, attack in enumerate(ATTACKS):
        upstream.put(attack, START + place, attack, who=f"{attack} wang", phone=attack + "13900000000")
        upstream.put(f"{attack} bad", START + place, raw=json.dumps({"id": f"{attack} bad", "at": attack}).encode())
    rig.run()
    assert len(rig.living()) == len(ATTACKS)
    assert {title for title, _ in rig.living().values()} == set(ATTACKS)
    assert len(list_quarantine(rig.store, source="bench")) == len(ATTACKS)
    for record in upstream.records:
        record["title"] = record["title"] + " changed"
    rig.run(full=True)
    rig.check()
    rig.check_raw()
    for table in TABLES:
        assert rig.all(f"SELECT count(*) FROM {table}") is not None


@pytest.mark.parametrize("attack", ATTACKS)
def test_in_filters(rig: Rig, attack: str) -> None:
    upstream = rig.transport
    assert isinstance(upstream, Upstream)
    upstream.put("one", START, f"before {attack} after", who="wang", phone="13900000000")
    upstream.put("two", START, "nothing of the kind", who=f"{attack} li", phone="13900000001")
    rig.run()
    for wanted in (
        {"source": attack},
        {"stream": attack},
        {"region": attack},
        {"category": attack},
        {"status": attack},
    ):
        assert list_incidents(rig.store, IncidentFilter(**wanted), 10) == []
    found = list_incidents(rig.store, IncidentFilter(text=attack), 10)
    assert [row["title"] for row in found] == [f"before {attack} after"]
    with pytest.raises(MisconfiguredError):
        read_incident(rig.store, attack)
    assert len(find_person(rig.store, f"{attack} li")) == 1
    assert find_person(rig.store, f"{attack} nobody") == []
    assert erase_person(rig.store, f"{attack} li", START).records == 1
    assert list_quarantine(rig.store, source=attack) == []
    assert len(rig.living()) == 2


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option that takes a text, with each attack: an answer or a plain refusal, and the store stands."""
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    with Sandbox(seed=2, scale=80, directory=tmp_path / "city", systems=("snapshot",)) as city:
        words = ("--config", str(city.config_path), "--output", "json")
        assert call(*words, "upgrade").code == 0
        assert call(*words, "sync").code in (0, 3)
        before = len(call(*words, "incidents", "list", "--limit", "999").lines)
        for attack in ATTACKS:
            for asked in (
                ("incidents", "list", "--region", attack), ("incidents", "list", "--category", attack),
                ("incidents", "list", "--text", attack), ("person", "find", "--text", attack + "x", "--reason", attack),
            ):  # fmt: skip
                answer = call(*words, *asked)
                assert (answer.code, answer.out) == (0, ""), asked
            for refused in (
                ("incidents", "list", "--source", attack), ("incidents", "list", "--stream", attack),
                ("quarantine", "list", "--source", attack), ("runs", "list", "--source", attack),
                ("incidents", "show", attack), ("runs", "show", attack), ("sync", attack),
            ):  # fmt: skip
                assert call(*words, *refused).code in (1, 2), refused
        assert len(call(*words, "incidents", "list", "--limit", "999").lines) == before > 0
        assert call(*words, "audit", "verify").code == 0
