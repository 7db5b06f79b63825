import hashlib
from functools import cache
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from nextcall.embedding.wordpieces import (
    N_PIECES,
    WordPieces,
    open_tokenizer,
    piece_texts,
    tokenizer_digest,
)

LONGEST = 12
TEXTS = [
    "",
    "To describe the load balancers of an Auto Scaling group",
    "list_objects-v2 (s3): what's in it?",
    "[SEP] [cls] a [MASK]",
    "naïve café 東京 🙂",
    "one\ttwo\nthree\x00four",
    "x" * 130,
    "unbelievably reticulating splines " * 9,
]


@pytest.fixture(scope="module")
def wordpieces() -> WordPieces:
    return WordPieces(longest=LONGEST)


@cache
def tokenizer() -> Tokenizer:
    return open_tokenizer(max_tokens=LONGEST)


def by_the_tokenizer(text: str) -> list[int]:
    return list(tokenizer().encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_are_those_of_the_tokenizer(wordpieces: WordPieces, text: str) -> None:
    assert wordpieces.cut(text) == by_the_tokenizer(text)
    assert wordpieces.cut(text) == by_the_tokenizer(text)  # out of the memory, too


printable = st.characters(min_codepoint=32, max_codepoint=126)


@given(text=st.one_of(st.text(printable, max_size=40), st.text(max_size=12)))
def test_pieces_of_any_text_are_those_of_the_tokenizer(wordpieces: WordPieces, text: str) -> None:
    assert wordpieces.cut(text) == by_the_tokenizer(text)


def test_texts_of_pieces_are_those_of_their_ids() -> None:
    texts = piece_texts()
    assert len(texts) == N_PIECES == tokenizer().get_vocab_size()
    for number in (0, 101, 2015, 2862, N_PIECES - 1):
        assert texts[number] == str(tokenizer().id_to_token(number)).removeprefix("##")


def test_the_digest_is_that_of_the_file() -> None:
    path = files("nextcall.embedding").joinpath("data", "tokenizer.json")
    assert tokenizer_digest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_no_piece_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"longest must be at least 1, got 0\."):
        WordPieces(longest=0)
