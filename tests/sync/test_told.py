"""A source that is down is told once when it goes and once when it is back, whatever this machine's clock did meanwhile."""

import logging
from datetime import timedelta

import pytest
from rig import Clock, Rig
from upstream import Upstream

from hub.errors import BreachedError, EnvelopeError, HubError, MisconfiguredError

AHEAD = timedelta(days=8000)


class Told:
    """Runs the rig with its source up or down, a second after the run before."""

    def __init__(self, rig: Rig, upstream: Upstream, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
        self.rig, self.upstream, self.clock, self.caplog = rig, upstream, clock, caplog
        self.error: HubError = EnvelopeError("99")

    def runs(self, *ups: bool) -> list[str]:
        self.caplog.clear()
        for up in ups:
            self.upstream.before_fetch = self._up if up else self._down
            self.clock.pass_(timedelta(seconds=1))
            self.rig.run()
        return [
            record.__dict__["action"]
            for record in self.caplog.records
            if record.levelno >= logging.WARNING and record.__dict__["action"].startswith("source")
        ]

    @staticmethod
    def _up(_: object) -> None:
        return

    def _down(self, _: object) -> None:
        raise self.error


@pytest.fixture
def told(rig: Rig, upstream: Upstream, clock: Clock, caplog: pytest.LogCaptureFixture) -> Told:
    caplog.set_level(logging.INFO, "hub.sync")
    return Told(rig, upstream, clock, caplog)


@pytest.mark.parametrize("error", [EnvelopeError("99"), MisconfiguredError("another key"), BreachedError("empty")])
def test_once_each(told: Told, error: HubError) -> None:
    told.error = error
    assert told.runs(True, False, False, False, True, True) == ["source_down", "source_back"]


def test_once_each_although_the_clock_was_ahead_for_a_while(told: Told) -> None:
    told.runs(True)
    told.clock.pass_(AHEAD)
    assert told.runs(False, False) == ["source_down"]
    told.clock.pass_(-AHEAD)
    assert told.runs(True, True, True) == ["source_back"]


def test_a_good_run_of_a_clock_that_was_ahead_hides_no_outage(told: Told) -> None:
    told.clock.pass_(AHEAD)
    told.runs(True)
    told.clock.pass_(-AHEAD)
    assert told.runs(False, False, True) == ["source_down", "source_back"]


def test_a_part_that_is_down_is_not_told_by_the_others(told: Told) -> None:
    told.rig.partition = "east"
    assert told.runs(False) == ["source_down"]
    told.rig.partition = "west"
    assert told.runs(True, True) == []
    told.rig.partition = "east"
    assert told.runs(False, True) == ["source_back"]
