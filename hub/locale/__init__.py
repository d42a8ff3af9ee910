"""Chinese and English: error templates, command texts and the titles of statuses, kinds and outcomes."""

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from hub.config import Environment

__all__ = ["Language", "error_templates", "language", "reason_templates", "title", "translate", "translator"]

Language = Literal["zh", "en"]


def language(environment: Environment | None = None) -> Language:
    """HUB_LANG, else the locale's language; English for any other."""
    return "zh" if (environment or Environment.of_process()).language == "zh" else "en"


def translate(template: str, lang: Language) -> str:
    """The template in that language, its `{places}` kept. What the catalogue does not have stays English."""
    return template if lang == "en" else _catalogue().get(template, template)


def translator(lang: Language) -> Callable[[str], str]:
    """`translate` for one language, as `HubError.render` wants it."""
    return lambda template: translate(template, lang)


def title(group: str, code: str | None, lang: Language) -> str:
    """What people call a code: `title("status", "pending", "zh")`. An unknown code stays as it is, None is nothing."""
    if code is None:
        return ""
    english, chinese = _titles().get(group, {}).get(code, (code, code))
    return chinese if lang == "zh" else english


def error_templates() -> dict[str, str]:
    """Every template and remedy of an error: English → Chinese."""
    return dict(_read("zh.toml")["errors"])


def reason_templates() -> dict[str, str]:
    """Why records and files are set aside: English → Chinese."""
    return dict(_read("zh.toml")["reasons"])


@cache
def _catalogue() -> dict[str, str]:
    return {template: text for section in _read("zh.toml").values() for template, text in section.items()}


@cache
def _titles() -> dict[str, dict[str, tuple[str, str]]]:
    return {
        group: {code: (english, chinese) for code, (english, chinese) in codes.items()}
        for group, codes in _read("titles.toml").items()
    }


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files("hub.locale") / name).read_text("utf-8"))
