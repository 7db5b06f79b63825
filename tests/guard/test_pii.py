"""Personal data: found in many forms, masked, and put back exactly; ordinary numbers stay."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.guard.pii import find_pii, mask_pii, restore_pii
from nextcall.guard.pii_numbers import is_iban, luhn
from nextcall.locations import shared_dir

_BENIGN = Path(__file__).parents[1] / "data" / "benign_prompts.txt"
_PIECES = st.sampled_from(
    [
        *("a@b.example", "+49 30 901820", "4111 1111 1111 1111", "[EMAIL_1]", "[", "EMAIL_1]"),
        *("DE89370400440532013000", "call 030-901820-1", "460-89-9847", "ghp_" + "a1" * 12),
        *("]", " ", "x"),
    ]
)

_PHONES = {
    "de": ["+49 30 90182010", "030 90182010", "(030) 9018 2010", "0176 555 01234"],
    "us": ["+1 (415) 555-0132", "415-555-0132", "(415) 555-0132", "1-415-555-0132"],
    "gb": ["+44 20 7946 0958", "020 7946 0958", "07700 900 123", "+447700900123"],
    "fr": ["+33 1 70 18 99 00", "01 70 18 99 00", "01.70.18.99.00", "0033 1 70 18 99 00"],
    "es": ["+34 911 234 567", "911 234 567", "+34911234567"],
    "it": ["+39 06 698 12345", "06 698 12345"],
    "in": ["+91 98765 43210", "098765 43210"],
    "au": ["+61 2 5550 1234", "(02) 5550 1234", "0491 570 156"],
    "br": ["+55 11 91234-5678", "(11) 91234-5678"],
    "jp": ["+81 3-1234-5678", "03-1234-5678"],
}
_FRAMES = [
    "Update the contact of customer 4411 to {x}",
    "Send the invoice to {x} please",
    "Create a lead with the value {x} and assign it to Ben",
    "Is {x} already in our system?",
    '{"contact": "{x}", "notify": true}',
    "Reach me at {x} after 5 pm.",
]


def _card(rng: np.random.Generator) -> str:
    prefix = str(rng.choice(["4", "51", "37", "6011"]))
    length = 15 if prefix == "37" else 16
    body = prefix + "".join(map(str, rng.integers(10, size=length - 1 - len(prefix))))
    number = next(body + str(digit) for digit in range(10) if _luhn_by_hand(body + str(digit)))
    return (
        " ".join(number[k : k + 4] for k in range(0, length, 4)) if rng.random() < 0.5 else number
    )


def _luhn_by_hand(number: str) -> bool:
    doubled = {digit: sum(map(int, str(2 * digit))) for digit in range(10)}
    digits = [int(digit) for digit in number[::-1]]
    return (sum(digits[::2]) + sum(doubled[digit] for digit in digits[1::2])) % 10 == 0


def _iban(rng: np.random.Generator) -> str:
    country, length = [("DE", 22), ("FR", 27), ("NL", 18), ("GB", 22), ("ES", 24)][rng.integers(5)]
    body = "".join(map(str, rng.integers(10, size=length - 4)))
    letters = "".join(str(ord(letter) - 55) for letter in country)
    number = f"{country}{98 - int(body + letters + '00') % 97:02d}{body}"
    return (
        " ".join(number[k : k + 4] for k in range(0, length, 4)) if rng.random() < 0.5 else number
    )


def _email(rng: np.random.Generator) -> str:
    names = ["anna", "j.smith", "max+news", "o_neil", "li-wei", "ALICE.B"]
    hosts = ["example.com", "mail.example.co.uk", "beispiel-firma.de", "example.museum"]
    return f"{rng.choice(names)}{rng.integers(100)}@{rng.choice(hosts)}"


def _phone(rng: np.random.Generator) -> str:
    forms = [form for country in _PHONES.values() for form in country]
    return forms[rng.integers(len(forms))]


def _ssn(rng: np.random.Generator) -> str:
    return f"{rng.integers(100, 600)}-{rng.integers(10, 99)}-{rng.integers(1000, 9999)}"


def _key(rng: np.random.Generator) -> str:
    tail = "".join(rng.choice(list("abcdefghkmnpqrstuvwxyzABCDEFGH23456789"), 40))
    forms = [f"sk-proj-{tail}", f"ghp_{tail[:36]}", f"AKIA{tail[:16].upper()}", f"nc_{tail}"]
    forms += [f"xoxb-{tail[:24]}", f"AIza{tail[:35]}", f"glpat-{tail[:20]}"]
    return forms[rng.integers(len(forms))]


_MAKERS: dict[str, Callable[[np.random.Generator], str]] = {
    "api_key": _key,
    "card": _card,
    "email": _email,
    "iban": _iban,
    "phone": _phone,
    "ssn": _ssn,
}


def test_api_prompts_are_masked_and_restored() -> None:
    rng = np.random.default_rng(11)
    kinds = list(_MAKERS)
    missed = []
    for number in range(240):
        kind = kinds[number % len(kinds)]
        value = _MAKERS[kind](rng)
        text = _FRAMES[rng.integers(len(_FRAMES))].replace("{x}", value)
        masked = mask_pii(text)
        assert restore_pii(masked.text, masked.values) == text
        if value in masked.text or kind not in {one.kind for one in masked.findings}:
            missed.append((kind, text))
    assert missed == []


@given(st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=80))
def test_what_is_masked_comes_back(text: str) -> None:
    masked = mask_pii(text)
    assert restore_pii(masked.text, masked.values) == text
    for one, other in zip(masked.findings, masked.findings[1:], strict=False):
        assert one.end <= other.start


def test_the_same_value_has_the_same_mark_and_no_repr() -> None:
    masked = mask_pii("a@b.example, c@d.example, a@b.example and [EMAIL_3] e@f.example")
    assert masked.text == "[EMAIL_1], [EMAIL_2], [EMAIL_1] and [EMAIL_3] [EMAIL_4]"
    assert "a@b.example" not in repr(masked)


def test_ordinary_prompts_keep_their_numbers() -> None:
    texts = _BENIGN.read_text(encoding="utf-8").splitlines()
    texts += [
        "Between 2024-05-01 and 2024-05-31, on 01.02.2023 at 10:30",
        "IP 192.168.100.25, version 10.12.1000.1, order 1234567890, ISBN 9780340898447",
        "coordinates 48.858370, 2.294481; price $1,200,300.50; 100 000 000 users",
        "invoice number 4111 1111 1111 1112 and id 000-00-0000",
        "666-12-1234 900-12-1234 123-00-1234 123456",
        "git@github.com:org/repo",
        "timestamps 1700000000000 and 20240501103000",
        "DE00 1234 5678 9012 3456 78; XX12345678901234",
        "password: hunter2, token: abc, key = value",
    ]
    found = [
        (one.kind, text[one.start : one.end])
        for text in texts
        for one in find_pii(text)
        if one.kind != "email"
    ]
    assert found == []


@given(st.text("0123456789", min_size=1, max_size=19))
def test_luhn_is_that_by_hand(number: str) -> None:
    assert luhn(number) == _luhn_by_hand(number)


def test_ibans_end_where_their_country_says() -> None:
    good = "DE89 3704 0044 0532 0130 00"
    assert is_iban(good) == len(good)
    assert is_iban(f"{good} and") == len(good)
    assert is_iban(f"{good}1") == 0
    assert is_iban("DE89") == 0
    (found,) = find_pii(f"pay {good} now")
    assert (found.kind, found.start, found.end) == ("iban", 4, 4 + len(good))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("my ssn 460 89 9847", "ssn"),
        ("credit card 180045984582343", "card"),
        ("api_key=Zx81kd92mfLq0p", "api_key"),
        ("Authorization: Bearer abc123def456ghi", "api_key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "api_key"),
        ("my mobile 3660170548", "phone"),
        ("9472 7916 is the office", "phone"),
    ],
)
def test_words_beside_a_number_tell_what_it_is(text: str, kind: str) -> None:
    assert [one.kind for one in find_pii(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "460 89 9847",
        "call 1234567890123456789",
        "phone (12 34567 890",
        "+12 345",
        "0012 3",
        "90234567890",
    ],
)
def test_numbers_alone_are_nothing(text: str) -> None:
    assert find_pii(text) == ()


def test_lines_of_others_are_found() -> None:
    path = shared_dir() / "data" / "guard" / "guard_shared.jsonl"
    if not path.exists():
        pytest.skip("the shared evaluation data is not here")
    kinds = {
        "EMAIL_ADDRESS": "email",
        "PHONE_NUMBER": "phone",
        "CREDIT_CARD": "card",
        "IBAN_CODE": "iban",
    }
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [
        (row["source"].partition("|")[2], row["text"]) for row in rows if row["label"] == "pii"
    ]
    for name, kind in kinds.items():
        asked = [text for types, text in lines if name in types]
        found = sum(kind in {one.kind for one in find_pii(text)} for text in asked)
        assert found >= 0.95 * len(asked)


@pytest.mark.parametrize(
    "secret",
    [
        *("xoxb-abcdefghij", "ya29.abcdefghij", "sk-abcdefghijklmnop", "sk_live_abcdefghijklmnop"),
        *("pwd=abcdefghijk1", "bearer 1abcdefghijk", "token is abcdefghijkl\u0661"),
    ],
)
def test_the_shortest_secrets_are_found_alone_and_in_a_sentence(secret: str) -> None:
    for text in (secret, f"my {secret} is it"):
        assert [one.kind for one in find_pii(text)] == ["api_key"]


@given(st.data())
def test_no_way_to_write_a_secret_hides_it_from_the_quick_look(data: st.DataObject) -> None:
    named = data.draw(
        st.sampled_from(
            ["API key: ", "access-token=", "secret is ", "password: ", "pwd=", "bearer "]
        )
    )
    alike = {"s": "sS\u017f", "k": "kK\u212a"}  # what a search in any case takes for the same
    letters = [
        data.draw(st.sampled_from(alike.get(one.lower(), one + one.upper()))) for one in named
    ]
    text = f"{''.join(letters)}hunter2hunter2"
    assert [one.kind for one in find_pii(text)] == ["api_key"]
