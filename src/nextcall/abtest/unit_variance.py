"""What a unit's variance is for a plan: of a quantile, with covariates, in clusters."""

from math import isfinite, sqrt


def quantile_sd(share: float, density: float) -> float:
    """Give the standard deviation of a unit's part in a sample quantile.

    Parameters
    ----------
    share : float
        Between 0 and 1: 0.95 is the 95th percentile.
    density : float
        Of the metric at its quantile, above 0: the share of units within a small interval around
        it, over the interval's length.

    Returns
    -------
    float
        In the unit of the metric: ``sqrt(share * (1 - share)) / density``; the quantile of n units
        has this over sqrt(n) as its standard error, where n is large.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    References
    ----------
    van der Vaart (1998), Asymptotic Statistics, corollary 21.5.

    Examples
    --------
    >>> round(quantile_sd(0.5, 0.3989), 3)  # the median of a normal law
    1.253
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}.")
    if not (density > 0 and isfinite(density)):
        raise ValueError(f"density must be above 0 and finite, got {density}.")
    return sqrt(share * (1 - share)) / density


def cuped_factor(rho: float) -> float:
    """Give what is left of a variance once a covariate has taken out what it explains.

    Parameters
    ----------
    rho : float
        Correlation of metric and covariate (the multiple one, of several), strictly within -1
        and 1.

    Raises
    ------
    ValueError
        Where it lies elsewhere.

    Examples
    --------
    >>> cuped_factor(0.5)
    0.75
    """
    if not -1 < rho < 1:
        raise ValueError(f"rho must lie between -1 and 1, got {rho}.")
    return (1 - rho) * (1 + rho)


def design_effect(icc: float, size: float, cv: float = 0.0) -> float:
    """Give by how much clusters multiply the variance of a mean over their rows.

    Count rows as units with it, while whole clusters are assigned.

    Parameters
    ----------
    icc : float
        Correlation of two rows of one cluster, from 0 to 1.
    size : float
        Mean rows of a cluster, at least 1.
    cv : float
        Standard deviation of the clusters' sizes over their mean, at least 0.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    References
    ----------
    Eldridge, Ashby & Kerry (2006), International Journal of Epidemiology 35(5).

    Examples
    --------
    >>> design_effect(0.05, 21), round(design_effect(0.05, 21, cv=0.6), 3)
    (2.0, 2.378)
    """
    if not 0 <= icc <= 1:
        raise ValueError(f"icc must lie between 0 and 1, got {icc}.")
    if not (size >= 1 and isfinite(size)):
        raise ValueError(f"size must be at least 1 and finite, got {size}.")
    if not (cv >= 0 and isfinite(cv)):
        raise ValueError(f"cv must be at least 0 and finite, got {cv}.")
    return 1 + ((cv**2 + 1) * size - 1) * icc
