"""What to do with a test, in a word."""

from typing import Literal

Decision = Literal["winner", "loser", "no difference", "keep running", "invalid"]
"""What to do with a test."""
