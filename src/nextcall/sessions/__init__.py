"""Observed calls: their types, their table, readers of the common logs, splits, and transitions."""

from nextcall.sessions.call import Call, Query, Session, calls_of

__all__ = ["Call", "Query", "Session", "calls_of"]
