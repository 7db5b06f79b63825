"""Prompts as a catalogue sees them."""

import pytest

from nextcall.ranking.index import CatalogIndex


@pytest.mark.parametrize(
    ("prompt", "plural"),
    [
        ("list an order", 0.0),
        ("list one of the orders", 0.0),
        ("list all data", 1.0),
        ("items of user", 1.0),
        ("delete order", 0.5),
        ("", 0.5),
        ("several users, then a user", 1.0),
    ],
)
def test_a_prompt_speaks_of_one_or_of_many(
    shop_index: CatalogIndex, prompt: str, plural: float
) -> None:
    assert shop_index.prompt_terms(prompt).plural == plural


def test_an_unknown_word_weighs_as_much_as_the_rarest(shop_index: CatalogIndex) -> None:
    known = shop_index.prompt_terms("order")
    both = shop_index.prompt_terms("order zzz zzz")
    rarest = float(shop_index.lexical.weights.max())
    assert both.weight == pytest.approx(known.weight + rarest)
    assert (both.n_words, known.n_words) == (3, 1)


def test_a_verb_that_the_catalogue_does_not_know_still_has_its_action(
    shop_index: CatalogIndex,
) -> None:
    terms = shop_index.prompt_terms("terminate it")
    assert terms.verb == -1
    assert terms.action == shop_index.prompt_terms("delete it").action >= 0
    nothing = shop_index.prompt_terms("an invoice")
    assert (nothing.verb, nothing.action) == (-1, -1)
