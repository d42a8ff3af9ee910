"""The sections of hub.toml. The commented example file and the documentation are made from these descriptions."""

import base64
import binascii
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from hub.config.places import Places
from hub.config.reading import read_section
from hub.config.secrets import open_to_others
from hub.config.values import Duration, Schedule, Start, Zone
from hub.errors import ConfigError

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = [
    "DefaultSettings",
    "EngineSettings",
    "PluginSettings",
    "RetentionSettings",
    "SharedSettings",
    "SourceSettings",
    "StoreSettings",
]

M = TypeVar("M", bound=BaseModel)

KEY_BYTES = 32


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(_Section):
    """Where incidents are kept."""

    url: str = Field(
        "sqlite:///hub.db",
        description="SQLAlchemy address of the store. A relative SQLite path is taken from hub.toml's folder.",
        repr=False,
        examples=["postgresql+psycopg://hub:${env:HUB_DB_PASSWORD}@db.example.gov.cn/hub"],
    )
    key: SecretStr | None = Field(
        None,
        description="The store's key, 32 bytes in base64; raw records and people are encrypted with it.",
        examples=["${file:secrets/store.key}"],
    )

    def secret_key(self) -> bytes:
        """The key's 32 bytes. Raises ConfigError if there is none or it is not 32 bytes of base64."""
        if self.key is None:
            raise ConfigError("[store] key is missing", remedy="run `hub init`, or name the key's file in hub.toml")
        try:
            key = base64.b64decode(self.key.get_secret_value(), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise ConfigError("[store] key is not 32 bytes in base64", remedy="put back the file `hub init` made")
        return key


class SharedSettings(_Section):
    """Settings that `[defaults]` gives to every source and a source may give itself."""

    schedule: Schedule | None = Field(
        None,
        description="When `hub serve` syncs: five cron fields, an interval (`5m`, `PT5M`) or `never`. None: only"
        " `hub sync`.",
        examples=["5m", "*/10 * * * *"],
    )
    full_refresh: Schedule | None = Field(
        None,
        description="When every record is read again beside that, to notice what vanished upstream: as `schedule`. Only"
        " streams whose usual syncs cannot notice it have such a reading.",
        examples=["0 3 * * 0"],
    )
    start: Start = Field(
        Start("P90D", back=timedelta(days=90)),
        description="How far back the first sync goes: a day, an instant with offset, or a length such as P90D.",
        examples=["P90D", "2026-01-01"],
    )
    freshness: Duration = Field(
        timedelta(hours=1),
        description="Objective: the last good sync is never older than this.",
        examples=["PT1H"],
    )
    rate: float = Field(5.0, gt=0, description="Requests a second to one host, shared by all sources on that host.")
    request_deadline: Duration = Field(
        timedelta(seconds=60), description="One request, from first byte sent to last byte received."
    )
    page_deadline: Duration = Field(timedelta(minutes=5), description="One page with all its retries.")
    run_deadline: Duration = Field(timedelta(hours=2), description="One run of one stream; what it read is kept.")
    retries: int = Field(5, ge=0, description="How often a page is asked for again when the source is unavailable.")
    max_bytes: int = Field(64 * 1024 * 1024, gt=0, description="Largest answer that is read, in bytes.")
    quarantine_budget: int = Field(
        1000, ge=0, description="New records in quarantine after which a run stops, as partial."
    )
    deletion_share: float = Field(
        0.05, ge=0, le=1, description="Missing records above this share of a stream wait for a person's approval …"
    )
    deletion_rows: int = Field(20, ge=0, description="… if they are also more than this many.")
    proxy: str | None = Field(
        None,
        description="Proxy for requests. The proxy variables of the environment are not read.",
        repr=False,
        examples=["http://proxy.example.gov.cn:3128"],
    )
    ca_bundle: Path | None = Field(
        None, description="PEM file with the authorities to trust instead of the usual ones.", examples=["certs/ca.pem"]
    )


class DefaultSettings(SharedSettings):
    """What holds for every source that says nothing else."""

    zone: Zone = Field("Asia/Shanghai", description="Time zone of schedules, of bare dates and of times shown.")
    workers: int = Field(4, ge=1, le=64, description="Streams that are read at the same time.")


class SourceSettings(SharedSettings):
    """One configured instance of a connector. Settings that are not listed here belong to the connector."""

    connector: str = Field(description="Name of the connector; `hub plugins` lists them.")
    key: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Name the store knows this source by, if it is not the section's. Fixed at the first sync.",
    )
    parallel: bool = Field(
        True,
        description="false: scheduled runs of this source's streams follow each other, on whatever machine they run.",
    )
    enabled: bool = Field(True, description="false: the source is left out of sync, check and serve.")
    client_cert: Path | None = Field(
        None, description="PEM file with client certificate and private key.", examples=["secrets/client.pem"]
    )

    _name: str = PrivateAttr("")
    _options: dict[str, Any] = PrivateAttr(default_factory=dict)
    _places: Places = PrivateAttr(default_factory=Places)

    @property
    def name(self) -> str:
        """The section's name, as commands take it."""
        return self._name

    @property
    def options(self) -> dict[str, Any]:
        """The connector's own settings, secrets in clear: never print them."""
        return self._options

    def connector_config(self, model: type[M]) -> M:
        """The connector's own settings as its `Config`. Raises ConfigError for the first setting that is wrong."""
        known = (*(name for name in type(self).model_fields), *model.model_fields)
        config, errors = read_section(model, self._options, self._places, known=known)
        if config is None:
            raise errors[0].within(source=self._name)
        return config

    def http(self) -> dict[str, Any]:
        """Network settings as arguments of httpx.HTTPTransport. Raises ConfigError if a certificate cannot be read.

        `trust_env` is off: a proxy variable meant for something else must not reroute an authority's data.
        """
        try:
            if self.ca_bundle is None and self.client_cert is None:
                return {"verify": _trusted_by_system(), "proxy": self.proxy, "trust_env": False}
            from ssl import create_default_context

            context = create_default_context(cafile=str(self.ca_bundle) if self.ca_bundle else None)
            if self.client_cert is not None:
                if open_to_others(self.client_cert.stat().st_mode):
                    raise ConfigError(
                        "others can read {path}, which holds the private key of source {source}",
                        remedy="chmod 600 {path}",
                        source=self._name,
                        path=self.client_cert,
                    )
                context.load_cert_chain(str(self.client_cert))
        except OSError as exc:  # ssl.SSLError is one
            raise ConfigError(
                "a certificate of source {source} cannot be read: {why}",
                remedy="check ca_bundle and client_cert in {file}",
                source=self._name,
                why=type(exc).__name__,
                file=self._places.file,
            ) from exc
        return {"verify": context, "proxy": self.proxy, "trust_env": False}


@cache
def _trusted_by_system() -> "SSLContext":
    """The system's authorities, read once: that takes 20 ms, more than a run that finds nothing."""
    from ssl import create_default_context

    return create_default_context()


class EngineSettings(_Section):
    """Who carries scheduled runs."""

    kind: Literal["inprocess", "procrastinate"] = Field(
        "inprocess",
        description="`inprocess`: threads of `hub serve` itself. `procrastinate`: many workers on a PostgreSQL store.",
    )
    heartbeat: Duration = Field(
        timedelta(seconds=10), description="procrastinate: how often a worker says that it lives."
    )
    dead_after: Duration = Field(
        timedelta(seconds=30),
        description="procrastinate: silence after which a worker counts as dead and its streams go to others. Shorter"
        " than a paused virtual machine or a busy disk can last, and living workers are taken for dead.",
    )
    reap: Duration = Field(
        timedelta(seconds=5), description="procrastinate: how often every worker looks for dead ones."
    )
    poll: Duration = Field(
        timedelta(seconds=1), description="procrastinate: longest wait for work whose announcement was lost."
    )
    lease: Duration = Field(
        timedelta(seconds=90),
        description="A stream stays with its run for this long after each page. Where nobody buries the dead (a killed"
        " `hub sync`), the next run waits this long.",
    )


class RetentionSettings(_Section):
    """How long `hub prune` keeps what grows. Absent: for ever. Incidents, people and the audit log are never pruned."""

    feed: Duration | None = Field(
        None, description="Changes of the feed. A consumer that was away longer must read everything anew.",
        examples=["P180D"],
    )  # fmt: skip
    revisions: Duration | None = Field(
        None, description="Older versions of incidents, counted from when they were replaced.", examples=["P1825D"]
    )
    quarantine: Duration | None = Field(
        None, description="Settled quarantine entries. Open ones stay.", examples=["P180D"]
    )
    runs: Duration | None = Field(
        None, description="Runs and their pages. A run that made a stored version stays.", examples=["P180D"]
    )
    schedule: Schedule = Field(
        Schedule("20 3 * * *", cron="20 3 * * *"),
        description="When `hub serve` and the workers prune, if one of the limits is set; `never`: only `hub prune`.",
        examples=["20 3 * * *"],
    )

    @property
    def limited(self) -> bool:
        """Whether the operator has set a policy at all."""
        return any(limit is not None for limit in (self.feed, self.revisions, self.quarantine, self.runs))


class PluginSettings(_Section):
    """Which installed plugins may load."""

    allow: list[str] | None = Field(
        None, description="Names of plugins that may load besides the built-in ones. Absent: every installed one."
    )
    deadline: Duration = Field(timedelta(seconds=5), description="Longest time the hub waits for a plugin's hook.")
