"""Outcomes of an A/B test whose true effects are known; with lifts of 0, of an A/A test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSettings:
    """True values of the control, and relative effects of the treatment (0.1 is 10 % more)."""

    conversion: float = 0.1
    """Share of the control's users that convert."""
    conversion_lift: float = 0.0
    revenue: float = 20.0
    """Mean of the control's users."""
    revenue_lift: float = 0.0
    revenue_spread: float = 1.0
    """Standard deviation of the revenue's logarithm."""
    correlation: float = 0.6
    """Of a user's revenue with that before the test, within each variant; in [0, 1]."""
    click_rate: float = 0.3
    """Clicks over sessions, in the control."""
    click_lift: float = 0.0

    def __post_init__(self) -> None:
        for name in ("conversion", "click_rate", "correlation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}.")
        for name in ("revenue", "revenue_spread"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")
        for name, base in (
            ("conversion_lift", self.conversion),
            ("click_lift", self.click_rate),
            ("revenue_lift", 0.0),
        ):
            lift = getattr(self, name)
            if lift < -1 or base * (1 + lift) > 1:
                raise ValueError(f"{name} must keep its metric in range, got {lift} on {base}.")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PlantedExperiment:
    """What users of an A/B test did, and the truth about it."""

    outcomes: pd.DataFrame
    """One row a user: user_id, variant (``control`` or ``treatment``), converted (0 or 1),
    revenue, revenue_before (the covariate), clicks, sessions."""
    truth: pd.DataFrame
    """One row a metric (``conversion``, ``revenue``, ``clicks_per_session``): its true mean in
    ``control`` and ``treatment``, the ``absolute`` and the ``relative`` effect."""


def plant_effects(
    users: Sequence[str],
    *,
    rng: np.random.Generator,
    settings: EffectSettings | None = None,
    treated: float = 0.5,
    sessions: float = 5.0,
) -> PlantedExperiment:
    """Assign users to variants and draw what they do.

    Conversion is a coin; revenue is log-normal and, on its own scale, correlated with that of the
    time before exactly as the settings say; a user's sessions are 1 plus an over-dispersed count,
    and the clicks in them share a rate of the user's own, so that sessions of a user are alike and
    a test that counts sessions as independent errs.

    Parameters
    ----------
    users : sequence of str
        Ids, each once.
    rng : numpy.random.Generator
        Source of the randomness.
    settings : EffectSettings, optional
        True values and effects; by default there is no effect.
    treated : float
        Chance of each user, independently, to be in the treatment; in (0, 1).
    sessions : float
        Mean number of sessions a user, above 1.

    Raises
    ------
    ValueError
        Where there is no user, one stands twice, or a number is out of range.

    Examples
    --------
    >>> effect = EffectSettings(conversion_lift=0.2)
    >>> users = [f"u{n}" for n in range(10)]
    >>> planted = plant_effects(users, rng=np.random.default_rng(0), settings=effect)
    >>> planted.truth.set_index("metric").loc["conversion", "absolute"].round(3)
    np.float64(0.02)
    """
    if not users or len(set(users)) != len(users):
        raise ValueError("users must be at least one id, each once.")
    if not 0 < treated < 1:
        raise ValueError(f"treated must be in (0, 1), got {treated}.")
    if sessions <= 1:
        raise ValueError(f"sessions must be above 1, got {sessions}.")
    knobs = settings or EffectSettings()
    n = len(users)
    treatment = rng.random(n) < treated
    revenue, before = _revenues(knobs, n, rng)
    visits = 1 + rng.poisson((sessions - 1) * rng.gamma(2.0, 0.5, n))
    rates = knobs.click_rate * np.where(treatment, 1 + knobs.click_lift, 1.0)
    outcomes = pd.DataFrame(
        {
            "user_id": pd.Series(list(users), dtype="string"),
            "variant": pd.Series(
                np.where(treatment, "treatment", "control").astype(object), dtype="string"
            ),
            "converted": _coins(
                knobs.conversion * np.where(treatment, 1 + knobs.conversion_lift, 1.0), rng
            ),
            "revenue": revenue * np.where(treatment, 1 + knobs.revenue_lift, 1.0),
            "revenue_before": before,
            "clicks": rng.binomial(visits, _own_rates(rates, rng)),
            "sessions": visits,
        }
    )
    return PlantedExperiment(outcomes=outcomes, truth=_truth(knobs))


def _coins(chances: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    return (rng.random(len(chances)) < chances).astype(np.int64)


def _revenues(
    knobs: EffectSettings, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw two log-normal columns of one mean, whose correlation is the wanted one.

    For equal spreads s and a correlation r of the logarithms, that of the values is
    (exp(r s^2) - 1) / (exp(s^2) - 1); here it is solved for r.
    """
    variance = knobs.revenue_spread**2
    inner = np.log1p(knobs.correlation * np.expm1(variance)) / variance
    shared, own = rng.standard_normal((2, n))
    other = inner * shared + np.sqrt(max(0.0, 1 - inner**2)) * own
    scale = knobs.revenue * np.exp(-variance / 2)
    return (
        scale * np.exp(knobs.revenue_spread * other),
        scale * np.exp(knobs.revenue_spread * shared),
    )


def _own_rates(rates: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw each user's own rate around the variant's: a beta law worth eight sessions."""
    inside = (rates > 0) & (rates < 1)
    safe = np.where(inside, rates, 0.5)
    return np.where(inside, rng.beta(8 * safe, 8 * (1 - safe)), rates)


def _truth(knobs: EffectSettings) -> pd.DataFrame:
    rows = [
        ("conversion", knobs.conversion, knobs.conversion_lift),
        ("revenue", knobs.revenue, knobs.revenue_lift),
        ("clicks_per_session", knobs.click_rate, knobs.click_lift),
    ]
    return pd.DataFrame(
        [(metric, base, base * (1 + lift), base * lift, lift) for metric, base, lift in rows],
        columns=["metric", "control", "treatment", "absolute", "relative"],
    )
