"""What every command works with: options that all share, settings, plugins, and the way to answer."""

import gc
import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import click

from hub.config import Environment
from hub.errors import ConfigError, HubError
from hub.locale import Language, language, translate, translator

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from hub.commands.output import Output
    from hub.config import Settings
    from hub.plugins import Plugins
    from hub.store import Store
    from hub.sync.sources import Hub

__all__ = ["Command", "Group", "Helped", "Session", "collect_rarely", "pass_session", "shared_options"]

FORMATS = ("table", "json")
LEVELS = ("debug", "info", "warning", "error")


@dataclass
class Session:
    """One run of the command line. Settings and plugins are read when a command first asks for them."""

    environment: Environment = field(default_factory=Environment.of_process)
    config: Path | None = None
    format: str = ""
    log_level: str = ""

    def __post_init__(self) -> None:
        self.format = self.format or self.environment.option("output") or FORMATS[0]

    def check_environment(self) -> None:
        """ConfigError if a variable that stands for an option says what the option does not take."""
        for variable, known in (("HUB_OUTPUT", FORMATS), ("HUB_LOG_LEVEL", LEVELS)):
            value = self.environment.variables.get(variable, "")
            if value and value.lower() not in known:
                raise ConfigError(
                    "{variable} is {value}", variable=variable, value=value,
                    remedy="set it to one of {known}", known=", ".join(known),
                )  # fmt: skip

    def log(self, level: str) -> None:
        """Send the log to stderr from now on, from this level up."""
        from hub.commands.logs import start_logging

        self.log_level = level
        start_logging(level, as_json=self.environment.json_log)

    @cached_property
    def lang(self) -> Language:
        return language(self.environment)

    @cached_property
    def settings(self) -> "Settings":
        """The settings of hub.toml. Raises ConfigError."""
        from hub.config import load

        return load(self.config, environment=self.environment)

    @cached_property
    def settings_if_any(self) -> "Settings | None":
        """As `settings`, but None where no hub.toml is named or found: for commands that can do without."""
        if self.config is None and self.environment.config is None:
            try:
                return self.settings
            except ConfigError as error:
                if "folder" in error.values:
                    return None
                raise
        return self.settings

    @cached_property
    def plugins(self) -> "Plugins":
        """The installed plugins, within what `[plugins]` allows."""
        from hub.plugins import load_plugins

        settings = self.settings_if_any
        return load_plugins(settings.plugins if settings else None)

    @property
    def output(self) -> "Output":
        """How to answer; times in the zone of `[defaults]` once settings are read."""
        from hub.commands.output import Output

        output = Output(cast(Literal["table", "json"], self.format), self.lang)
        if "settings" in self.__dict__:
            output.zone = self.settings.zone
        return output

    @contextmanager
    def store(self, *, with_key: bool = True) -> "Iterator[Store]":
        """The store, its schema and key checked, closed at the end of the block."""
        from hub.store import open_store

        store = open_store(self.settings, with_key=with_key)
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def hub(self) -> "Iterator[Hub]":
        """Settings, plugins and store together, for what opens sources."""
        from hub.sync.sources import Hub

        with self.store() as store:
            hub = Hub(self.settings, self.plugins, store)
            collect_rarely()
            yield hub

    def key_of(self, source: str | None) -> str | None:
        """What the store calls a source that hub.toml calls so; a name hub.toml does not have may still be there."""
        settings = self.settings.sources.get(source) if source else None
        return settings.key or source if settings else source

    def name_of(self, key: str) -> str:
        """What hub.toml calls a source that the store calls so; the key itself if it has no such source."""
        return next((name for name, source in self.settings.sources.items() if (source.key or name) == key), key)

    @property
    def actor(self) -> str:
        """Who is at the command line, for the audit log."""
        return getpass.getuser()

    def wording(self, error: HubError) -> str:
        """An error's line in the operator's language, with source and stream in front."""
        return error.line(translator(self.lang))

    def retold(self, error: str | None) -> str | None:
        """An error as the run book keeps it, in the operator's language."""
        from hub.locale.retelling import retell

        return retell(error, self.lang) if error else error

    def retold_reason(self, reason: str) -> str:
        """Why a record or file was set aside, as the store keeps it, in the operator's language."""
        from hub.locale.retelling import retell_reason

        return retell_reason(reason, self.lang)


def collect_rarely() -> None:
    """A page is thousands of objects that point at nothing in a ring: looking for rings among them after every 700, as
    Python does, was 5 of 80 µs a record (benchmarks/LOG.md). What is loaded already is never looked at again."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


pass_session = click.make_pass_decorator(Session)


def shared_options() -> list[click.Option]:
    """`--config`, `--output` and `--log-level`, which may stand before and after a command's name; the later one counts."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            metavar="PATH",
            expose_value=False,
            callback=_keep("config"),
            help="The hub.toml to use (also HUB_CONFIG; else the nearest one upward).",
        ),
        click.Option(
            ["--output"],
            type=click.Choice(FORMATS),
            expose_value=False,
            callback=_keep("format"),
            help="Tables for people, or JSON lines on stdout (also HUB_OUTPUT).",
        ),
        click.Option(
            ["--log-level"],
            type=click.Choice(LEVELS),
            metavar="LEVEL",
            expose_value=False,
            callback=_log,
            help="debug, info, warning or error: what goes to stderr (also HUB_LOG_LEVEL).",
        ),
    ]


def _log(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    session = context.find_object(Session)
    if value is not None and session is not None:
        session.log(value)


def _keep(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        session = context.find_object(Session)
        if value is not None and session is not None:
            setattr(session, attribute, value)

    return keep


class SourceName(click.ParamType[str]):
    """What hub.toml calls a source. Whether there is such a source says the command; here a shell learns which there are."""

    name = "text"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        session = context.find_object(Session)
        try:
            names = list(session.settings.sources) if session is not None else []
        except ConfigError:
            # A shell shows what is said while it completes in the middle of the line.
            names = []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class Helped(click.Command):
    """A command whose `--help` says in the operator's language what it is."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option, session = super().get_help_option(ctx), ctx.find_object(Session)
        if option is not None and session is not None:
            option.help = translate("Show this message and exit.", session.lang)
        return option


class Command(Helped):
    """A command of the hub, with the shared options. What its parameters call `source` or `sources` is one of hub.toml."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        for parameter in self.params:
            if parameter.name in ("source", "sources"):
                parameter.type = SourceName()
        self.params += shared_options()


class Group(Helped, click.Group):
    """A group of commands of the hub."""

    command_class = Command

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += shared_options()
