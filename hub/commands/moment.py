"""A point in time on the command line."""

import click
from pydantic_core import PydanticCustomError

from hub.config import Start

__all__ = ["MOMENT"]


class Moment(click.ParamType[Start]):
    """A day (midnight in the zone of `[defaults]`), an instant with offset, or a length before now."""

    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Start:
        try:
            return Start.parse(value)
        except PydanticCustomError:
            self.fail(f"{value!r} ≠ 2026-01-31, 2026-01-31T08:00:00+08:00, P7D", param, ctx)


MOMENT = Moment()
