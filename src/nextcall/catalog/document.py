"""JSON and YAML texts as values, and JSON pointers into them."""

import json
from typing import Any, Final
from urllib.parse import unquote

from nextcall.catalog.catalog import CatalogError
from nextcall.catalog.yaml_values import parse_yaml

_MAX_DIGITS: Final = 640  # what Python reads whatever limit it was started with


def parse_document(text: str, *, place: str) -> Any:
    """Read JSON or YAML; what starts with a brace or bracket and is JSON is read as JSON.

    Only in a file named ``.yaml`` or ``.yml`` may such a text be YAML after all. Numbers in YAML
    stay text, for ``openapi: 3.0`` and a key ``200`` are names.

    Parameters
    ----------
    text : str
        The whole document.
    place : str
        File or address, for messages.

    Raises
    ------
    CatalogError
        Where the text is neither; the message has line and column.

    Examples
    --------
    >>> parse_document('{"a": [1]}', place="a.json")
    {'a': [1]}
    >>> parse_document("openapi: 3.0", place="a.yaml")
    {'openapi': '3.0'}
    """
    if text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        try:
            return parse_json(text, place=place)
        except CatalogError:
            if not place.endswith((".yaml", ".yml")):
                raise
    return parse_yaml(text, place=place)


def parse_json(text: str, *, place: str, line: int | None = None) -> Any:
    """Read JSON; half a surrogate pair becomes ``?``, for no file could hold it.

    Parameters
    ----------
    text : str
        The whole document, or one line of it.
    place : str
        File or address, for messages.
    line : int, optional
        Number of the line that `text` is.

    Raises
    ------
    CatalogError
        Where the text is no JSON; the message has line and column.
    """
    at = f"{place}:{line}" if line else place
    try:
        value = _loads(text.removeprefix("\ufeff"))
        if "\\ud" in text or "\\uD" in text:
            value = _loads(json.dumps(value, ensure_ascii=False).encode(errors="replace").decode())
    except json.JSONDecodeError as error:
        at = f"{place}:{line or error.lineno}:{error.colno}"
        raise CatalogError(f"{at}: must be JSON: {error.msg}.") from error
    except RecursionError as error:
        raise CatalogError(f"{at}: must not be nested this deep.") from error
    return value


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than Python reads
        return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> float:
    """Read an integer as `int` does, one of thousands of digits as a float."""
    return int(digits) if len(digits) < _MAX_DIGITS else float(digits)


def follow_pointer(root: Any, pointer: str) -> Any:
    """Give what a JSON pointer such as ``#/components/schemas/User`` points at.

    Raises
    ------
    LookupError
        Where nothing stands there.

    Examples
    --------
    >>> follow_pointer({"paths": {"/users": ["a", "b"]}}, "#/paths/~1users/1")
    'b'
    """
    if pointer == "#":
        return root
    if not pointer.startswith("#/"):
        raise LookupError(pointer)
    value = root
    for token in pointer[2:].split("/"):
        key = unquote(token).replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isascii() and key.isdigit() and len(key) < _MAX_DIGITS:
            value = value[int(key)]
        elif isinstance(value, dict):
            value = value[key]
        else:
            raise LookupError(pointer)
    return value


def join_pointer(pointer: str, *keys: object) -> str:
    """Extend a JSON pointer.

    Examples
    --------
    >>> join_pointer("#", "paths", "/users", "get", "parameters", 0)
    '#/paths/~1users/get/parameters/0'
    """
    escaped = (str(key).replace("~", "~0").replace("/", "~1") for key in keys)
    return "/".join((pointer, *escaped))
