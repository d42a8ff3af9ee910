"""`hub sandbox`: all upstream systems on this machine."""

from pathlib import Path

import click

from hub.commands.session import Command
from hub.testing.sandbox import serve_forever
from hub.testing.sandbox.streams import SYSTEMS

__all__ = ["command"]


@click.command("sandbox", cls=Command)
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="The same seed, the same city.")
@click.option(
    "--scale",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="About how many records in all systems together.",
)
@click.option("--until", metavar="WHEN", help="Where the city's clock stands still (ISO 8601), and all with it.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sandbox"),
    show_default=True,
    metavar="DIR",
    help="Where hub.toml, databases and dropped files go.",
)
@click.option("--system", "systems", type=click.Choice(SYSTEMS), multiple=True, help="Only this one; may be repeated.")
def command(seed: int, scale: int, until: str | None, directory: Path, systems: tuple[str, ...]) -> None:
    """Serve stand-ins of all upstream systems until stopped; the first line of output says where, as JSON. The city lives on:
    every ten minutes records come, go on and go."""
    serve_forever(seed, scale, until, directory, systems or None)
