"""What is measured: the vocabulary in which an analysis is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from nextcall.abtest.effect import Alternative, check_alternative

Direction = Literal["higher", "lower"]
"""Which way a metric is better."""

_DIRECTIONS: Final = get_args(Direction)


def check_direction(better: str) -> Direction:
    """Give a direction back.

    Raises
    ------
    ValueError
        Where it is none.
    """
    if better not in _DIRECTIONS:
        raise ValueError(f"better must be one of {_DIRECTIONS}, got {better!r}.")
    return better  # type: ignore[return-value]  # mypy narrows no tuple of literals


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is asked of a metric besides its effect.

    Parameters
    ----------
    better : {"higher", "lower"}
    alternative : {"two-sided", "greater", "less"}
    margin : float, optional
        Of non-inferiority: how much worse the treatment may be, a share of control, above 0. The
        question is then whether it is not worse by as much.
    equivalence : float, optional
        How far, as a share of control and either way, the treatment may be off and count as equal
        (two one-sided tests), above 0.
    guardrail : bool
        Whether harm to this metric forbids a winner; it never makes one.

    Raises
    ------
    ValueError
        Where one is out of its range.
    """

    better: Direction = "higher"
    alternative: Alternative = "two-sided"
    margin: float | None = None
    equivalence: float | None = None
    guardrail: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_direction(self.better)
        check_alternative(self.alternative)
        for name in ("margin", "equivalence"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")
        if self.margin is not None and self.equivalence is not None:
            raise ValueError("margin and equivalence ask two questions; give one of them.")


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a column over units.

    Parameters
    ----------
    column : str
    covariate : str or sequence of str
        Columns that were measured before the test; they take out what they explain (CUPED).
    winsorize : tuple of float, optional
        Quantiles, over both arms, at which values are cut: (0.0, 0.99) cuts the highest hundredth.
    aim : Aim

    Examples
    --------
    >>> Mean("revenue", covariate="revenue_before").columns
    ('revenue', 'revenue_before')
    """

    column: str
    covariate: str | Sequence[str] = ()
    winsorize: tuple[float, float] | None = None
    aim: Aim = Aim()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        object.__setattr__(self, "covariate", _names(self.covariate))
        if self.winsorize is not None:
            low, high = self.winsorize
            if not 0 <= low < high <= 1:
                raise ValueError(f"winsorize must rise within [0, 1], got {self.winsorize}.")

    @property
    def name(self) -> str:
        """The column's."""
        return self.column

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns that were measured before the test."""
        return tuple(self.covariate)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.column, *self.covariates)


@dataclass(frozen=True, slots=True)
class Proportion:
    """The share of units whose column is true (or 1).

    Parameters
    ----------
    column : str
        Holds true and false, or 1 and 0.
    aim : Aim
    """

    column: str
    aim: Aim = Aim()

    @property
    def name(self) -> str:
        """The column's."""
        return self.column

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Ratio:
    """The sum of one column over the sum of another, such as clicks a session, over units.

    Parameters
    ----------
    numerator, denominator : str
    covariate : sequence of two str
        The same two, measured before the test; they take out what they explain.
    aim : Aim
    """

    numerator: str
    denominator: str
    covariate: Sequence[str] = ()
    aim: Aim = Aim()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        object.__setattr__(self, "covariate", _names(self.covariate))
        if len(self.covariate) not in {0, 2}:
            raise ValueError(
                "covariate of a Ratio must name a numerator and a denominator, "
                f"got {list(self.covariate)}."
            )

    @property
    def name(self) -> str:
        """Both columns'."""
        return f"{self.numerator} / {self.denominator}"

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns that were measured before the test."""
        return tuple(self.covariate)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.numerator, self.denominator, *self.covariates)


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of a column over its rows; of several rows a unit, with the unit as cluster.

    Parameters
    ----------
    column : str
    share : float
        Between 0 and 1: 0.95 is the 95th percentile.
    aim : Aim
    """

    column: str
    share: float
    aim: Aim = Aim()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 0 < self.share < 1:
            raise ValueError(f"share must lie between 0 and 1, got {self.share}.")

    @property
    def name(self) -> str:
        """The column's, with the share."""
        return f"{self.column} (quantile {self.share:g})"

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class RankQuality:
    """The quality of two rankers on the same queries: a score of each for every query.

    Parameters
    ----------
    control, treatment : str
        Columns of scores, such as NDCG at 5, of one row a query.
    cluster : str, optional
        Column of what queries belong to (service, session) that are not independent.
    by : str, optional
        Column of slices to look into, for a mean can hide that some are worse off.
    aim : Aim

    Examples
    --------
    >>> RankQuality("ndcg_old", "ndcg_new", cluster="service").columns
    ('ndcg_old', 'ndcg_new', 'service')
    """

    control: str
    treatment: str
    cluster: str | None = None
    by: str | None = None
    aim: Aim = Aim()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.control == self.treatment:
            raise ValueError(f"treatment must be another column than control, {self.control!r}.")

    @property
    def name(self) -> str:
        """Both columns'."""
        return f"{self.treatment} - {self.control}"

    @property
    def scores(self) -> tuple[str, str]:
        """Control's column and treatment's."""
        return (self.control, self.treatment)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        more = (each for each in (self.cluster, self.by) if each is not None)
        return tuple(dict.fromkeys((*self.scores, *more)))


Metric = Mean | Proportion | Ratio | Quantile
"""What `analyze` takes; `RankQuality` compares two rankers on the same queries."""


def _names(columns: str | Sequence[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)
