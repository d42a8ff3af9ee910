"""Sources and streams that an option or argument names: a misspelt one is not one of which there is nothing to show."""

from typing import TYPE_CHECKING

from hub.commands.session import Session
from hub.config.nearest import nearest
from hub.config.settings import unknown_source
from hub.errors import ConfigError, HubError

if TYPE_CHECKING:
    from hub.store import Store

__all__ = ["refuse_unknown"]


def refuse_unknown(session: Session, store: "Store", source: str | None, stream: str | None = None) -> None:
    """ConfigError if neither hub.toml nor the store has that source, or nobody such a stream. It may read the whole store:
    ask where nothing was found."""
    from hub.store.overview import stored_streams

    configured = (*session.settings.sources, *session.settings.problems)
    if stream is None and (source is None or source in configured):
        return
    stored = stored_streams(store)
    gone = sorted({key for key, _ in stored} - {session.key_of(name) for name in configured})
    if source is not None and source not in (*configured, *gone):
        raise unknown_source(source, configured, gone)
    if stream is None:
        return
    known = {name for key, name in stored if source is None or key == session.key_of(source)}
    for name in configured if source is None else {source} & set(configured):
        try:
            known |= _declared(session, name)
        except HubError:
            # What its streams are is not known, and this list is not the place to say why.
            return
    if stream not in known:
        guess = nearest(stream, known)
        raise ConfigError(
            "no source has a stream {stream}" if source is None else "{source} has no stream {stream}",
            remedy="did you mean {nearest}?" if guess else "there are {known}",
            **({} if source is None else {"source": source}),
            stream=stream,
            nearest=guess,
            known=", ".join(sorted(known)) or "-",
        )


def _declared(session: Session, name: str) -> set[str]:
    from hub.sync.foreign_code import declared

    if name in session.settings.problems:
        raise session.settings.problems[name].error
    _, streams = declared(session.plugins, session.settings.sources[name])
    return {stream.name for stream in streams}
