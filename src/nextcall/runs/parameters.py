"""What a notebook can be told: the names, types and defaults of its parameters cell."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import yaml

_SCALARS = {"bool": bool, "int": int, "float": float, "str": str, "list": list, "dict": dict}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One line of a parameters cell: ``name: annotation = default``."""

    name: str
    annotation: str
    default: object

    def accept(self, value: object) -> object:
        """Return `value` as the declared type; an integer serves as a float.

        Raises
        ------
        ValueError
            Where `value` is of another type.

        Examples
        --------
        >>> Parameter(name="rate", annotation="float", default=0.5).accept(1)
        1.0
        """
        node = ast.parse(self.annotation, mode="eval").body
        if not _fits(value, node):
            raise ValueError(f"{self.name} must be {self.annotation}, got {value!r}.")
        return float(value) if self.annotation == "float" and isinstance(value, int) else value

    def parse(self, text: str) -> object:
        """Read `text`, as typed on a command line, as the declared type.

        Raises
        ------
        ValueError
            Where `text` is no value of the declared type.

        Examples
        --------
        >>> Parameter(name="rate", annotation="float", default=0.5).parse("1e-3")
        0.001
        >>> Parameter(name="day", annotation="str", default="").parse("2024")
        '2024'
        """
        if self.annotation == "str":
            return text
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{self.name} must be {self.annotation}, got {text!r}.") from error
        if self.annotation == "float" and isinstance(value, str):
            try:
                value = float(value)  # YAML reads 1e-3 as text
            except ValueError:
                value = text
        return self.accept(value)


def declared(source: str) -> dict[str, Parameter]:
    """Read the parameters that a cell declares.

    Parameters
    ----------
    source : str
        Python: lines ``name: type = literal`` and nothing else. A type is made of ``bool``,
        ``int``, ``float``, ``str``, ``None``, ``list[...]``, ``dict[str, ...]`` and ``|``.

    Raises
    ------
    ValueError
        Names the line of the cell and the rule.

    Examples
    --------
    >>> declared("seed: int = 0")["seed"].default
    0
    """
    parameters: dict[str, Parameter] = {}
    try:
        lines = ast.parse(source).body
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno}: must be Python, got {error.msg}.") from error
    for line in lines:
        if (
            not isinstance(line, ast.AnnAssign)
            or not isinstance(line.target, ast.Name)
            or line.value is None
        ):
            raise ValueError(
                f"line {line.lineno}: must read `name: type = literal`, got {ast.unparse(line)!r}."
            )
        name, annotation = line.target.id, ast.unparse(line.annotation)
        try:
            default = ast.literal_eval(line.value)
        except ValueError as error:
            raise ValueError(
                f"line {line.lineno}: {name} must be a literal, got {ast.unparse(line.value)!r}."
            ) from error
        parameter = Parameter(name=name, annotation=annotation, default=default)
        try:
            parameter.accept(default)
        except ValueError as error:
            raise ValueError(f"line {line.lineno}: {error}") from error
        parameters[name] = parameter
    return parameters


def bind(parameters: Mapping[str, Parameter], given: Mapping[str, object]) -> dict[str, object]:
    """Lay given values over the defaults.

    Raises
    ------
    ValueError
        Where a given name is not declared, or its value is of another type.

    Examples
    --------
    >>> bind(declared("seed: int = 0"), {"seed": 7})
    {'seed': 7}
    """
    for name in given:
        _known(parameters, name)
    return {
        name: parameter.accept(given.get(name, parameter.default))
        for name, parameter in parameters.items()
    }


def parse_settings(
    parameters: Mapping[str, Parameter], settings: Iterable[str]
) -> dict[str, object]:
    """Read ``name=value`` as typed on a command line.

    Raises
    ------
    ValueError
        Where a setting has no ``=``, its name is not declared or its value is of another type.

    Examples
    --------
    >>> parse_settings(declared("seed: int = 0"), ["seed=7"])
    {'seed': 7}
    """
    values: dict[str, object] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"a setting must read name=value, got {setting!r}.")
        values[name] = _known(parameters, name).parse(text)
    return values


def _known(parameters: Mapping[str, Parameter], name: str) -> Parameter:
    if name not in parameters:
        names = ", ".join(parameters) or "none"
        raise ValueError(f"{name!r} must be a parameter that the notebook declares ({names}).")
    return parameters[name]


def _fits(value: object, node: ast.expr) -> bool:  # noqa: PLR0911  # one return a kind of type
    """Whether `value` is of the type that `node` spells."""
    match node:
        case ast.Constant(value=None):
            return value is None
        case ast.BinOp(op=ast.BitOr()):
            return _fits(value, node.left) or _fits(value, node.right)
        case ast.Name(id=("bool" | "str" | "list" | "dict") as name):
            return isinstance(value, _SCALARS[name])
        case ast.Name(id="int"):
            return isinstance(value, int) and not isinstance(value, bool)
        case ast.Name(id="float"):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.Subscript(value=ast.Name(id="list")):
            return isinstance(value, list) and all(_fits(item, node.slice) for item in value)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, item])):
            return isinstance(value, dict) and all(
                _fits(k, key) and _fits(v, item) for k, v in value.items()
            )
        case _:
            raise ValueError(
                "a type must be made of bool, int, float, str, None, list[...], dict[..., ...] "
                f"and |, got {ast.unparse(node)!r}."
            )
