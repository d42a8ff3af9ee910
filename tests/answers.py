"""One call of the command line and what an operator gets back."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from click.testing import CliRunner

import cli

__all__ = ["Answer", "Run", "call"]


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        (only,) = self.lines
        return only


class Run(Protocol):
    def __call__(self, *words: str) -> Answer: ...


def call(*words: str) -> Answer:
    """Run `hub WORDS…` in this process."""
    result = CliRunner().invoke(cli.hub, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)
