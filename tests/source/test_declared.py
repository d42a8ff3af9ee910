"""A connector of data only: what it builds, what it refuses and where it says the mistake is."""

from datetime import timedelta
from pathlib import Path

import pytest

from hub.errors import PluginError
from hub.source import Connector, Keyset, RestTransport, SourceContext, TableTransport
from hub.source.declared import read_connector
from hub.source.parts import KINDS

PLAIN = """\
name = "river_watch"
title = "河道巡查"
title_en = "River watch"

[settings]
base_url = { description = "Address of the platform." }
api_key = { description = "Key.", type = "secret", optional = true }
page_size = { description = "Rows a page.", default = 200, min = 1, max = 500 }
lookback = { description = "How far back.", type = "duration", default = "30m" }

[rest]
base_url = "${base_url}"
auth = { kind = "api_key", name = "X-Key", key = "${api_key}" }

[streams.findings]
title = "巡查发现"
native_id = "id"
path = "/api/findings"
sort = { order = "asc" }
cursor = { path = "updatedAt", lookback = "${lookback}", safety_lag = "3m" }
window = { since = "from", until = "to", format = "iso" }
paging = { kind = "keyset", page = "pageNo", per_page = "${page_size}" }
envelope = { rows = "data.rows", total = "data.total", checks = [
  { path = "code", ok = [0, {}], errors = { 401 = "expired" } } ] }
"""


def declared(folder: Path, text: str) -> type[Connector]:
    file = folder / "connector.toml"
    file.write_text(text, "utf-8")
    return read_connector(file)


def test_every_part_is_the_kits_own(tmp_path: Path, context: SourceContext) -> None:
    connector = declared(tmp_path, PLAIN)()
    config = connector.Config(base_url="https://river.example", api_key="k", page_size=50)
    (stream,) = connector.streams(config)
    assert (stream.name, stream.mapping, stream.native_id) == ("findings", "river_watch/findings", "id")
    assert stream.cursor is not None
    assert (stream.cursor.lookback, stream.cursor.safety_lag) == (timedelta(minutes=30), timedelta(minutes=3))
    assert stream.endpoint.paging == Keyset(page="pageNo", per_page=50)
    assert stream.endpoint.envelope.checks[0].ok == (0, None)
    transport = connector.transport(config, context)
    assert isinstance(transport, RestTransport)
    transport.close()


def test_a_setting_left_out_leaves_its_key_out(tmp_path: Path, context: SourceContext) -> None:
    connector = declared(tmp_path, PLAIN)()
    config = connector.Config(base_url="https://river.example")
    transport = connector.transport(config, context)
    assert type(transport._auth).__name__ == "Auth"  # type: ignore[attr-defined]
    transport.close()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("safety_lag", "safty_lag", ":20: streams.findings.cursor.safty_lag is not known here; there is safety_lag"),
        ('kind = "keyset"', 'kind = "keyest"', "findings.paging.kind cannot be used: one of one_page, page_number"),
        ('"3m"', '"3 moons"', "streams.findings.cursor.safety_lag cannot be used: not a duration"),
        ('"${page_size}"', '"${pagesize}"', "findings.paging.per_page cannot be used: [settings] has no pagesize"),
        ('path = "/api/findings"\n', "", "streams.findings.path is missing"),
        ('title_en = "River watch"\n', "", "title_en is missing"),
        ('order = "asc"', 'order = "${api_key}"', "a secret belongs into auth"),
        ('"expired"', '"gone"', "streams.findings.envelope.checks.0.errors cannot be used"),
        ("[rest]", "[rset]", "rset is not known here; there is rest"),
        ('name = "river_watch"', 'name = "River"', "connector.toml:1: name cannot be used: small letters"),
        ("path = \"updatedAt\", ", "", "streams.findings.cursor.path is missing"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in PLAIN
    with pytest.raises(PluginError) as caught:
        declared(tmp_path, PLAIN.replace(old, new))
    assert said in caught.value.render()


AUTHS = {
    "none": "",
    "api_key": 'name = "X-Key", key = "${secret}", place = "query", prefix = "Token "',
    "basic": 'username = "hub", password = "${secret}"',
    "bearer": 'token = "${secret}"',
    "oauth2": 'token_url = "${base_url}/token", client_id = "hub", client_secret = "${secret}", style = "form"',
    "session": 'login_url = "${base_url}/login", key = "hub", name = "SID",'
    ' form = { user = "hub", password = "${secret}" }, checks = [{ path = "ok", ok = [true] }]',
    "token": 'login_url = "${base_url}/login", key = "hub", form = { user = "hub", password = "${secret}" },'
    ' token = "data.token", life = "data.ttl", carry = "form", name = "t", place = "query"',
    "gateway_md5": 'base_url = "${base_url}", app_key = "A", app_secret = "${secret}", carry = "headers"',
    "bg_hmac": 'access_key = "A", secret_key = "${secret}"',
}
PAGINGS = {
    "one_page": "", "page_number": 'page = "p", size = "s", first = 0, ends = "empty", restarts = 3',
    "offset": 'limit = "n"',
    "cursor_token": 'path = "next"', "next_link": 'path = "links.next", drop = ["key"]', "keyset": "rereads = 2",
}  # fmt: skip
ENVELOPES = {
    "json": 'rows = "items", total = "n", empty = ["", {}], message = "msg", error_row = ["code", "text"]',
    "xml": 'row = "request", root = "service_requests", errors = { 403 = "refused" }',
}


def test_every_kind_of_part_can_be_declared() -> None:
    assert {name: set(kinds) for name, kinds in KINDS.items()} == {
        "auth": set(AUTHS), "paging": set(PAGINGS), "envelope": set(ENVELOPES),
    }  # fmt: skip


def braces(kind: str, text: str) -> str:
    return "{ " + ", ".join(part for part in (f'kind = "{kind}"', text) if part) + " }"


@pytest.mark.parametrize(
    ("auth", "paging", "envelope"),
    [(auth, "one_page", "json") for auth in AUTHS] + [("none", paging, "xml") for paging in PAGINGS],
)
def test_parts_build(tmp_path: Path, context: SourceContext, auth: str, paging: str, envelope: str) -> None:
    connector = declared(tmp_path, f"""\
name = "any"
title = "任意"
title_en = "Any"
settings.base_url = {{ description = "Address." }}
settings.secret = {{ description = "Secret.", type = "secret" }}
rest.base_url = "${{base_url}}"
rest.auth = {braces(auth, AUTHS[auth])}
[streams.things]
path = "/things"
native_id = ["a", "b"]
paging = {braces(paging, PAGINGS[paging])}
envelope = {braces(envelope, ENVELOPES[envelope])}
two_step = true
detail = {{ path = "/things/{{id}}", row_params = {{ id = "id" }}, envelope = {{ rows = "data" }} }}
""")()  # fmt: skip
    config = connector.Config(base_url="https://any.example", secret="hush")
    (stream,) = connector.streams(config)
    assert type(stream.endpoint.paging) is KINDS["paging"][paging]
    assert type(stream.endpoint.envelope) is KINDS["envelope"][envelope]
    assert (stream.reshape is not None) == (envelope == "xml")
    transport = connector.transport(config, context)
    assert type(transport._auth) is KINDS["auth"][auth]  # type: ignore[attr-defined]
    transport.close()


def test_tables_and_files(tmp_path: Path, context: SourceContext) -> None:
    table = declared(
        tmp_path,
        """\
name = "exchange"
title = "前置库"
title_en = "Exchange"
settings.url = { description = "Address.", type = "secret" }
table.url = "${url}"
[streams.cases]
native_id = "case_id"
operation = "cd_operation"
log = true
complete = false
cursor = { path = "cd_time" }
table = { name = "cases", order = ["cd_seq"], cursor = "cd_time" }
""",
    )()
    config = table.Config(url=f"sqlite:///{tmp_path / 'x.db'}")
    assert table.arrival == "table"
    assert table.streams(config)[0].endpoint.order == ("cd_seq",)
    transport = table.transport(config, context)
    assert isinstance(transport, TableTransport)
    transport.close()
    drop = declared(
        tmp_path,
        """\
name = "drop"
title = "文件"
title_en = "Drop"
settings.folder = { description = "Folder." }
[files]
folder = "${folder}"
kinds = [{ pattern = "*.csv", stream = "rows", mapping = "drop/rows", zone = "UTC" }]
""",
    )()
    assert [stream.name for stream in drop.streams(drop.Config(folder="in"))] == ["rows"]
    assert drop.arrival == "file"
