"""Every `hub …` line of README and docs names a command there is, with options it has."""

import re
import shlex
from pathlib import Path

import click
import pytest

import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINE = re.compile(r"^(?:    |\$ )hub (.+)$", re.MULTILINE)
INLINE = re.compile(r"`hub ([a-z][^`]*)`")


def written() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        found += [(page.relative_to(ROOT).as_posix(), line) for line in (*LINE.findall(text), *INLINE.findall(text))]
    return sorted(set(found))


def words_of(line: str) -> list[str]:
    """The words of one command: up to a comment, a pipe or a second command."""
    words: list[str] = []
    for word in shlex.split(line.split("   #")[0], comments=True):
        if word in ("&&", "|", "·", "→", ">", "2>", ";"):
            break
        words.append(word)
    return words


@pytest.mark.parametrize(("page", "line"), written(), ids=lambda value: value)
def test_the_command_is_there(page: str, line: str) -> None:
    words = words_of(line)
    context = cli.hub.make_context("hub", [], resilient_parsing=True)
    command: click.Command = cli.hub
    while words and isinstance(command, click.Group):
        if words[0].startswith("-"):
            words = words[2:] if words[0] in ("--config", "--output", "--log-level") else words[1:]
            continue
        if words[0] in ("…", "NAME") or "|" in words[0]:
            return
        found = command.get_command(context, words[0])
        assert found is not None, f"{page}: there is no `hub {line}`"
        command, words = found, words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    options |= {"--help", "--config", "--output"}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0].rstrip("`,.;:)]") in options, f"{page}: `hub {line}`: no option {word}"
