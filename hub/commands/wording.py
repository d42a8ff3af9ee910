"""The command line's own words in the operator's language: help texts, and what click says about a wrong line."""

from weakref import WeakKeyDictionary

import click

from hub.config.nearest import nearest
from hub.errors import HubError, MisconfiguredError
from hub.locale import Language, translate

__all__ = ["help_texts", "localise", "usage_error"]

#: Help as written, so that one process can speak one language after the other.
_english: WeakKeyDictionary[click.Command | click.Option, str] = WeakKeyDictionary()


def localise(command: click.Command, lang: Language) -> click.Command:
    """The command with its help, and that of everything below it, in that language. Safe to repeat."""
    owners: list[click.Command | click.Option] = [command]
    owners += [one for one in command.params if isinstance(one, click.Option)]
    for owner in owners:
        if owner.help:
            owner.help = translate(_english.setdefault(owner, _one_line(owner.help)), lang)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            localise(inner, lang)
    return command


def help_texts(command: click.Command) -> list[str]:
    """Every English text of a command that `localise` translates."""
    texts = [_one_line(command.help or "")]
    texts += [parameter.help or "" for parameter in command.params if isinstance(parameter, click.Option)]
    if isinstance(command, click.Group):
        texts += [text for inner in command.commands.values() for text in help_texts(inner)]
    return [text for text in texts if text]


def _one_line(text: str) -> str:
    """A docstring without its line breaks."""
    return " ".join(text.split())


def _meant(error: click.exceptions.NoSuchCommand) -> str | None:
    """The command that a misspelt one was probably meant to be."""
    context = error.ctx
    known = context.command.list_commands(context) if context and isinstance(context.command, click.Group) else []
    return nearest(error.command_name, known)


def usage_error(error: click.UsageError) -> HubError:
    """What is wrong with the command line, as an error of the hub (exit code 2 as click has it)."""
    command = error.ctx.command_path if error.ctx else "hub"
    match error:
        case click.exceptions.NoSuchCommand() if (meant := _meant(error)) is not None:
            return MisconfiguredError(
                "there is no command {name}", remedy="did you mean {nearest}?", name=error.command_name, nearest=meant
            )
        case click.exceptions.NoSuchCommand():
            return MisconfiguredError(
                "there is no command {name}",
                remedy="`{command} --help` lists them",
                name=error.command_name,
                command=command,
            )
        case click.NoSuchOption():
            return MisconfiguredError(
                "there is no option {option}",
                remedy="`{command} --help` lists them",
                option=error.option_name,
                command=command,
            )
        case click.MissingParameter():
            name = error.param.get_error_hint(error.ctx) if error.param and error.ctx else error.param_hint
            return MisconfiguredError(
                "{name} is missing", remedy="`{command} --help` shows how to write it", name=name, command=command
            )
        case click.BadParameter():
            name = error.param.get_error_hint(error.ctx) if error.param and error.ctx else error.param_hint
            return MisconfiguredError(
                "{name} cannot be used: {why}",
                remedy="`{command} --help` shows how to write it",
                name=name,
                why=error.message,
                command=command,
            )
        case _:
            return MisconfiguredError(
                "the command line cannot be understood: {why}",
                remedy="`{command} --help` shows how to write it",
                why=error.message,
                command=command,
            )
