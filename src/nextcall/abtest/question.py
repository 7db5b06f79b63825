"""What is asked of a test, read from a mapping (of YAML or JSON) that is checked field by field."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from nextcall.abtest.analysis import Analysis, analyze
from nextcall.abtest.look import LookPlan
from nextcall.abtest.metrics import Aim, Mean, Metric, Proportion, Quantile, Ratio
from nextcall.abtest.multiplicity import Adjustment

_AIMS: Final = ("better", "alternative", "margin", "equivalence", "guardrail")
_FIELDS: Final = {
    "control", "metrics", "variant", "unit", "strata", "shares", "alpha", "plan", "earlier",
    "adjust",
}  # fmt: skip
_PLAN: Final = {"n", "method", "first"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `analyze` is asked; fields as there.

    Parameters
    ----------
    adjust : Adjustment
        How p-values are adjusted.
    """

    control: str
    metrics: tuple[Metric, ...]
    variant: str = "variant"
    unit: str | None = None
    strata: str | None = None
    shares: Mapping[str, float] | None = None
    plan: LookPlan | float = 0.05
    earlier: tuple[float, ...] = ()
    adjust: Adjustment = "holm"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        names = [name for metric in self.metrics for name in metric.columns]
        own = [each for each in (self.unit, self.strata) if each is not None]
        return tuple(dict.fromkeys([self.variant, *own, *names]))

    def answer(self, data: Any) -> Analysis:
        """Analyse rows; errors as of `analyze`."""
        found = analyze(
            data,
            control=self.control,
            metrics=self.metrics,
            variant=self.variant,
            unit=self.unit,
            strata=self.strata,
            shares=self.shares,
            plan=self.plan,
            earlier=self.earlier,
        )
        return found.adjusted(self.adjust)


def read_question(spec: object) -> Question:
    """Read what is asked.

    Parameters
    ----------
    spec : mapping
        ``control``; ``metrics``, a list of which each has one of ``mean``, ``proportion``,
        ``ratio`` (two columns) or ``quantile`` (with ``share``) and, as wanted, ``covariate``,
        ``winsorize``, ``better``, ``alternative``, ``margin``, ``equivalence``, ``guardrail``; and
        as wanted ``variant``, ``unit``, ``strata``, ``shares``, ``alpha``, ``plan`` (``n``,
        ``method``, ``first``), ``earlier`` and ``adjust``.

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
    alpha = float(_typed(fields, "alpha", (int, float), 0.05))
    plan: LookPlan | float = alpha
    if "plan" in fields:
        asked = _mapping(fields["plan"], "plan", _PLAN)
        if "n" not in asked:
            raise ValueError("plan must have a field 'n', the planned units of both variants.")
        plan = LookPlan(alpha=alpha, **asked)
    shares = fields.get("shares")
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
        adjust=_typed(fields, "adjust", (str,), "holm"),
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
