"""The kinds of failures."""

from enum import StrEnum


class Category(StrEnum):
    """Kind of a failure: whether to try again, and whom to blame."""

    NETWORK = "network"
    """Nobody was reached, or no answer came in time."""

    API_LIMIT = "api_limit"
    """The other side lives, and wants to be asked less often."""

    AUTHENTICATION = "authentication"
    """Who asks is not known there, or may not."""

    VALIDATION = "validation"
    """What was asked is refused, and would be refused again."""

    RESOURCE = "resource"
    """What the work needs has run out: memory, disk, files, connections, the caller's time."""

    TRANSIENT = "transient"
    """The other side fails just now."""

    FATAL = "fatal"
    """None of these: a fault of a program, as far as anyone can tell."""
