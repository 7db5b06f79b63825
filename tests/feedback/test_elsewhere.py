"""What one worker showed, another one finds: over real sockets."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from nextcall.feedback.elsewhere import ShownElsewhere
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.shown import ShownPredictions
from nextcall.feedback.writing import UnknownPredictionError
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

from .conftest import DRAFT, MakeShown


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a short path: that of a socket may have some hundred characters only."""
    with TemporaryDirectory(prefix="nextcall-") as made:
        yield Path(made)


def workers(folder: Path, n: int) -> tuple[list[ShownPredictions], list[ShownElsewhere]]:
    shown = [ShownPredictions() for _ in range(n)]
    return shown, [ShownElsewhere(folder, number, own) for number, own in enumerate(shown)]


def test_each_finds_what_another_one_showed(folder: Path, make_shown: MakeShown) -> None:
    shown, elsewhere = workers(folder, 3)
    now = datetime.now(UTC)
    given = [make_shown(at=now, user=f"u{n}", prompt=None if n else "é\n") for n in range(3)]
    given[1].draft = DRAFT
    for number, own in enumerate(shown):
        own.remember(f"p{number}", given[number])

    async def main() -> None:
        async with AsyncExitStack() as opened:
            for each in elsewhere:
                await opened.enter_async_context(each.telling())
            for asked in range(3):
                found = [await each.find(f"p{asked}") for each in elsewhere]
                # who showed it knows it, and asks the others only
                expected = [None if n == asked else given[asked] for n in range(3)]
                assert found == expected
            for unknown in ("p3", "", "p0\np1", "p" * 1000, "é"):
                assert await elsewhere[0].find(unknown) is None

    asyncio.run(main())
    assert list(folder.iterdir()) == []


def test_what_is_too_old_is_not_told(folder: Path, make_shown: MakeShown) -> None:
    (shown, _), (elsewhere, other) = workers(folder, 2)
    shown.remember("p", make_shown(at=datetime.now(UTC) - timedelta(days=1)))

    async def main() -> None:
        async with elsewhere.telling():
            assert await other.find("p") is None

    asyncio.run(main())


def test_a_worker_that_was_killed_is_passed_by_and_its_place_taken(
    folder: Path, make_shown: MakeShown
) -> None:
    (shown, _), (elsewhere, other) = workers(folder, 2)
    shown.remember("p", make_shown(at=datetime.now(UTC)))

    async def main() -> None:
        killed = folder / "0.socket"
        server = await asyncio.start_unix_server(lambda _, writer: writer.close(), killed)
        server.close()
        await server.wait_closed()
        assert killed.exists()  # as one who was killed leaves it
        assert await other.find("p") is None
        async with elsewhere.telling():
            found = await other.find("p")
            assert found is not None
            assert found.operations == make_shown().operations

    asyncio.run(main())


@pytest.mark.parametrize("told", [b"", b"{", b"[]", b'{"at": "now"}', b"\xff", b'{"at": 1}'])
def test_an_answer_that_is_none_is_none(folder: Path, told: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(told)
        writer.close()

    async def main() -> None:
        async with await asyncio.start_unix_server(answer, folder / "1.socket"):
            assert await ShownElsewhere(folder, 0, ShownPredictions()).find("p") is None

    asyncio.run(main())


def test_feedback_goes_to_any_worker(
    folder: Path, make_shown: MakeShown, database: Database
) -> None:
    migrate(database)
    (first, second), (elsewhere, other) = workers(folder, 2)
    now = datetime.now(UTC)
    first.remember("p", make_shown(at=now))

    async def main() -> None:
        with Feedback(database, second, elsewhere=other) as feedback:
            with pytest.raises(UnknownPredictionError):
                await feedback.give_async("p", "get", at=now, user="u")
            async with elsewhere.telling():
                with pytest.raises(UnknownPredictionError):  # another one's prediction
                    await feedback.give_async("p", "get", at=now, user="v")
                given = await feedback.give_async("p", "get", at=now, user="u")
        assert (given.rank, given.repeated) == (2, False)

    asyncio.run(main())
