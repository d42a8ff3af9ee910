"""A source's own error text may name a person: neither the log at its most talkative, the run, nor an answer repeats it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from answers import call
from scripted import Reply, Upstream

PERSON, PHONE = "欧阳娜娜", "13957912345"
TOLD = f"user {PERSON} ({PHONE}, Rose Ouyang) is not allowed"
LOOKS = (("sync",), ("check",), ("runs", "list"), ("status",), ("doctor",), ("metrics",), ("preview", "town"))
ANSWERS = {
    "refused": Reply(json.dumps([{"code": 403, "description": TOLD}]), status=403),
    "not accepted": Reply(json.dumps([{"code": 400, "description": TOLD}]), status=400),
    "trouble": Reply(json.dumps({"message": TOLD}), status=500),
    "error in 200": Reply(json.dumps([{"code": 404, "description": TOLD}])),
    "the name is the code": Reply(json.dumps([{"code": PERSON, "description": TOLD}])),
}


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    server = Upstream()
    yield server
    server.stop()


@pytest.mark.parametrize("case", ANSWERS)
def test_nobody_is_named(case: str, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream.answer = [ANSWERS[case]]
    (tmp_path / "hub.toml").write_text(
        f'[defaults]\nretries = 0\n[sources.town]\nconnector = "open311"\nbase_url = "{upstream.url}"\n', "utf-8"
    )
    words = ("--config", str(tmp_path / "hub.toml"))
    call("init", str(tmp_path / "made"))
    (tmp_path / "secrets").mkdir()
    key = (tmp_path / "made" / "secrets" / "store.key").read_text("utf-8")
    (tmp_path / "secrets" / "store.key").write_text(key, "utf-8")
    (tmp_path / "secrets" / "store.key").chmod(0o600)
    with (tmp_path / "hub.toml").open("a", encoding="utf-8") as file:
        file.write('[store]\nkey = "${file:secrets/store.key}"\n')
    assert call(*words, "upgrade").code == 0
    said = []
    for form in ("table", "json"):
        monkeypatch.setenv("HUB_LOG", form)
        said += [call(*words, "--log-level", "debug", "--output", form, *one) for one in LOOKS]
    everything = "".join(one.out + one.err for one in said)
    assert len(upstream.seen) >= 2
    assert "is not allowed" in everything, "what is no name is still said"
    for planted in (PERSON, PERSON[:2], PHONE, "Rose", "Ouyang"):
        assert planted not in everything
        assert planted.encode() not in (tmp_path / "hub.db").read_bytes()
