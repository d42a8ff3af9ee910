"""A Singer tap in the hands of the kit: a small program that shows the worlds, told by a file beside it what goes wrong.

It stands for a tap that does what the Singer specification says; no kit can know whether a real one does.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from hub.testing.upstream import Refusal, Worlds

__all__ = ["SimulatedTap"]


class SimulatedTap:
    """`tap.py` and `world.json` in a folder. The connector runs it as it would any other."""

    refusals: tuple[Refusal, ...] = (Refusal("no_catalog"), Refusal("dies"), Refusal("babbles"))
    tells_time = False
    #: Rows of a page (hub/source/singer.py), so that there is more than one.
    page_rows = 1000

    def __init__(self, worlds: Worlds, folder: Path) -> None:
        self._worlds, self._folder, self._fault = worlds, folder, ""
        script = (files("hub.testing") / "templates" / "tap.py.txt").read_text("utf-8")
        (folder / "tap.py").write_text(script, "utf-8")

    def write(self) -> None:
        streams = {
            world.stream.endpoint.stream or name: [
                [one.at.isoformat(), str(one.native), one.record] for one in world.living
            ]
            for name, world in self._worlds.items()
        }
        document = json.dumps({"fault": self._fault, "streams": streams}, ensure_ascii=False)
        (self._folder / "world.json").write_text(document, "utf-8")

    def late(self) -> None:
        """What is late stands where its time puts it: behind the cursor."""
        self.write()

    def shift(self) -> None:
        for world in self._worlds.values():
            world.touch(world.living[0], world.now)
        self.write()

    def fault(self, name: str, **options: Any) -> None:
        self._fault = name
        self.write()

    def clear(self) -> None:
        self._fault = ""
        self.write()
