"""The rules of a task."""

from typing import Any

import pytest

from nextcall.assistant.task import MOST_CALLS, MOST_SHOWN, Task
from nextcall.catalog import Operation, describe_operation

MANY = tuple(describe_operation(operation_id=f"o{number}") for number in range(MOST_SHOWN + 1))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prompt": " \n"}, r"^prompt must not be blank\.$"),
        ({"shown": ()}, r"^shown must hold 1 to 20 operations, has 0\.$"),
        ({"shown": MANY}, r"^shown must hold 1 to 20 operations, has 21\.$"),
        ({"shown": (MANY[0], MANY[0])}, r"^shown must hold each operation once\.$"),
        ({"most_calls": 0}, r"^most_calls must be from 1 to 5, got 0\.$"),
        ({"most_calls": MOST_CALLS + 1}, r"^most_calls must be from 1 to 5, got 6\.$"),
        ({"tier": "huge"}, r"^tier must be one of trivial, low, .*, got 'huge'\.$"),
        ({"temperature": 1.5}, r"^temperature must be from 0 to 1, got 1\.5\.$"),
        ({"temperature": float("nan")}, r"^temperature must be from 0 to 1, got nan\.$"),
    ],
)
def test_a_task_that_breaks_a_rule_names_it(
    shown: tuple[Operation, ...], given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        Task(**{"prompt": "all users", "shown": shown, **given})


def test_what_is_on_the_edge_is_allowed(shown: tuple[Operation, ...]) -> None:
    task = Task(prompt="x", shown=MANY[:MOST_SHOWN], most_calls=MOST_CALLS, temperature=1)
    assert len(task.shown) == MOST_SHOWN
    assert Task(prompt="x", shown=shown[:1], most_calls=1, temperature=0).tier == "low"
