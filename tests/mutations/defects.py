"""Defects that engines of this kind have had, each as one change of the code."""

from dataclasses import dataclass

__all__ = ["DEFECTS", "Defect"]

RUN, DECIDE, VERSIONS = "tests/sync/test_run.py", "tests/sync/test_decide.py", "tests/sync/test_versions.py"
LIST = "tests/sync/test_enumeration.py"
WIRE = "tests/faults/test_faults_on_the_wire.py"
KILLED, FEED = "tests/sync/test_killed.py", "tests/store/test_feed.py"
KNOWN_PAGES = "tests/sync/test_known_pages.py"
PAGING, PEOPLE = "tests/source/test_paging.py", "tests/sync/test_people.py"


@dataclass(frozen=True)
class Defect:
    """`old` stands exactly once in `file`; `tests` are pytest's words for what should notice `new`."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


DEFECTS = (
    Defect(
        "checkpoint before data",
        "hub/store/write.py",
        "    with store.write() as transaction:\n        raw_page, fresh",
        "    with store.write() as transaction:\n        if page.state is not None:\n"
        "            state = page.cursor, page.state\n"
        "            transaction.run(*put_state(page.source, page.stream, page.partition, *state, page.now))\n"
        "    with store.write() as transaction:\n        raw_page, fresh",
        (KILLED,),
    ),
    Defect(
        "the feed is written after the page's transaction",
        "hub/store/write.py",
        "        return append_changes(transaction, page.changes, page.now)",
        "    with store.write() as transaction:\n        return append_changes(transaction, page.changes, page.now)",
        (KILLED,),
    ),
    Defect(
        "the feed's counter is taken outside the transaction",
        "hub/store/write.py",
        '    head = next_numbers(transaction, "feed", len(changes))',
        "    with transaction.connection.engine.begin() as other:\n"
        '        head = next_numbers(Transaction(other), "feed", len(changes))',
        (FEED, "-k", "postgresql"),
    ),
    Defect(
        "what was seen is not written with the page",
        "hub/store/write.py",
        "    if page.enumeration is not None:",
        "    if page.enumeration is not None and page.number == 0:",
        (LIST,),
    ),
    Defect(
        "whoever lost a lease gives it back",
        "hub/store/leases.py",
        'expires_at = 0 WHERE name = ? AND owner = ? AND token = ?",\n            (lease.name, lease.owner, lease.token)',
        'expires_at = 0 WHERE name = ?",\n            (lease.name,)',
        (RUN, "-k", "lease and sqlite"),
    ),
    Defect(
        "a hanging connector keeps its slot",
        "hub/sync/call.py",
        "            if time.monotonic() >= self._end:",
        "            if False:",
        ("tests/sync/test_call.py", "--timeout", "10"),
    ),
    Defect(
        "> for >= at the edge of a keyset page",
        "hub/source/keyset.py",
        "    if not times or times[0] == times[-1]:\n        return None\n    return times[-1]",
        "    return times[-1] + timedelta(seconds=1) if times else None",
        (PAGING,),
    ),
    Defect(
        "a link to the next page may lead anywhere",
        "hub/source/paging.py",
        "if (target.scheme, target.netloc) != (asked.scheme, asked.netloc):",
        "if False:",
        (PAGING,),
    ),
    Defect(
        "a compressed answer unfolds whole",
        "hub/source/client.py",
        "unpack.decompress(left, limit + 1)",
        "unpack.decompress(left)",
        ("tests/security/test_limits.py",),
    ),
    Defect(
        "an erased person comes back with the next sync",
        "hub/store/erasure.py",
        "    if not marks or not raw.slices:",
        "    if True:",
        (PEOPLE,),
    ),
    Defect(
        "an audit entry does not hang on the one before",
        "hub/store/audit.py",
        "hashlib.sha256(before.encode() + ",
        "hashlib.sha256(",
        ("tests/store/test_audit.py",),
    ),
    Defect(
        "the counts of a page are not checked",
        "hub/sync/run.py",
        "            if not write.counts.closed:",
        "            if False:",
        (KILLED,),
    ),
    Defect(
        "a source's words pass into errors as they are",
        "hub/source/said.py",
        "    return shown[:limit]",
        "    return text[:limit]",
        ("tests/source/test_said.py", "tests/security/test_what_sources_say.py"),
    ),
    Defect(
        "no fencing check",
        "hub/store/write.py",
        ' AND owner = ? AND token = ? RETURNING token"\n'
        "    return Hold(Statement(renewal, (now + lease.ttl_ms, lease.name, lease.owner, lease.token)), check)",
        ' RETURNING token"\n    return Hold(Statement(renewal, (now + lease.ttl_ms, lease.name)), check)',
        (RUN, "-k", "lease and sqlite"),
    ),
    Defect(
        "a lease is taken while it is held",
        "hub/store/leases.py",
        "WHERE lease.expires_at <= ?",
        "WHERE lease.expires_at <> ?",
        (RUN, "-k", "busy or racing"),
    ),
    Defect(
        "> for >= in judging versions",
        "hub/sync/versions.py",
        "and one < two",
        "and one <= two",
        (VERSIONS, DECIDE),
    ),
    Defect(
        "stale overwrites newer",
        "hub/sync/versions.py",
        "if late and (log or not stale_before):",
        "if False:",
        (VERSIONS, DECIDE),
    ),
    Defect(
        "a repeated log row counts as new",
        "hub/sync/versions.py",
        "if log and in_history and",
        "if False and in_history and",
        (VERSIONS, DECIDE),
    ),
    Defect(
        "hash of a record's beginning only",
        "hub/sync/prepare.py",
        "[sha256(raw).digest() for raw in page.rows]",
        "[sha256(raw[:40]).digest() for raw in page.rows]",
        (DECIDE,),
    ),
    Defect(
        "an update sets only what the last of a page's versions changed",
        "hub/sync/decide.py",
        "current.fields += fields",
        "current.fields = fields",
        (DECIDE,),
    ),
    Defect(
        "quarantined records are not counted", "hub/sync/decide.py", "draft.counts.quarantined += 1", "pass", (DECIDE,)
    ),
    Defect(
        "tombstones although a page is missing",
        "hub/sync/conclude.py",
        "!= reading.pages",
        "> reading.pages",
        (LIST,),
    ),
    Defect("tombstones although a record had no id", "hub/sync/conclude.py", "if reading.broken or", "if", (LIST,)),
    Defect(
        "nothing is held for a person",
        "hub/sync/conclude.py",
        "if len(absent) > settings.deletion_rows and",
        "if False and",
        (LIST,),
    ),
    Defect(
        "an empty reading deletes everything",
        "hub/sync/conclude.py",
        "if living and not reading.fetched and",
        "if False and",
        (LIST,),
    ),
    Defect(
        "the lookback is ignored", "hub/sync/reading.py", "else cursor - _ms(declared.lookback)", "else cursor", (RUN,)
    ),
    Defect(
        "the cursor goes past the source's clock",
        "hub/sync/reading.py",
        "min(found) if before is None else max(before, min(found))",
        "max(found) if before is None else max(before, max(found))",
        (RUN,),
    ),
    Defect(
        "an error is swallowed and taken for no data",
        "hub/sync/fetch.py",
        "                if again is None:\n                    raise",
        "                if again is None:\n                    from hub.source.stream import Page as P\n                    return P([], None)  # type: ignore",  # noqa: E501
        (RUN,),
    ),
    Defect(
        "retry without renewal",
        "hub/sync/fetch.py",
        "self._job.transport.renew()",
        "pass",
        (RUN, "tests/sync/test_fetch.py"),
    ),
    Defect(
        "a spent quota is asked for again",
        "hub/sync/retry.py",
        "isinstance(error, QuotaSpentError) or ",
        "",
        ("tests/sync/test_retry.py",),
    ),
    Defect(
        "a naive time is taken for UTC",
        "hub/mapping/instants.py",
        "local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)",
        "local.replace(tzinfo=UTC, fold=0), local.replace(tzinfo=UTC, fold=1)",
        (WIRE, "-k", "F41 or F42"),
    ),
    Defect(
        "a person stays in the incident",
        "hub/mapping/transforms.py",
        'return ("person", None, None)',
        'return ("person", name, code)',
        (WIRE, "-k", "F443"),
    ),
    Defect(
        "redaction is off",
        "hub/config/redact.py",
        "                text = text.replace(value, MASK)",
        "                pass",
        ("tests/security/test_injection.py",),
    ),
    Defect(
        "what the first and the last of narrow rows share is taken for what all of them do",
        "hub/store/store.py",
        "for place in range(1, len(types)) if _alike(rows, place)",
        "for place in range(1, len(types)) if rows[0][place] == rows[-1][place]",
        ("tests/store/test_inserts_and_updates.py",),
    ),
    Defect(
        "every token that a source ever handed out is kept",
        "hub/config/redact.py",
        "deque(maxlen=_TOKENS_KNOWN)",
        "deque()",
        ("tests/config/test_config.py",),
    ),
    Defect(
        "the check digit of an ID number is not looked at",
        "hub/mapping/transforms.py",
        "return ric.calc_check_digit(plain) != plain[17]",
        "return False",
        ("tests/mapping/test_readers.py",),
    ),
    Defect(
        "redirects to other hosts are followed",
        "hub/source/client.py",
        "if not same_host(request.url, target):",
        "if False:",
        (WIRE, "-k", "F029 or F030"),
    ),
    Defect(
        "a total that lies ends the reading",
        "hub/source/paging.py",
        "    if page.split.total is not None and read <= page.split.total:\n",
        "    if page.split.total is not None and read >= page.split.total:\n        return True\n"
        "    if page.split.total is not None and read <= page.split.total:\n",
        (WIRE, "-k", "F119 or F120"),
    ),
    Defect(
        "a total of the page is taken for that of the window",
        "hub/source/paging.py",
        ' and not (read == page.count and (ends == "empty" or page.count == per_page))',
        "",
        (PAGING,),
    ),
    Defect(
        "200 with an unknown code is data",
        "hub/source/envelope.py",
        "            if not check.passes(value):",
        "            if False:",
        (WIRE, "-k", "F101 or F108"),
    ),
    Defect(
        "a known page is recalled although one of its records has another version",
        "hub/store/known_pages.py",
        "    return keys if _state(transaction, keys) == row[1] else None",
        "    return keys",
        (KNOWN_PAGES,),
    ),
    Defect(
        "what stands beside an answer's rows, the token of the next page, is taken for rows",
        "hub/source/rows.py",
        "return bool(rows) and len(self) == sum(map(len, rows)) + len(rows) - 1",
        "return bool(rows)",
        ("tests/source/test_rows.py",),
    ),
    Defect(
        "after another writer's change a list row stands for its record",
        "hub/sync/prepare.py",
        "if prepared.keys is not None or self._job.stream.two_step:",
        "if prepared.keys is not None:",
        ("tests/sync/test_beside.py",),
    ),
    Defect(
        "a known page is taken for the same whatever its stream declares now",
        "hub/store/known_pages.py",
        "{stream.declared()}",
        "",
        (KNOWN_PAGES,),
    ),
    Defect(
        "a page that came before is not noticed if something in its middle changed",
        "hub/source/rows.py",
        "*rows[:1], *rows[-1:]))",
        "*rows))",
        (KNOWN_PAGES,),
    ),
    Defect(
        "a proof buries what another run stored meanwhile",
        "hub/store/deletions.py",
        '"raw_page <= ?", mark',
        '"0 <= ?", mark',
        ("tests/sync/test_proofs_beside.py",),
    ),
    Defect(
        "a bad record that was settled once is in no list when it comes again",
        "hub/store/write.py",
        "THEN 'dropped' ELSE 'open' END",
        "THEN 'dropped' ELSE quarantine.status END",
        ("tests/sync/test_settling.py",),
    ),
    Defect(
        "two runs of one reading make a correction",
        "hub/sync/decide.py",
        "stale_before=seen_stale is not None and seen_stale <= self._mark,",
        "stale_before=seen_stale is not None,",
        ("tests/sync/test_corrections.py",),
    ),
    Defect(
        "an upgrade takes consumers' rights away",
        "hub/store/views.py",
        "    for statement in rights:",
        "    for statement in ():",
        ("tests/store/test_schema.py",),
    ),
    Defect(
        "a page is decided by what the store held before the page before was stored",
        "hub/sync/run.py",
        "if written is not None and prepared.meets(written):",
        "if False:",
        ("tests/sync/test_prepare.py",),
    ),
    Defect(
        "what a killed first filling left off is never made",
        "hub/store/filling.py",
        "        with _trouble_is_logged():\n            make_read_indices(store)",
        "        pass",
        ("tests/sync/test_filling.py",),
    ),
    Defect(
        "as many seen as there are counts as all seen, whoever is dead",
        "hub/store/deletions.py",
        "    if counted and not dead and there == seen.count(1, first, end):",
        "    if there - dead == seen.count(1, first, end):",
        ("tests/sync/test_enumeration.py",),
    ),
    Defect(
        "a session outlives the password it was fetched with",
        "hub/source/auth.py",
        'return f"{self._account}/{self._tokens.mark(self._credentials)}"',
        "return self._account",
        ("tests/source/test_auth.py",),
    ),
    Defect(
        "a bad record that a reading showed is taken for gone",
        "hub/store/deletions.py",
        "(last_seen_at >= ? OR raw_page > ?)",
        "(last_seen_at < ? OR raw_page > ?)",
        ("tests/sync/test_settling.py",),
    ),
    Defect(
        "a keyset reading proves deletions although more is counted than came",
        "hub/source/keyset.py",
        'return bool(position.get("read", 0) + page.count >= (page.split.total or position.get("total", 0)))',
        "return True",
        (PAGING, LIST),
    ),
    Defect(
        "one broken code table stops every mapping",
        "hub/mapping/mapping.py",
        "            tables = CodeTables(name, self._table_files, self._tables)",
        "            tables = CodeTables(name, self._table_files, self._tables)\n            list(tables.values())",
        ("tests/sync/test_codes_and_validation.py",),
    ),
    Defect(
        "a record of which only the report is known has no time",
        "hub/mapping/compile.py",
        'if "occurred_at" in filled else "reported_at"',
        'if "occurred_at" in filled else "None"',
        ("tests/mapping/test_mapper.py",),
    ),
    Defect(
        "of two list rows of one record the last one vouches for its detail alone",
        "hub/sync/prepare.py",
        'hashlib.sha256(b"".join(raw)).digest()',
        "hashlib.sha256(raw[-1]).digest()",
        (DECIDE,),
    ),
    Defect(
        "an older version on an earlier page is not looked for on the later ones",
        "hub/sync/decide.py",
        "                self._doubted.add(key)\n                self._watched.add(key)",
        "                self._doubted.discard(None)  # type: ignore[arg-type]",
        (DECIDE,),
    ),
    Defect(
        "a comma in the address of a next link ends it",
        "hub/source/paging.py",
        "_LINK.findall(text)",
        "[pair for part in text.split(',') for pair in _LINK.findall(part)]",
        (PAGING,),
    ),
    Defect(
        "a connection that died while it rested is used",
        "hub/store/engine.py",
        'record.info.get("rests_since", math.inf) > _REST_S',
        'record.info.get("rests_since", math.inf) > math.inf',
        ("tests/store/test_together.py",),
    ),
)
