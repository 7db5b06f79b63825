"""A specification (of YAML or JSON) of what is asked of a test, checked field by field."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from nextcall.abtest.bayes import NormalPrior
from nextcall.abtest.beta_chances import Beta
from nextcall.abtest.look import LookPlan
from nextcall.abtest.metrics import Aim, Mean, Metric, Proportion, Quantile, Ratio
from nextcall.abtest.plan_files import load_plan
from nextcall.abtest.posteriors import Beliefs
from nextcall.abtest.question import Question

_AIMS: Final = ("better", "alternative", "margin", "equivalence", "guardrail")
_FIELDS: Final = {
    "control", "metrics", "variant", "unit", "strata", "shares", "alpha", "plan", "earlier",
    "adjust", "segments", "time", "bayes",
}  # fmt: skip
_PLAN: Final = {"n", "method", "first"}


def read_question(spec: object, *, folder: Path = Path()) -> Question:
    """Read what is asked.

    Parameters
    ----------
    spec : mapping
        ``control``; ``metrics``, a list of which each has one of ``mean``, ``proportion``,
        ``ratio`` (two columns) or ``quantile`` (with ``share``) and, as wanted, ``covariate``,
        ``winsorize``, ``better``, ``alternative``, ``margin``, ``equivalence``, ``guardrail``; and
        as wanted ``variant``, ``unit``, ``strata``, ``shares``, ``alpha``, ``plan`` (the name of a
        file that `save_plan` wrote, or ``n``, ``method``, ``first``), ``earlier``, ``adjust``,
        ``segments``, ``time`` and ``bayes`` (``prior`` of ``mean``, ``sd``, ``relative``;
        ``shares`` of ``a``, ``b``; ``rope``).
    folder : Path
        Where the plan's file is sought.

    Raises
    ------
    ValueError
        Where a field is missing, unknown or cannot be; it says which.

    Examples
    --------
    >>> spec = {"control": "A", "metrics": [{"mean": "revenue", "covariate": "before"}]}
    >>> read_question(spec).columns
    ('variant', 'revenue', 'before')
    """
    fields = _mapping(spec, "the specification", _FIELDS)
    for name in ("control", "metrics"):
        if name not in fields:
            raise ValueError(f"the specification must have a field {name!r}.")
    asked, design = fields.get("plan"), None
    alpha = float(_typed(fields, "alpha", (int, float), 0.05))
    plan: LookPlan | float | None = alpha
    if isinstance(asked, str):
        design = load_plan(folder / asked)
        plan = alpha if "alpha" in fields else None
    elif "plan" in fields:
        options = _mapping(asked, "plan", _PLAN)
        if "n" not in options:
            raise ValueError("plan must have a field 'n', the planned units of both variants.")
        plan = LookPlan(alpha=alpha, **options)
    shares = fields.get("shares")
    segments = fields.get("segments", [])
    return Question(
        control=str(fields["control"]),
        metrics=tuple(_metric(each) for each in _list(fields["metrics"], "metrics")),
        variant=_typed(fields, "variant", (str,), "variant"),
        unit=_typed(fields, "unit", (str, type(None)), None),
        strata=_typed(fields, "strata", (str, type(None)), None),
        shares=None
        if shares is None
        else {str(k): float(v) for k, v in _mapping(shares, "shares").items()},
        plan=plan,
        earlier=tuple(float(each) for each in _list(fields.get("earlier", []), "earlier")),
        adjust=_typed(fields, "adjust", (str, type(None)), None),
        design=design,
        segments=(segments,)
        if isinstance(segments, str)
        else tuple(_name(each, "segments") for each in _list(segments, "segments")),
        time=_typed(fields, "time", (str, type(None)), None),
        beliefs=None if fields.get("bayes") is None else _beliefs(fields["bayes"]),
    )


def _beliefs(spec: object) -> Beliefs:
    options = _mapping(spec, "bayes", {"prior", "shares", "rope"})
    prior, shares = options.get("prior"), options.get("shares")
    if prior is not None and "sd" not in _mapping(prior, "prior", {"mean", "sd", "relative"}):
        raise ValueError("prior must have a field 'sd'.")
    return Beliefs(
        prior=None if prior is None else NormalPrior(**prior),
        shares=None if shares is None else Beta(**_mapping(shares, "shares", {"a", "b"})),
        rope=options.get("rope"),
    )


def _mean(column: Any, options: dict[str, Any], aim: Aim) -> Metric:
    limits = options.pop("winsorize", None)
    cut = None if limits is None else tuple(_list(limits, "winsorize"))
    if cut is not None and len(cut) != 2:
        raise ValueError(f"winsorize must hold two shares, got {list(cut)}.")
    covariate = options.pop("covariate", ())
    return Mean(_name(column, "mean"), covariate=covariate, winsorize=cut, aim=aim)


def _proportion(column: Any, options: dict[str, Any], aim: Aim) -> Metric:
    del options
    return Proportion(_name(column, "proportion"), aim=aim)


def _ratio(columns: Any, options: dict[str, Any], aim: Aim) -> Metric:
    both = _list(columns, "ratio")
    if len(both) != 2:
        raise ValueError(f"ratio must name a numerator and a denominator, got {list(both)}.")
    return Ratio(str(both[0]), str(both[1]), covariate=options.pop("covariate", ()), aim=aim)


def _quantile(column: Any, options: dict[str, Any], aim: Aim) -> Metric:
    return Quantile(_name(column, "quantile"), options.pop("share", 0.5), aim=aim)


_KINDS: Final[Mapping[str, Callable[[Any, dict[str, Any], Aim], Metric]]] = MappingProxyType(
    {"mean": _mean, "proportion": _proportion, "ratio": _ratio, "quantile": _quantile}
)


def _metric(spec: object) -> Metric:
    options = dict(_mapping(spec, "a metric"))
    kinds = [kind for kind in _KINDS if kind in options]
    if len(kinds) != 1:
        raise ValueError(f"a metric must have one of {list(_KINDS)}, got {sorted(options)}.")
    column = options.pop(kinds[0])
    aim = Aim(**{name: options.pop(name) for name in _AIMS if name in options})
    metric = _KINDS[kinds[0]](column, options, aim)
    if options:
        raise ValueError(f"a {kinds[0]} has no field {min(options)!r}.")
    return metric


def _mapping(value: object, name: str, allowed: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a mapping, got {value!r}.")  # noqa: TRY004  # bad data
    for key in value:
        if allowed is not None and key not in allowed:
            raise ValueError(f"{name} has no field {key!r}; there are {sorted(allowed)}.")
    return {str(key): each for key, each in value.items()}


def _list(value: object, name: str) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{name} must be a list, got {value!r}.")  # noqa: TRY004  # bad data
    return value


def _name(value: object, kind: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{kind} must name a column, got {value!r}.")  # noqa: TRY004  # bad data
    return value


def _typed(fields: Mapping[str, Any], name: str, types: tuple[type, ...], default: Any) -> Any:
    value = fields.get(name, default)
    if not isinstance(value, types) or isinstance(value, bool):
        rule = types[0].__name__
        raise ValueError(f"{name} must be {rule}, got {value!r}.")  # noqa: TRY004  # bad data
    return value
