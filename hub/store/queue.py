"""The work queue of many workers: Procrastinate's tables in a PostgreSQL schema of their own, and who works on them.

Procrastinate's workers fetch and finish jobs. What the hub needs to do in ONE transaction of its own (plan and
submit, bury a dead worker and submit its work anew) is written here against the tables of the pinned release.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hub.store.store import Store, Transaction

__all__ = [
    "SCHEMA",
    "TASK",
    "QueueFigures",
    "QueuedJob",
    "WorkerRow",
    "bury_dead",
    "enqueue",
    "forget_old_jobs",
    "jobs_of",
    "keep_alive",
    "list_workers",
    "queue_figures",
    "served_lanes",
    "sign_off",
    "withdraw",
]

SCHEMA = "hub_engine"
TASK = "sync"
_KEPT_HOURS = 24


class QueuedJob(NamedTuple):
    """One job to wait. `args` is JSON text; `not_before` epoch ms, None for at once."""

    key: str
    lane: str
    priority: int
    lock: str
    args: str
    not_before: int | None


class WorkerRow(NamedTuple):
    """A worker process; instants are epoch ms. `keys`: what it is running."""

    owner: str
    host: str
    pid: int
    slots: int
    lanes: str
    started_at: int
    seen_at: int
    keys: tuple[str, ...]


class QueueFigures(NamedTuple):
    """`running`: (key, worker, since in epoch ms). `dead`: keys whose worker died within a day. `oldest_wait`: epoch
    ms."""

    waiting: tuple[str, ...]
    running: tuple[tuple[str, str, int], ...]
    dead: tuple[str, ...]
    oldest_wait: int | None


def _see_queue(transaction: Transaction) -> None:
    """Procrastinate's triggers name their tables without a schema."""
    transaction.one(f"SELECT set_config('search_path', current_setting('search_path') || ', {SCHEMA}', true)")


# A key waits once. A more urgent ticket (a person's "now") takes the place of the one that waits, one that may begin
# sooner brings it forward; all others change nothing.
_ENQUEUE = f"""
INSERT INTO {SCHEMA}.procrastinate_jobs AS waiting
  (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, status)
VALUES (?, '{TASK}', ?, ?, ?, ?::jsonb, to_timestamp(?::float8 / 1000), 'todo')
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE
SET priority = greatest(excluded.priority, waiting.priority), scheduled_at = excluded.scheduled_at,
  queue_name = CASE WHEN excluded.priority > waiting.priority THEN excluded.queue_name ELSE waiting.queue_name END,
  args = CASE WHEN excluded.priority > waiting.priority THEN excluded.args ELSE waiting.args END
WHERE excluded.priority > waiting.priority
  OR coalesce(excluded.scheduled_at, '-infinity') < coalesce(waiting.scheduled_at, '-infinity')
"""


def enqueue(transaction: Transaction, jobs: Sequence[QueuedJob]) -> int:
    """Put jobs into the queue; how many of them changed it."""
    _see_queue(transaction)
    return transaction.run_many(
        _ENQUEUE, [(job.lane, job.priority, job.lock, job.key, job.args, job.not_before) for job in jobs]
    )


def withdraw(store: Store, key: str) -> bool:
    """Take a waiting job back and ask a running one to stop; False if there is neither."""
    with store.write() as transaction:
        _see_queue(transaction)
        gone = transaction.run(
            f"DELETE FROM {SCHEMA}.procrastinate_jobs WHERE queueing_lock = ? AND status = 'todo'", (key,)
        )
        asked = transaction.run(
            f"UPDATE {SCHEMA}.procrastinate_jobs SET abort_requested = true"
            " WHERE queueing_lock = ? AND status = 'doing'",
            (key,),
        )
    return gone + asked > 0


def keep_alive(
    store: Store, owner: str, host: str, pid: int, slots: int, lanes: str, started_at: int, ids: list[int]
) -> None:
    """A worker says that it lives; by the database's clock, so that machines need not agree on the time."""
    with store.write() as transaction:
        transaction.run(
            f"INSERT INTO {SCHEMA}.worker (owner, host, pid, slots, lanes, started_at, seen_at, ids)"
            " VALUES (?, ?, ?, ?, ?, ?, clock_timestamp(), ?)"
            " ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at, ids = excluded.ids",
            (owner, host, pid, slots, lanes, started_at, ids),
        )


def sign_off(store: Store, owner: str) -> None:
    """A worker has drained and goes."""
    with store.write() as transaction:
        transaction.run(f"DELETE FROM {SCHEMA}.worker WHERE owner = ?", (owner,))


def bury_dead(store: Store, silence_s: float) -> list[str]:
    """Workers silent for too long lose their leases, and what they ran waits again; the keys submitted anew.

    All in one transaction, which several workers may try at once. A worker that was only frozen finds its lease taken
    over (fenced) or, if nobody wanted it yet, goes on with it.
    """
    with store.write() as transaction:
        _see_queue(transaction)
        dead = transaction.all(
            f"DELETE FROM {SCHEMA}.worker WHERE seen_at < clock_timestamp() - make_interval(secs => ?) RETURNING owner",
            (silence_s,),
        )
        if dead:
            transaction.run("UPDATE lease SET expires_at = 0 WHERE owner = ANY(?)", ([row[0] for row in dead],))
        orphans = transaction.all(
            f"SELECT job.id, job.queue_name, job.priority, job.lock, job.queueing_lock, job.args::text"
            f" FROM {SCHEMA}.procrastinate_jobs AS job"
            f" LEFT JOIN {SCHEMA}.procrastinate_workers AS worker ON worker.id = job.worker_id"
            # Never before its process is buried: the run submitted anew would find the lease still held.
            f" WHERE job.status = 'doing' AND NOT EXISTS (SELECT 1 FROM {SCHEMA}.worker WHERE job.worker_id = ANY(ids))"
            " AND (worker.id IS NULL"
            " OR worker.last_heartbeat < clock_timestamp() - make_interval(secs => ?))"
            " FOR UPDATE OF job SKIP LOCKED",
            (silence_s,),
        )
        # Failed and made anew, never Procrastinate's own retry: that one clashes with a job waiting under the same key.
        transaction.run_many(
            f"UPDATE {SCHEMA}.procrastinate_jobs SET status = 'failed', abort_requested = false WHERE id = ?",
            [(row[0],) for row in orphans],
        )
        jobs = [QueuedJob(row[4], row[1], row[2], row[3], row[5], None) for row in orphans]
        transaction.run_many(
            _ENQUEUE, [(job.lane, job.priority, job.lock, job.key, job.args, job.not_before) for job in jobs]
        )
    return [job.key for job in jobs]


def forget_old_jobs(store: Store) -> int:
    """Drop what remains of buried and cancelled jobs after a day; the queue stays as small as the work in it."""
    with store.write() as transaction:
        _see_queue(transaction)
        return transaction.run(
            f"DELETE FROM {SCHEMA}.procrastinate_jobs AS job WHERE job.status NOT IN ('todo', 'doing') AND NOT EXISTS"
            f" (SELECT 1 FROM {SCHEMA}.procrastinate_events AS event WHERE event.job_id = job.id"
            f" AND event.at > clock_timestamp() - interval '{_KEPT_HOURS} hours')"
        )


_SINCE = (
    f"(SELECT extract(epoch FROM max(event.at)) * 1000 FROM {SCHEMA}.procrastinate_events AS event"
    " WHERE event.job_id = job.id)"
)


def list_workers(store: Store) -> list[WorkerRow]:
    """Every worker that has not signed off or been buried, the oldest first."""
    with store.read() as transaction:
        rows: list[Any] = transaction.all(
            "SELECT owner, host, pid, slots, lanes, started_at, (extract(epoch FROM seen_at) * 1000)::bigint,"
            f" ARRAY(SELECT queueing_lock FROM {SCHEMA}.procrastinate_jobs WHERE worker_id = ANY(ids)"
            " AND status = 'doing'"
            f" ORDER BY 1) FROM {SCHEMA}.worker ORDER BY started_at, owner"
        )
    return [WorkerRow(*(*row[:7], tuple(row[7]))) for row in rows]


def served_lanes(store: Store, silence_s: float) -> set[str]:
    """Lanes that living workers serve; by the database's clock."""
    with store.read() as transaction:
        rows = transaction.all(
            f"SELECT lanes FROM {SCHEMA}.worker WHERE seen_at > clock_timestamp() - make_interval(secs => ?)",
            (silence_s,),
        )
    return {lane for row in rows for lane in row[0].split(",")}


def jobs_of(store: Store, keys: Sequence[str]) -> list[tuple[str, str, str]]:
    """(key, mark of its ticket, "todo" or "doing") of every job of these keys that waits or runs."""
    with store.read() as transaction:
        rows = transaction.all(
            f"SELECT queueing_lock, coalesce(args ->> 'mark', ''), status::text FROM {SCHEMA}.procrastinate_jobs"
            " WHERE queueing_lock = ANY(?) AND status IN ('todo', 'doing')",
            (list(keys),),
        )
    return [(row[0], row[1], row[2]) for row in rows]


def queue_figures(store: Store) -> QueueFigures:
    """What waits, runs and died."""
    jobs = f"{SCHEMA}.procrastinate_jobs AS job"
    with store.read() as transaction:
        waiting = transaction.all(f"SELECT queueing_lock FROM {jobs} WHERE status = 'todo' ORDER BY priority DESC, id")
        running = transaction.all(
            f"SELECT queueing_lock, coalesce(owner, '-'), {_SINCE}::bigint FROM {jobs}"
            f" LEFT JOIN {SCHEMA}.worker ON job.worker_id = ANY(ids) WHERE status = 'doing' ORDER BY 1"
        )
        dead = transaction.all(f"SELECT DISTINCT queueing_lock FROM {jobs} WHERE status = 'failed' ORDER BY 1")
        oldest = transaction.one(
            "SELECT (extract(epoch FROM min(coalesce(scheduled_at, (SELECT min(at)"
            f" FROM {SCHEMA}.procrastinate_events AS event WHERE event.job_id = job.id))) ) * 1000)::bigint FROM {jobs}"
            " WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= clock_timestamp())"
        )
    return QueueFigures(
        tuple(row[0] for row in waiting), tuple(tuple(row) for row in running), tuple(row[0] for row in dead), oldest[0]
    )
