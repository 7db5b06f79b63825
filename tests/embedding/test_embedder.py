import pytest

from nextcall.embedding.embedder import check_texts


def test_one_string_is_no_sequence_of_texts() -> None:
    with pytest.raises(TypeError, match="got the string 'list users'"):
        check_texts("list users")


def test_lists_and_tuples_are_accepted() -> None:
    check_texts(["list users"])
    check_texts(())
