"""Who waits is told when the item is on disk, and of an error only where it concerns the item."""

import asyncio
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from nextcall.storage import group_writer
from nextcall.storage.database import Database
from nextcall.storage.group_writer import GroupWriter, WriterBusyError, WriterClosedError

TABLES = MetaData()
KEPT = Table("kept", TABLES, Column("id", Integer, primary_key=True))

Write = Callable[[Connection, Sequence[int]], list[Any]]
SOON = 60.0  # seconds after which a test hangs


def keep(connection: Connection, items: Sequence[int]) -> list[Any]:
    connection.execute(insert(KEPT), [{"id": item} for item in items])
    return [2 * item for item in items]


@pytest.fixture(autouse=True)
def _tables(request: pytest.FixtureRequest) -> None:
    if "database" in request.fixturenames:
        with request.getfixturevalue("database").writing() as connection:
            TABLES.create_all(connection)


def kept(database: Database) -> set[int]:
    with database.reading() as connection:
        return set(connection.scalars(select(KEPT.c.id)))


class Gate:
    """A way to write that waits until it is opened, and notes what it is given."""

    def __init__(self, write: Write = keep) -> None:
        self.write, self.groups = write, list[list[int]]()
        self.begun, self.opened = threading.Event(), threading.Event()

    def __call__(self, connection: Connection, items: Sequence[int]) -> list[Any]:
        self.groups.append(list(items))
        self.begun.set()
        if not self.opened.wait(SOON):
            self.opened.set()  # a test that has failed ends at once
        return self.write(connection, items)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as threads:
        yield threads


def test_each_caller_gets_its_answer_when_its_item_is_kept(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    with GroupWriter(database, keep) as writer:

        def write(item: int) -> tuple[int, bool]:
            return writer.write(item), item in kept(database)

        assert list(pool.map(write, range(200))) == [(2 * item, True) for item in range(200)]
    assert kept(database) == set(range(200))


def test_what_gathers_during_a_commit_shares_the_next(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    gate = Gate()
    with GroupWriter(database, gate, largest=6) as writer:
        first = pool.submit(writer.write, 0)
        assert gate.begun.wait(SOON)
        others = [pool.submit(writer.write, item) for item in range(1, 11)]
        wait_until(lambda: len(writer._queue) == 10)
        gate.opened.set()
        assert [each.result(SOON) for each in (first, *others)] == [2 * n for n in range(11)]
    assert [len(group) for group in gate.groups] == [1, 6, 4]


@pytest.mark.parametrize("at_once", [False, True])
def test_callers_who_come_again_share_the_next_commit_with_those_who_waited(
    database: Database,
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    *,
    at_once: bool,
) -> None:
    """Also where they come again at once, before the writer looks who waits."""
    groups, allowed = list[list[int]](), threading.Semaphore(0)
    settle = group_writer._settle

    def settle_and_wait(waiting: Any, answer: Any) -> None:
        before = len(writer._queue)
        settle(waiting, answer)
        if at_once and len(groups) == 2:
            wait_until(lambda: len(writer._queue) > before)

    monkeypatch.setattr(group_writer, "_settle", settle_and_wait)

    def write(connection: Connection, items: Sequence[int]) -> list[Any]:
        groups.append(sorted(items))
        assert allowed.acquire(timeout=SOON)
        return keep(connection, items)

    def write_twice(item: int) -> None:
        writer.write(item)
        writer.write(item + 10)

    with GroupWriter(database, write, rest=600) as writer:
        alone = pool.submit(writer.write, 0)
        wait_until(lambda: len(groups) == 1)
        callers = [pool.submit(write_twice, item) for item in (1, 2)]
        wait_until(lambda: len(writer._queue) == 2)
        allowed.release()
        alone.result(SOON)
        wait_until(lambda: len(groups) == 2)  # who was alone is not waited for
        callers += [pool.submit(writer.write, item) for item in (3, 4)]
        wait_until(lambda: len(writer._queue) == 2)
        allowed.release(2)
        for each in callers:
            each.result(SOON)  # a rest ends with the last that it waits for
    assert groups == [[0], [1, 2], [3, 4, 11, 12]]


def test_a_rest_ends_when_its_time_is_up(database: Database, pool: ThreadPoolExecutor) -> None:
    gate = Gate()
    with GroupWriter(database, gate, rest=0.05) as writer:
        first = pool.submit(writer.write, 0)
        assert gate.begun.wait(SOON)
        others = [pool.submit(writer.write, item) for item in (1, 2)]
        wait_until(lambda: len(writer._queue) == 2)
        gate.opened.set()
        assert [each.result(SOON) for each in (first, *others)] == [0, 2, 4]
        assert writer.write(3) == 6
    assert gate.groups[2:] == [[3]]


def test_tasks_of_one_turn_of_the_loop_share_a_commit(database: Database) -> None:
    gate = Gate()
    gate.opened.set()

    async def write_all(writer: GroupWriter[int, int]) -> list[int]:
        return await asyncio.gather(*(writer.write_async(item) for item in range(50)))

    with GroupWriter(database, gate) as writer:
        assert asyncio.run(write_all(writer)) == [2 * item for item in range(50)]
    assert gate.groups == [list(range(50))]


def test_tasks_and_threads_share_a_commit(database: Database, pool: ThreadPoolExecutor) -> None:
    gate = Gate()

    async def main(writer: GroupWriter[int, int]) -> list[int]:
        first = pool.submit(writer.write, 10)
        assert await asyncio.to_thread(gate.begun.wait, SOON)
        tasks = [asyncio.create_task(writer.write_async(item)) for item in range(5)]
        others = [pool.submit(writer.write, item) for item in range(5, 10)]
        await asyncio.to_thread(wait_until, lambda: len(writer._queue) == 10)
        gate.opened.set()
        found = await asyncio.gather(*tasks)
        return found + [each.result(SOON) for each in (*others, first)]

    with GroupWriter(database, gate) as writer:
        assert asyncio.run(main(writer)) == [2 * n for n in range(11)]
    assert [sorted(group) for group in gate.groups] == [[10], list(range(10))]
    assert kept(database) == set(range(11))


@pytest.mark.parametrize("n_bad", [1, 3, 16])
def test_an_error_reaches_only_those_it_concerns(
    database: Database, pool: ThreadPoolExecutor, n_bad: int
) -> None:
    """Items that are there already; the others of the group are kept."""
    bad = set(range(0, 16, 16 // n_bad)[:n_bad])
    with database.writing() as connection:
        keep(connection, sorted(bad))
    gate = Gate()
    with GroupWriter(database, gate) as writer:
        first = pool.submit(writer.write, 100)
        assert gate.begun.wait(SOON)
        others = [pool.submit(writer.write, item) for item in range(16)]
        wait_until(lambda: len(writer._queue) == 16)
        gate.opened.set()
        assert first.result(SOON) == 200
        for item, each in enumerate(others):
            if item in bad:
                assert isinstance(each.exception(SOON), IntegrityError)
            else:
                assert each.result(SOON) == 2 * item
    assert kept(database) == {*range(16), 100}
    # Halving takes few commits where few fail.
    assert len(gate.groups) - 1 <= 1 + 2 * n_bad * 4


def test_an_answer_that_is_an_error_undoes_nothing(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    def write(connection: Connection, items: Sequence[int]) -> list[Any]:
        good = [item for item in items if item % 2]
        if good:
            keep(connection, good)
        return [item if item % 2 else LookupError(str(item)) for item in items]

    gate = Gate(write)
    gate.opened.set()
    with GroupWriter(database, gate) as writer:
        found = [pool.submit(writer.write, item) for item in range(10)]
        for item, each in enumerate(found):
            if item % 2:
                assert each.result(SOON) == item
            else:
                assert str(each.exception(SOON)) == str(item)
    assert sum(map(len, gate.groups)) == 10  # nothing was tried twice
    assert kept(database) == {1, 3, 5, 7, 9}


def test_what_no_item_is_at_fault_for_reaches_all_and_the_writer_goes_on(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    failing = threading.Event()

    def write(connection: Connection, items: Sequence[int]) -> list[Any]:
        answers = keep(connection, items)
        if failing.is_set():
            raise OperationalError("COMMIT", None, sqlite3.OperationalError("disk is full"))
        return answers

    gate = Gate(write)
    with GroupWriter(database, gate) as writer:
        first = pool.submit(writer.write, 0)
        assert gate.begun.wait(SOON)
        others = [pool.submit(writer.write, item) for item in range(1, 9)]
        wait_until(lambda: len(writer._queue) == 8)
        failing.set()
        gate.opened.set()
        for each in (first, *others):
            assert isinstance(each.exception(SOON), OperationalError)
        assert [len(group) for group in gate.groups] == [1, 8]
        failing.clear()
        assert writer.write(5) == 10
    assert kept(database) == {5}


def test_a_connection_that_breaks_is_replaced(database: Database) -> None:
    if database.backend == "sqlite":
        pytest.skip("a file has no connection that breaks")

    def write(connection: Connection, items: Sequence[int]) -> list[Any]:
        answers = keep(connection, items)
        if items[0] == 1:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return answers

    with GroupWriter(database, write) as writer:
        with pytest.raises(OperationalError):
            writer.write(1)
        assert writer.write(2) == 4
    assert kept(database) == {2}


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        ([], ValueError, r"write must answer each item, got 0 answers for 1\."),
        ([StopIteration()], RuntimeError, r"write raised StopIteration\."),
        ([SystemExit("enough")], SystemExit, "enough"),
    ],
)
def test_what_a_way_to_write_does_wrong_reaches_its_caller(
    database: Database, answers: list[Any], error: type[BaseException], message: str
) -> None:
    def write(_: Connection, __: Sequence[int]) -> list[Any]:
        return answers

    with GroupWriter(database, write) as writer:
        with pytest.raises(error, match=message):
            writer.write(1)
        if error is not SystemExit:  # which would end the loop of asyncio
            with pytest.raises(error, match=message):
                asyncio.run(writer.write_async(1))


def test_who_finds_no_room_waits_or_is_told(database: Database, pool: ThreadPoolExecutor) -> None:
    gate = Gate()
    with GroupWriter(database, gate, waiting=2, largest=2) as writer:
        found = [pool.submit(writer.write, 0)]
        assert gate.begun.wait(SOON)
        found += [pool.submit(writer.write, item) for item in (1, 2)]
        wait_until(lambda: len(writer._queue) == 2)
        with pytest.raises(WriterBusyError, match=r"2 items wait already"):
            writer.write(99, patience=0.01)
        with pytest.raises(WriterBusyError, match=r"2 items wait already"):
            asyncio.run(writer.write_async(99, patience=0.01))
        found += [pool.submit(writer.write, item) for item in range(3, 9)]

        async def more() -> list[int]:
            tasks = [asyncio.create_task(writer.write_async(item)) for item in range(9, 20)]
            await asyncio.sleep(0)
            tasks[0].cancel()  # while it waits for room
            gate.opened.set()
            await asyncio.wait(tasks)
            return [task.result() for task in tasks[1:]]

        assert asyncio.run(more()) == [2 * item for item in range(10, 20)]
        assert [each.result(SOON) for each in found] == [2 * item for item in range(9)]
    assert max(map(len, gate.groups)) == 2
    assert kept(database) == set(range(20)) - {9}


def test_a_task_that_is_cancelled_disturbs_no_other(database: Database) -> None:
    gate = Gate()

    async def main(writer: GroupWriter[int, int]) -> list[int]:
        tasks = [asyncio.create_task(writer.write_async(item)) for item in range(4)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        await asyncio.sleep(0)
        gate.opened.set()
        return list(await asyncio.gather(tasks[0], tasks[2], tasks[3]))

    with GroupWriter(database, gate) as writer:
        assert asyncio.run(main(writer)) == [0, 4, 6]


def test_a_loop_that_is_closed_disturbs_no_one(database: Database) -> None:
    gate = Gate()

    async def leave(writer: GroupWriter[int, int]) -> None:
        _ = asyncio.create_task(writer.write_async(1))  # noqa: RUF006  # it is left behind
        await asyncio.sleep(0.01)

    with GroupWriter(database, gate) as writer:
        asyncio.run(leave(writer))
        gate.opened.set()
        assert writer.write(2) == 4
    assert kept(database) == {1, 2}


def test_closing_writes_what_waits_and_takes_no_more(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    gate = Gate()
    writer = GroupWriter(database, gate, waiting=3)
    found = [pool.submit(writer.write, 0)]
    assert gate.begun.wait(SOON)
    found += [pool.submit(writer.write, item) for item in (1, 2, 3)]
    wait_until(lambda: len(writer._queue) == 3)
    late = pool.submit(writer.write, 4)  # waits for room
    late_task = pool.submit(asyncio.run, writer.write_async(5))
    wait_until(lambda: len(writer._tasks) == 1)
    closing = [pool.submit(writer.close) for _ in range(2)]
    assert isinstance(late.exception(SOON), WriterClosedError)
    assert isinstance(late_task.exception(SOON), WriterClosedError)
    gate.opened.set()
    for each in closing:
        each.result(SOON)
    assert [each.result(SOON) for each in found] == [0, 2, 4, 6]
    with pytest.raises(WriterClosedError, match=r"^the writer is closed\.$"):
        writer.write(6)
    assert kept(database) == {0, 1, 2, 3}


def test_what_was_acknowledged_outlives_the_process(
    database: Database, url: str, start_script: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """It is killed while it writes; every number that it printed is kept."""
    script = (
        "import os, sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from sqlalchemy import text\n"
        "from nextcall.storage.database import Database\n"
        "from nextcall.storage.group_writer import GroupWriter\n"
        "def keep(connection, items):\n"
        "    rows = [{'id': item} for item in items]\n"
        "    connection.execute(text('INSERT INTO kept VALUES (:id)'), rows)\n"
        "    return items\n"
        "writer = GroupWriter(Database(sys.argv[1]), keep)\n"
        "def write(item):\n"
        "    os.write(1, b'%d\\n' % writer.write(item))\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    list(pool.map(write, range(100_000)))\n"
    )
    process = start_script(script, url)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(200)]
    process.kill()
    rest = process.stdout.read().split("\n")[:-1]  # a line that was cut short is none
    process.wait(SOON)
    assert {*acknowledged, *map(int, rest)} <= kept(database)


@pytest.mark.parametrize("option", ["waiting", "largest"])
def test_options_below_1_are_refused(database: Database, option: str) -> None:
    with pytest.raises(ValueError, match=rf"{option} must be at least 1, got 0\."):
        GroupWriter(database, keep, **{option: 0})


class Undone:
    """Stands for a database: a set, as it was before where a transaction fails."""

    patience = 5.0

    def __init__(self) -> None:
        self.state = set[int]()
        self.given = list[float]()

    @contextmanager
    def writing(self, *, seconds: float) -> Iterator[set[int]]:
        self.given.append(seconds)
        before = set(self.state)
        try:
            yield self.state
        except ValueError:
            self.state = before
            raise


def add(state: Any, items: Sequence[tuple[int, bool]]) -> list[int]:
    for item, fails in items:
        if fails or item in state:
            raise ValueError(item)
        state.add(item)
    return [item for item, _ in items]


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=40))
def test_the_first_of_equal_items_is_kept_whatever_the_groups(
    rows: list[tuple[int, bool]],
) -> None:
    """Groups are halved in order, so it is as if each had been written alone."""
    stand_in: Any = Undone()

    async def main(writer: GroupWriter[tuple[int, bool], int]) -> list[Any]:
        waiting = [writer.write_async(row) for row in rows]
        return await asyncio.gather(*waiting, return_exceptions=True)

    with GroupWriter(stand_in, add, largest=7) as writer:
        found = asyncio.run(main(writer))
    expected, seen = list[int | None](), set[int]()
    for item, fails in rows:
        expected.append(None if fails or item in seen else item)
        if not fails:
            seen.add(item)
    assert [None if isinstance(each, ValueError) else each for each in found] == expected
    assert stand_in.state == seen


def test_the_wait_for_others_is_a_part_of_the_time_of_an_item() -> None:
    stand_in: Any = Undone()
    begun, go = threading.Event(), threading.Event()

    def write(state: Any, items: Sequence[tuple[int, bool]]) -> list[int]:
        begun.set()
        assert go.wait(60)
        return add(state, items)

    with GroupWriter(stand_in, write) as writer:
        first = threading.Thread(target=writer.write, args=[(0, False)])
        first.start()
        assert begun.wait(60)
        second = threading.Thread(target=writer.write, args=[(1, False)])
        second.start()
        while not writer._queue:
            time.sleep(0.001)
        time.sleep(0.05)
        go.set()
        first.join(60)
        second.join(60)
    assert stand_in.state == {0, 1}
    assert stand_in.given[0] <= 5.0
    assert stand_in.given[1] < 5.0 - 0.04
