"""The command tree of `hub`. A command's module is imported when the command is called, so `hub --version` is quick."""

from hub.commands.signals import end, ending

# What follows takes a moment to load.
with ending():
    import importlib
    import sys
    import threading
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any, NoReturn

    import click

    from hub.commands.logs import start_logging
    from hub.commands.neutral import harmless, harmless_lines
    from hub.commands.session import Helped, Session, shared_options
    from hub.commands.streams import ready_streams
    from hub.commands.wording import localise, usage_error
    from hub.config import redactor
    from hub.errors import EXIT_CODES, HubError, InterruptedByOperatorError, Outcome, traceback_of
    from hub.locale import translate

__all__ = ["hub", "main"]

#: Command → (module of hub.commands, summary in `hub --help`), in the order an operator meets them.
COMMANDS = {
    "init": ("init", "Write a commented hub.toml, the key and the store."),
    "upgrade": ("upgrade", "Bring the store to this hub's schema."),
    "plugins": ("plugins", "List the installed plugins and how they fare."),
    "settings": ("settings", "Show the settings and where each comes from."),
    "validate": ("validate", "Look for mistakes in settings, plugins, mappings, code tables and the store."),
    "check": ("check", "Try every stream: reach, credentials, pages, mapping, codes."),
    "preview": ("preview", "Show raw records beside the incidents they become."),
    "sync": ("sync", "Sync sources now."),
    "serve": ("serve", "Sync on schedule until stopped."),
    "worker": ("worker", "Join the workers of a PostgreSQL store."),
    "workers": ("workers", "Who works, where, and on what."),
    "cancel": ("cancel", "Take a waiting run back, or stop it."),
    "status": ("status", "Show how every stream stands."),
    "doctor": ("doctor", "Look over the whole installation."),
    "runs": ("runs", "What was run, when, and how it ended."),
    "incidents": ("incidents", "Read incidents."),
    "changes": ("changes", "Read the change feed."),
    "quarantine": ("quarantine", "Records set aside: look, try again, give up."),
    "deletions": ("deletions", "Deletions that wait for a decision."),
    "codes": ("codes", "Codes: what is unmapped, what is covered, approve new ones."),
    "remap": ("remap", "Make incidents anew from stored raw records."),
    "backfill": ("backfill", "Read a past window again."),
    "reconcile": ("reconcile", "Compare a source with the store, id by id."),
    "state": ("state", "Positions of the streams."),
    "person": ("person", "Find or erase a person."),
    "key": ("key", "Change the store's key."),
    "audit": ("audit", "What operators did."),
    "store": ("store", "Backup, restore, copy."),
    "prune": ("prune", "Cut back what grows, as [retention] says."),
    "metrics": ("metrics", "How the hub fares, for Prometheus."),
    "new": ("new", "Begin a new connector."),
    "conformance": ("conformance", "Put a connector to the test and grade it."),
    "sandbox": ("sandbox", "Serve all upstream systems on this machine, for trying and training."),
    "demo": ("demo", "Sync a sandbox city and show what came of it."),
}


class Hub(Helped, click.Group):
    """The tree. The only place that turns an error of the hub into a line and an exit code."""

    def list_commands(self, context: click.Context) -> list[str]:
        self._ask_plugins(context)
        return [*COMMANDS, *sorted(self.commands)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        lang = _session(context).lang
        if name in COMMANDS:
            command: click.Command = importlib.import_module(f"hub.commands.{COMMANDS[name][0]}").command
            return localise(command, lang)
        self._ask_plugins(context)
        return self.commands.get(name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        lang = _session(context).lang
        rows = [(name, translate(summary, lang)) for name, (_, summary) in COMMANDS.items()]
        self._ask_plugins(context)
        rows += [(name, command.get_short_help_str()) for name, command in sorted(self.commands.items())]
        with formatter.section(translate("Commands", lang)):
            formatter.write_dl(rows)

    def _ask_plugins(self, context: click.Context) -> None:
        """Let plugins add their commands, once, and only if there are plugins beside the hub's own."""
        from hub.plugins import foreign_plugins

        if not context.meta.get("hub.plugins_asked") and foreign_plugins():
            context.meta["hub.plugins_asked"] = True
            _session(context).plugins.call("hub_cli", group=self)

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **settings: Any
    ) -> NoReturn:
        session = Session()
        # Plugins are asked for commands before an option of the log is read.
        start_logging("warning", as_json=session.environment.json_log)
        settings |= {"standalone_mode": False, "obj": session}
        try:
            result: object = super().main(args, prog_name or "hub", **settings)
            code = result if isinstance(result, int) else 0
        except HubError as error:
            code = _report(session, error)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = error.exit_code
        except click.UsageError as error:
            code = _report(session, usage_error(error))
        except click.Abort:
            code = _report(session, InterruptedByOperatorError("stopped", remedy="run the command again"))
        sys.exit(code)


@click.group(cls=Hub, name="hub", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(message="%(version)s", package_name="supervision-hub")
@click.pass_obj
def hub(session: Session) -> None:
    """Pull records from the supervision and enforcement systems into one incident store."""
    session.check_environment()
    if not session.log_level:
        session.log(session.environment.option("log-level") or "warning")


hub.params += shared_options()


def main(args: Sequence[str] | None = None) -> NoReturn:
    """The console script."""
    ready_streams()
    sys.excepthook = _bug
    threading.excepthook = lambda of: _bug(of.exc_type, of.exc_value, of.exc_traceback)
    sys.unraisablehook = lambda of: _bug(of.exc_type, of.exc_value, of.exc_traceback)
    try:
        hub.main(args)
    except SystemExit as ended:
        if ended.code == EXIT_CODES[Outcome.INTERRUPTED]:
            # Whoever was interrupted is not to wait for a thread that asks a source.
            end()
        raise


def _report(session: Session, error: HubError) -> int:
    """One line on stderr; with `--output json` an object on stdout beside it."""
    message, code = session.wording(error), EXIT_CODES[error.outcome]
    click.echo(harmless(redactor.text(f"hub: {message}")), err=True)
    if session.format == "json":
        session.output.report({"error": {"outcome": error.outcome, "exit_code": code, "message": message}})
    return code


def _bug(kind: type[BaseException], error: BaseException | None, _: TracebackType | None) -> None:
    """A defect: the whole traceback, but nothing of what was worked on. Python ends with exit code 1. Ctrl-C is none."""
    if not issubclass(kind, (SystemExit, KeyboardInterrupt)):
        told = traceback_of(error) if error else kind.__name__
        sys.stderr.write(harmless_lines(redactor.text(told)) + "\n")


def _session(context: click.Context) -> Session:
    session = context.find_object(Session)
    return session if session is not None else Session()


if __name__ == "__main__":
    main()
