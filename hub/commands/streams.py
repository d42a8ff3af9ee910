"""stdout and stderr as a process gets them: closed, in another encoding, on a full disk, or with a reader that goes away."""

import os
import sys

__all__ = ["leave_unsaid", "ready_streams", "speaks_utf8"]


def ready_streams() -> None:
    """In place of what was closed (`>&-`) comes nowhere, and a character that the terminal's encoding has not is written as its
    number: neither ends a command."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        getattr(sys, name).reconfigure(errors="backslashreplace")


def speaks_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "")


def leave_unsaid() -> None:
    """Nobody takes what is written to stdout, now or from Python's own buffer at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
