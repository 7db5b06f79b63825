"""Parameters: what a cell declares, and what fits."""

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.runs.parameters import Parameter, bind, declared, parse_settings

CELL = """\
# a comment
seed: int = 0
out: str = "here"
rate: float = 1
names: list[str] = ["a"]
limit: int | None = None
sizes: dict[str, int] = {"a": 1}
on: bool = True
"""

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.one_of(st.integers(), st.text()), max_size=3),
    st.dictionaries(st.text(), st.one_of(st.integers(), st.none()), max_size=3),
)
TYPES: dict[str, object] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "list": list,
    "dict": dict,
    "int | None": int | None,
    "list[int]": list[int],
    "list[int | str]": list[int | str],
    "dict[str, int]": dict[str, int],
}


def _is(value: object, hint: object) -> bool:
    """Whether a value is of a type, by the types themselves rather than by how they are spelt."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return type(value) is list and all(_is(item, inner[0]) for item in value)
    if origin is dict:
        return type(value) is dict and all(
            _is(k, inner[0]) and _is(v, inner[1]) for k, v in value.items()
        )
    if inner:
        return any(_is(value, kind) for kind in inner)
    if hint is float:
        return type(value) in {int, float}
    return type(value) is hint


@given(VALUES, st.sampled_from(sorted(TYPES)))
def test_a_value_is_accepted_where_it_is_of_the_type(value: object, spelt: str) -> None:
    parameter = Parameter(name="x", annotation=spelt, default=None)
    if _is(value, TYPES[spelt]):
        accepted = parameter.accept(value)
        assert accepted == value or value != value  # noqa: PLR0124  # nan
        assert spelt != "float" or isinstance(accepted, float)
    else:
        with pytest.raises(ValueError, match="x must be"):
            parameter.accept(value)


def test_names_types_and_defaults_are_read() -> None:
    parameters = declared(CELL)
    assert list(parameters) == ["seed", "out", "rate", "names", "limit", "sizes", "on"]
    assert parameters["limit"].annotation == "int | None"
    assert parameters["sizes"].default == {"a": 1}


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("seed = 0", r"line 1: must read `name: type = literal`, got 'seed = 0'"),
        ("\nseed: int", "line 2: must read"),
        ("a.b: int = 0", "must read"),
        ("import os", "must read"),
        ("seed: int = 1 + n", "seed must be a literal, got '1 \\+ n'"),
        ("seed: int = 'a'", "line 1: seed must be int, got 'a'"),
        ("seed: Path = 'a'", "a type must be made of .* got 'Path'"),
        ("seed: int = (", "must be Python"),
    ],
)
def test_a_cell_that_declares_badly_is_refused(cell: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        declared(cell)


def test_given_values_lie_over_the_defaults() -> None:
    bound = bind(declared("a: int = 1\nb: float = 0.5"), {"b": 2})
    assert bound == {"a": 1, "b": 2.0}
    assert isinstance(bound["b"], float)


@pytest.mark.parametrize(
    ("given_values", "fault"),
    [
        ({"sede": 1}, r"'sede' must be a parameter that the notebook declares \(seed, out"),
        ({"seed": "1"}, "seed must be int, got '1'"),
    ],
)
def test_what_is_not_declared_or_of_another_type_is_refused(
    given_values: dict[str, object], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        bind(declared(CELL), given_values)


def test_settings_are_read_as_the_declared_type() -> None:
    texts = ["seed=7", "out=2024", "rate=1e-3", "names=[b, c]", "limit=null", "sizes={a: 2}"]
    assert parse_settings(declared(CELL), [*texts, "on=false"]) == {
        "seed": 7,
        "out": "2024",
        "rate": 0.001,
        "names": ["b", "c"],
        "limit": None,
        "sizes": {"a": 2},
        "on": False,
    }


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives_the_command_line(value: float) -> None:
    assert parse_settings(declared(CELL), [f"rate={value!r}"]) == {"rate": value}


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("seed", "a setting must read name=value, got 'seed'"),
        ("sede=1", "'sede' must be a parameter"),
        ("seed=many", "seed must be int, got 'many'"),
        ("seed=[1", "seed must be int"),
        ("rate=much", "rate must be float, got 'much'"),
    ],
)
def test_a_bad_setting_is_refused(setting: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_settings(declared(CELL), [setting])


def test_nothing_declared_is_said() -> None:
    with pytest.raises(ValueError, match=r"declares \(none\)"):
        bind({}, {"a": 1})
