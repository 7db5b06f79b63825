"""A pool of connections that nobody waits for longer than there is time."""

from typing import Any

from sqlalchemy import QueuePool
from sqlalchemy.util.queue import Queue

from nextcall.resilience.deadline import remaining


class _WaitingQueue(Queue[Any]):
    """A queue whose wait ends with the deadline in force, where there is one."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        left = remaining()
        return super().get(block, timeout if left is None else left)


class WaitingPool(QueuePool):
    """SQLAlchemy's pool, in which the deadline in force is waited for, be it nearer or farther."""

    _queue_class = _WaitingQueue
