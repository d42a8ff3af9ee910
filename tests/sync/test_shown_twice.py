"""Sources that show one record several times, in states of their own, wherever on their pages: what is stored settles."""

import random
from datetime import timedelta
from typing import Any

import pytest
from rig import START, Clock, Rig
from upstream import Upstream

AT = START - 600_000


def change(upstream: Upstream, chance: random.Random, name: str) -> None:
    """One more record, row of a record or state of a row, or one less."""
    rows, kind = upstream.records, chance.random()
    row: dict[str, Any] = chance.choice(rows) if rows else {"at": AT, "page": AT}
    if not rows or kind < 0.4:
        rows.append({**row, "id": name, "title": name, "order": str(chance.random())})
    elif kind < 0.7:
        row.update(title=name, at=row["at"] + chance.choice([0, 1000]))
    elif kind < 0.85:
        rows.remove(row)
    else:
        at, title = row["at"] + chance.choice([-1000, 0, 1000]), chance.choice([row["title"], name])
        rows.append({**row, "at": at, "title": title, "order": str(chance.random())})


@pytest.mark.parametrize("seed", range(12))
def test_a_record_shown_in_several_states_settles_on_one_of_the_newest(
    rig: Rig, upstream: Upstream, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    rig.set(deletion_rows=1000)
    upstream.size, upstream.filtered = chance.choice([1, 2, 3, 5]), "page"

    def read(*, full: bool) -> None:
        clock.pass_(timedelta(seconds=1))
        upstream.clock = clock.now
        rig.run(full=full)

    for turn in range(chance.randint(2, 9)):
        for number in range(chance.randint(0, 4)):
            change(upstream, chance, f"{turn}.{number}")
        read(full=chance.random() < 0.6)
    upstream.put("there", AT, page=AT)
    for _ in range(4):
        read(full=True)
    told = len(rig.changes())
    for full in (True, False) * 3:
        read(full=full)
    assert len(rig.changes()) == told, "a re-read changes nothing"
    shown: dict[str, list[tuple[int, str]]] = {}
    for row in upstream.records:
        shown.setdefault(f'"{row["id"]}"', []).append((row["at"], row["title"]))
    living = {native_id: (at, title) for native_id, (title, at) in rig.living().items()}
    assert living.keys() == shown.keys()
    for native_id, state in living.items():
        assert state in shown[native_id]
        assert state[0] == max(at for at, _ in shown[native_id])
    rig.check()
    rig.check_raw()
