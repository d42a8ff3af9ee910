"""`hub new`: packages to begin with."""

from pathlib import Path

import click

from hub.commands.session import Group, Session, pass_session
from hub.testing.scaffold import write_connector

__all__ = ["command"]


@click.group("new", cls=Group)
def command() -> None:
    """Begin something new."""


@command.command("connector")
@click.argument("name", metavar="NAME")
@click.option(
    "--in", "folder", type=click.Path(path_type=Path), default=".", metavar="DIR", help="Where; default here."
)
@click.option(
    "--from-sample",
    "sample",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="JSON of the source: stream, key, cursor, zone and mapping are proposed from it, each guess marked.",
)
@click.option("--declarative", is_flag=True, help="A connector.toml in place of Python.")
@pass_session
def connector(session: Session, name: str, folder: Path, sample: Path | None, declarative: bool) -> None:
    """Write a connector's package with mapping, code table, samples, tests and a page; its tests pass as they are."""
    written = write_connector(name, folder, sample=sample, declarative=declarative)
    if session.format == "json":
        session.output.json({"files": written})
    for path in written:
        session.output.say("written to {path}", path=path)
    session.output.say(
        "next: follow the TODOs, the README.md lists them; then `pip install -e {name}` and `pytest`", name=name
    )
