"""Alarms in the operator's language."""

from collections.abc import Callable
from datetime import timedelta

from hub.commands.output import Output, clock_time, instant
from hub.config import duration_text
from hub.store.alarms import Notice

__all__ = ["alarm_wording"]


def alarm_wording(output: Output) -> Callable[[Notice], str]:
    """A function that says a notice; times in the zone of `[defaults]`."""

    def at(ms: int) -> str:
        moment = instant(ms)
        return clock_time(moment, output.zone) if moment is not None else ""

    def say(notice: Notice) -> str:
        amiss = notice.amiss
        where, detail = f"{amiss.source}/{amiss.stream}", amiss.detail
        if notice.event == "cleared":
            text = output.text(
                "{where} is as it should be again (it was not since {at})", where=where, at=at(notice.raised_at)
            )
        elif amiss.kind == "freshness":
            objective = duration_text(timedelta(milliseconds=detail["objective_ms"]))
            text = output.text(
                "{where} is too old: last good sync {at}, allowed are {objective}",
                where=where, at=at(detail["since"]), objective=objective,
            )  # fmt: skip
        else:
            text = output.text(
                "{where} has gone quiet: {found} records in the hour from {at}, usual are {usual}",
                where=where, found=detail["found"], at=at(detail["since"]), usual=detail["usual"],
            )  # fmt: skip
        return text

    return say
