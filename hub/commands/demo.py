"""`hub demo`: the main job from beginning to end on a sandbox city."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import msgspec

from hub.clock import now
from hub.commands.session import Command, Session, pass_session
from hub.errors import FailedError
from hub.testing.sandbox import Sandbox

__all__ = ["command"]

FOLDER = Path("demo")
#: The city moves by six hours between the two syncs, up to now.
STEPS, STEP = 36, timedelta(minutes=10)
#: These systems also send some nonsense, so that quarantine has something to show.
CARELESS = ("hotline_8890", "road_patrol")
#: A demo shows records that cannot be mapped and codes nobody mapped: partial is as it should be.
FINE = (0, 3)


@click.command("demo", cls=Command)
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="The same seed, the same city.")
@click.option(
    "--scale",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="About how many records in all systems together.",
)
@pass_session
def command(session: Session, seed: int, scale: int) -> None:
    """Make ./demo anew: serve a sandbox city, sync it, let it move, sync again, and show what came of it."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    begin = now().replace(microsecond=0) - STEPS * STEP
    with Sandbox(seed, scale, begin.isoformat(), directory=FOLDER) as sandbox:
        _run("upgrade")
        _run("check")
        _run("sync")
        head = _changes_head()
        click.echo()
        session.output.say("The city moves on by six hours; two systems also send records that make no sense.")
        sandbox.tick(STEPS)
        for system in CARELESS:
            sandbox.fault(system, "absurd")
        _run("sync")
        _run("status")
        _run("incidents", "list", "--limit", "8")
        for incident in _first_incidents(2):
            _run("incidents", "show", incident)
        _run("changes", "--after", str(head), "--limit", "12")
        _run("quarantine", "list", "--limit", "8")
        _run("codes", "unmapped")
    click.echo()
    session.output.say("The sandbox has stopped; the store stays in ./demo. To go on:")
    click.echo("  hub --config demo/hub.toml incidents list --status pending")
    click.echo(f"  hub --config demo/hub.toml changes --after {head}")
    click.echo("  hub sandbox --directory city    # serves another city, for a store of its own")


def _run(*words: str) -> None:
    """One command in a process of its own, as an operator would type it. Raises FailedError if it ends badly."""
    click.secho(f"\n$ hub {' '.join(words)}", bold=True)
    code = subprocess.run(_line(*words), check=False).returncode
    if code not in FINE:
        raise FailedError(
            "`hub {command}` ended with {code}",
            command=" ".join(words),
            code=code,
            remedy="its own line above says why",
        )


def _line(*words: str) -> list[str]:
    return [sys.executable, "-m", "cli", "--config", str(FOLDER / "hub.toml"), *words]


def _records(*words: str) -> Iterator[dict[str, object]]:
    found = subprocess.run(_line(*words, "--output", "json"), check=True, capture_output=True)
    yield from (msgspec.json.decode(line) for line in found.stdout.splitlines())


def _changes_head() -> int:
    return max((int(str(change["seq"])) for change in _records("changes", "--limit", "1000000")), default=0)


def _first_incidents(count: int) -> list[str]:
    return [str(record["id"]) for record in _records("incidents", "list", "--limit", str(count))]
