"""How the lists of two models became the one that was shown, and whom a choice from it credits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.interleaving_credit import marginal_credit, team_draft_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Two models' lists, and who placed what of the list that was drafted from them.

    Parameters
    ----------
    challenger : str
        Version of the second model; that of the first is the answer's.
    lists : tuple of two tuples of str
        Operation ids, the first first: of the current model, then of the challenger.
    teams : tuple of int
        Who placed each operation that was shown: 0 the current model, 1 the challenger.

    Examples
    --------
    >>> draft = Draft(challenger="m2", lists=(("a", "b"), ("a", "c")), teams=(0, 1))
    >>> draft.credit(("a", "c"), "c").tolist(), draft.credit(("a", "c"), None).tolist()
    ([0.0, 1.0], [0.0, 0.0])
    """

    challenger: str
    lists: tuple[tuple[str, ...], tuple[str, ...]]
    teams: tuple[int, ...]

    def credit(self, shown: Sequence[str], chosen: str | None) -> NDArray[np.float64]:
        """Give either model its share of what was chosen, averaged over all drafts of the list.

        What was not shown, and none at all, credits nobody.

        Parameters
        ----------
        shown : sequence of str
            The list that was drafted.
        chosen : str, optional

        Returns
        -------
        array of shape (2,)
            Of the current model, of the challenger; together 1 or 0.

        Raises
        ------
        ValueError
            Where no draft of the lists gives what was shown.
        """
        clicks = [each == chosen for each in shown]
        if not any(clicks):
            return np.zeros(2)
        return marginal_credit(clicks, team_draft_shares(shown, self.lists))

    def written(self) -> dict[str, Any]:
        """Give it as JSON has it, without the challenger's version."""
        return {"lists": [list(each) for each in self.lists], "teams": list(self.teams)}

    @classmethod
    def read(cls, challenger: str, written: Mapping[str, Any]) -> Self:
        """Make it of what `written` gave."""
        current, other = (tuple(each) for each in written["lists"])
        return cls(challenger=challenger, lists=(current, other), teams=tuple(written["teams"]))
