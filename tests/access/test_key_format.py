"""A key that was copied wrong is told from one that is not known."""

import string

from hypothesis import given
from hypothesis import strategies as st

from nextcall.access.key_format import is_well_formed, key_digest, new_key

ALPHABET = string.digits + string.ascii_letters
KEY = new_key()


def test_keys_have_their_form_and_are_never_the_same() -> None:
    keys = [new_key() for _ in range(300)]
    assert len(set(keys)) == 300
    for key in keys:
        assert is_well_formed(key)
        assert key.startswith("nc_")
        assert len(key) == 43
        assert set(key[3:]) <= set(ALPHABET)
    # each of 62 letters in each of 34 places: about 165 times of 300 * 34
    text = "".join(key[3:37] for key in keys)
    assert all(90 < text.count(letter) < 250 for letter in ALPHABET)


@given(st.integers(0, 42), st.sampled_from(ALPHABET))
def test_one_wrong_letter_shows(place: int, letter: str) -> None:
    wrong = KEY[:place] + letter + KEY[place + 1 :]
    assert is_well_formed(wrong) is (wrong == KEY)


@given(st.integers(3, 41))
def test_two_letters_the_wrong_way_round_show(place: int) -> None:
    wrong = KEY[:place] + KEY[place + 1] + KEY[place] + KEY[place + 2 :]
    assert is_well_formed(wrong) is (wrong == KEY)


@given(st.text())
def test_other_texts_are_no_keys(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed(KEY + text[:1]) or not text
    assert not is_well_formed(KEY[3:])
    assert len(key_digest(text)) == 32
