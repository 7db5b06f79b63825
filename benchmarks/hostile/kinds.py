"""Kinds of bodies that nobody sends who means well, each drawn anew."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_DEEP: Final = 100_000
_LARGEST: Final = 10 * 1024 * 1024
PLAN: Final[dict[str, Any]] = {
    "test_name": "ranker",
    "test_type": "model",
    "variants": [
        {
            "variant_id": each,
            "variant_name": f"ranker {each}",
            "configuration": {"model": each},
            "traffic_percentage": 50,
        }
        for each in "AB"
    ],
    "control_variant_id": "A",
    "primary_metric": "taken",
    "min_sample_size": 20,
    "planned_sample_size": 100,
    "better": "higher",
    "mean_over": "events",
    "confidence_level": 0.95,
}
_CALL: Final = {"api_call": "getUser", "method": "GET", "timestamp": "2026-05-01T12:00:00Z"}
ASKED: Final = {"prompt": "get a user", "history": [_CALL], "max_predictions": 3}
RECORD: Final = {"user_id": "u", "variant_id": "A", "metrics": {"taken": 1}, "event_id": "e"}

_Values = tuple[object, ...]
_TEXT: Final[_Values] = (7, 1.5, True, None, [], {}, ["x"], {"x": "y"})
_OPTIONAL_TEXT: Final[_Values] = (7, 1.5, True, [], {}, ["x"], {"x": "y"})
_COUNT: Final[_Values] = ("1", "x", 1.5, True, [], {}, [1], None, 10**400, -(10**400), 10**4000)
_OPTIONAL_COUNT: Final[_Values] = tuple(value for value in _COUNT if value is not None)
_NUMBER: Final[_Values] = ("1", "x", True, [], {}, [1], None, 10**400, -(10**308))
_OBJECT: Final[_Values] = (7, 1.5, True, None, "x", [], ["x"])
_LIST: Final[_Values] = (7, 1.5, True, None, "x", {}, {"x": "y"})
_CHOICE: Final[_Values] = (*_TEXT, "", "x", "MODEL ")
_WRONG: Final[Mapping[str, _Values]] = {  # by field: what it cannot be
    "prompt": (*_TEXT, "", " \n"),
    "history": (*_LIST, [None], [7], [[]], [{}], ["x"], [{"api_call": ""}], [{**_CALL, "x": 1}]),
    "api_call": (*_TEXT, ""),
    "method": (*_OPTIONAL_TEXT, "", "FETCH"),
    "timestamp": (True, [], {}, "", "yesterday", 10**400, -(10**300), "9999-99-99"),
    "max_predictions": (*_COUNT, 0, -1, 21),
    "temperature": (*_NUMBER, -0.1, 1.1),
    "test_name": (*_TEXT, "", "x" * 257),
    "test_type": _CHOICE,
    "variants": (*_LIST, [], [None], [{}], PLAN["variants"][:1], PLAN["variants"] * 2),
    "variant_id": (*_TEXT, ""),
    "variant_name": (*_TEXT, "", "x" * 257),
    "configuration": (*_OBJECT, {"x": "y" * 70_000}),
    "traffic_percentage": (*_NUMBER, 0, -50, 49.999, 51),
    "control_variant_id": (*_TEXT, "C"),
    "primary_metric": (*_TEXT, ""),
    "min_sample_size": (*_COUNT, 1, 0, -1),
    "planned_sample_size": (*_OPTIONAL_COUNT, 19, 0),
    "better": _CHOICE,
    "mean_over": _CHOICE,
    "confidence_level": (*_NUMBER, 0, 1, 2, -1),
    "version": _COUNT,
    "user_id": (*_TEXT, "", "x" * 257),
    "metrics": (*_OBJECT, {}, {"x": None}, {"x": "y"}, {"": 1}, {"x": 1e300}, {"x": [1]}),
    "event_id": (*_OPTIONAL_TEXT, "", "x" * 129),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What takes a body, and one that it would take."""

    method: str
    path: str
    body: Any
    empty: bool = False
    """Whether no body will do too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """What is sent: pieces, with a pause after each."""

    pieces: list[bytes]
    headers: bytes | None = None
    """Instead of the length of the pieces."""
    pause: float = 0.0
    hangs_up: bool = False


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the way to each field, outer ones first."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*place, name)
            if name not in {"configuration", "metrics"}:
                yield from _places(inner, (*place, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, (*place, number))


def _with(value: Any, place: tuple[Any, ...], new: object) -> Any:
    """Give a copy with another value at a place."""
    if not place:
        return new
    copied = value.copy()
    copied[place[0]] = _with(value[place[0]], place[1:], new)
    return copied


def _wrong(route: Route, name: str) -> tuple[object, ...]:
    """Give what a field cannot be; where no body will do, no value will do too."""
    values = _WRONG[name]
    return tuple(value for value in values if value is not None) if route.empty else values


_HERE: Final = "PLACE OF WHAT IS RAW"


def _planted(route: Route, rng: random.Random, raw: bytes) -> bytes:
    """Write the route's body with raw bytes where a value was."""
    places = list(_places(route.body))
    return _json(_with(route.body, rng.choice(places), _HERE)).replace(_json(_HERE), raw)


def _deep(route: Route, rng: random.Random) -> Hostile:
    begin, middle, end = rng.choice(
        [(b"[", b"", b"]"), (b'{"a":', b"1", b"}"), (b'[{"":', b"[]", b"}]"), (b"[", b"", b"")]
    )
    value = begin * _DEEP + middle + end * _DEEP
    return Hostile(pieces=[value if rng.random() < 0.5 else _planted(route, rng, value)])


def _huge(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [b"1e400", b"-1e400", b"9" * 5000, b"-" + b"9" * 5000, b"1" * 10**6, b"1e" + b"9" * 50]
    )
    return Hostile(pieces=[_planted(route, rng, raw)])


def _no_number(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [b"NaN", b"Infinity", b"-Infinity", b"nan", b"inf", b"0x10", b"01", b"+1", b"1."]
    )
    return Hostile(pieces=[_planted(route, rng, raw)])


def _surrogates(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [
            rb'"\ud800"',
            rb'"a\udfffb"',
            rb'"\ud800\ud800"',
            rb'"\udc00\ud800"',
            b'"\xed\xa0\x80"',
            b'"\xed\xbf\xbf"',
        ]
    )
    return Hostile(pieces=[_planted(route, rng, raw)])


def _nulls(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [rb'"\u0000"', rb'"a\u0000b"', rb'"\\\u0000"', b'"a\0b"', b"\0", b'"\0"', b'{"\\u0000": 1}']
    )
    return Hostile(pieces=[_planted(route, rng, raw)])


def _truncated(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    return Hostile(pieces=[body[: rng.randrange(1, len(body))]])


def _no_json(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    made = [
        b"{" + rng.randbytes(rng.randrange(1, 2000)),
        b"'" + body + b"'",
        body + body,
        body + b"}",
        body.replace(b'"', b"'"),
        body.replace(b": ", b" "),
        body.replace(b"}", b",}"),
        b"<xml/>",
        b"prompt=get+a+user",
        b"%7B%7D",
        b"undefined",
        b"/**/" + body,
        b" " * 1000,
        b"\x1f\x8b\x08\x00" + rng.randbytes(30),
    ]
    return Hostile(pieces=[rng.choice(made)])


def _no_utf8(route: Route, rng: random.Random) -> Hostile:
    raw = rng.choice(
        [b"\xff", b"\xc0\x80", b"\xf8\x88\x80\x80\x80", b"\x80", b"\xf4\x90\x80\x80", b"a\xe2\x82"]
    )
    return Hostile(pieces=[_planted(route, rng, b'"' + raw + b'"')])


def _wrong_type(route: Route, rng: random.Random) -> Hostile:
    if isinstance(route.body, list) or rng.random() < 0.1:  # a batch tells of its items each
        value: object = rng.choice(
            [7, 1.5, True, None, "x", [[]], {"x": 1}]
            if isinstance(route.body, dict)
            else [7, 1.5, True, None, "x", {}, [], route.body * 101]
        )
        return Hostile(pieces=[_json(value)])
    place = rng.choice([each for each in _places(route.body) if each[-1] in _WRONG])
    value = _with(route.body, place, rng.choice(_wrong(route, place[-1])))
    if rng.random() < 0.2:
        value = {**route.body, "x" * rng.randrange(1, 2000): 1}
    return Hostile(pieces=[_json(value)])


def _twice(route: Route, rng: random.Random) -> Hostile:
    """A field twice, the second time wrong; or a thousand times."""
    body = _json(route.body)
    if isinstance(route.body, list):
        return Hostile(pieces=[body[:-1] + b", " * rng.randrange(2, 9) + b"]"])
    name = rng.choice(list(route.body))
    again = b", %b: %b" % (_json(name), _json(rng.choice(_wrong(route, name))))
    return Hostile(pieces=[body[:-1] + again * rng.choice([1, 1000]) + b"}"])


def _marked(route: Route, rng: random.Random) -> Hostile:
    """Not UTF-8, or with a byte order mark."""
    text = json.dumps(route.body)
    marks = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"]
    encoding = rng.choice(marks)
    body = b"+/v8-" + text.encode() if encoding == "utf-7" else text.encode(encoding)
    return Hostile(pieces=[body])


def _too_large(route: Route, rng: random.Random) -> Hostile:
    """10 MB and a byte: declared and sent, declared only, or in chunks."""
    filled = _json(route.body).ljust(_LARGEST + 1)
    way = rng.randrange(3)
    if way == 0:
        return Hostile(pieces=[filled])
    if way == 1:
        return Hostile(pieces=[filled[:1000]], headers=b"content-length: %d" % len(filled))
    size = rng.choice([1 << 12, 1 << 16, 1 << 20])
    chunks = [filled[start : start + size] for start in range(0, len(filled), size)]
    pieces = [b"%x\r\n%b\r\n" % (len(each), each) for each in chunks]
    return Hostile(pieces=[b"".join(pieces), b"0\r\n\r\n"], headers=b"transfer-encoding: chunked")


def _wide(_: Route, rng: random.Random) -> Hostile:
    """Nearly 10 MB of little things."""
    item = rng.choice([b"0,", b"[],", b"{},", b'"",', b'{"a":1},'])
    begin = rng.choice([b"[", b'{"history":[', b'{"user_id":['])
    end = b"0]" if begin == b"[" else b"0]}"
    room = (_LARGEST - 100) // len(item)
    return Hostile(pieces=[begin + item * room + end])


def _false_length(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    said = rng.choice(
        [
            b"content-length: %d" % (len(body) // 2),
            b"content-length: -1",
            b"content-length: many",
            b"content-length: 1e3",
            b"content-length: 0x10",
            b"content-length: " + b"9" * 30,
            b"content-length: " + b"9" * 5000,
            b"content-length: %d\r\ncontent-length: 1" % len(body),
            b"content-length: %d\r\ntransfer-encoding: chunked" % len(body),
            b"content-length: %d, %d" % (len(body), len(body)),
            b"content-length: 18446744073709551616",
            b"transfer-encoding: chunked",
            b"transfer-encoding: gzip, chunked",
        ]
    )
    return Hostile(pieces=[body], headers=said)


def _false_chunks(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    sent = rng.choice(
        [
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 1, body),
            b"-1\r\n%b\r\n0\r\n\r\n" % body,
            b"zz\r\n%b\r\n0\r\n\r\n" % body,
            b"%b\r\n" % (b"f" * 40) + body,
            b"%x\n%b\n0\n\n" % (len(body), body),
            b"\r\n" * 10 + body,
        ]
    )
    return Hostile(pieces=[sent], headers=b"transfer-encoding: chunked")


def _slow(route: Route, rng: random.Random) -> Hostile:
    """A byte a second; or all but one, and nothing more."""
    body = _json(route.body)
    length = b"content-length: %d" % len(body)
    if rng.random() < 0.5:
        return Hostile(pieces=[body[n : n + 1] for n in range(len(body))], headers=length, pause=1)
    return Hostile(pieces=[body[:-1], b""], headers=length, pause=60)


def _hangs_up(route: Route, rng: random.Random) -> Hostile:
    body = _json(route.body)
    sent = [body[: rng.randrange(len(body))]]
    if rng.random() < 0.5:
        return Hostile(pieces=sent, headers=b"content-length: %d" % len(body), hangs_up=True)
    sent = [b"%x\r\n%b" % (len(body), sent[0])]
    return Hostile(pieces=sent, headers=b"transfer-encoding: chunked", hangs_up=True)


KINDS: Final[Mapping[str, tuple[int, Callable[[Route, random.Random], Hostile]]]] = {
    # how often, of 100
    "100,000 deep": (6, _deep),
    "huge numbers": (10, _huge),
    "NaN, Infinity and other no numbers": (8, _no_number),
    "lone surrogates": (8, _surrogates),
    "null bytes and characters": (8, _nulls),
    "truncated": (8, _truncated),
    "no JSON": (8, _no_json),
    "no UTF-8": (6, _no_utf8),
    "wrong types, names and values": (18, _wrong_type),
    "fields twice": (5, _twice),
    "byte order marks, UTF-16 and 32": (3, _marked),
    "10 MB and a byte": (1, _too_large),
    "10 MB of little things": (1, _wide),
    "false length": (4, _false_length),
    "false chunks": (2, _false_chunks),
    "a byte a second, or none": (2, _slow),
    "hung up in the middle": (2, _hangs_up),
}
