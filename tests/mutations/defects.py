"""Defects that engines of this kind have had, each as one change of the code."""

from dataclasses import dataclass

__all__ = ["DEFECTS", "Defect"]

RUN, DECIDE, VERSIONS = "tests/sync/test_run.py", "tests/sync/test_decide.py", "tests/sync/test_versions.py"
LIST = "tests/sync/test_enumeration.py"
WIRE = "tests/faults/test_faults_on_the_wire.py"


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
        "no fencing check",
        "hub/store/write.py",
        ' WHERE name = ? AND owner = ? AND token = ?",\n        (now + lease.ttl_ms, lease.name, lease.owner, lease.token)',
        ' WHERE name = ?",\n        (now + lease.ttl_ms, lease.name)',
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
        "and one < other",
        "and one <= other",
        (VERSIONS, DECIDE),
    ),
    Defect(
        "stale overwrites newer",
        "hub/sync/versions.py",
        "if older and (log or not stale_before):",
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
        "hash of the reshaped record's beginning only",
        "hub/sync/decide.py",
        "sha256(raw).digest(), head, problem",
        "sha256(raw[:40]).digest(), head, problem",
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
        "hub/mapping/compile.py",
        'return ("person", None, None)',
        'return ("person", name, code)',
        (WIRE, "-k", "F443"),
    ),
    Defect(
        "redaction is off",
        "hub/config/redact.py",
        "return pattern.sub(MASK, text) if pattern else text",
        "return text",
        (WIRE, "-k", "F039", "tests/config"),
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
        "    if page.split.total is not None and read <= page.split.total:\n        return read == page.split.total",
        "    if page.split.total is not None:\n        return read >= page.split.total",
        (WIRE, "-k", "F119 or F120"),
    ),
    Defect(
        "200 with an unknown code is data",
        "hub/source/envelope.py",
        "            if not check.passes(value):",
        "            if False:",
        (WIRE, "-k", "F101 or F108"),
    ),
)
