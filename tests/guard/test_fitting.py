"""Training: it learns what is there, and judges only by sources that it did not see."""

import numpy as np
import pytest

from nextcall.guard import fitting
from nextcall.guard.evaluation import held_out_risks
from nextcall.guard.features import text_features
from nextcall.guard.fitting import (
    BUDGETS,
    WORST,
    HeldOut,
    feature_rows,
    fit_guard,
    fit_weights,
    hold_out,
    slopes_of,
    thresholds_of,
)
from nextcall.guard.grams import GRAMS
from nextcall.guard.model import GuardModel
from nextcall.guard.signatures import FAMILIES
from nextcall.guard.training_texts import BENIGN, LabelledText, own_texts

_SOURCES = ("deepset/prompt-injections", "leolee99/NotInject", "HttpParamsDataset")


@pytest.fixture(scope="module")
def rows() -> list[LabelledText]:
    """Own texts under the names of three sources."""
    own = own_texts(np.random.default_rng(1), injections=60, payloads=120, benign=150)
    return [
        LabelledText(text=row.text, label=row.label, source=_SOURCES[place % 3])
        for place, row in enumerate(own)
    ]


def test_the_matrix_gives_the_scores_of_the_served_model(rows: list[LabelledText]) -> None:
    texts = [row.text for row in rows[:40]]
    matrix = feature_rows(texts)
    rng = np.random.default_rng(2)
    coefficients = rng.normal(size=(matrix.shape[1], len(FAMILIES)))
    weights = coefficients.astype(np.float32)
    weights[GRAMS:] *= fitting._TRAIT_VALUE
    ones = np.ones(len(FAMILIES))
    model = GuardModel(weights=weights, intercepts=0 * ones, thresholds=0 * ones, slopes=ones)
    served = [model.scores(text_features(text)) for text in texts]
    assert np.array(served) == pytest.approx(matrix @ coefficients, abs=1e-3)


def test_sources_held_out_are_judged_well(rows: list[LabelledText]) -> None:
    held = hold_out(rows, np.random.default_rng(3), share=0.03)
    assert {row.text for row in held.rows} == {row.text for row in rows}
    model = fit_guard(rows, held, np.random.default_rng(4), share=0.03)
    risks = held_out_risks(held, model)
    attacks = risks["label"] != BENIGN
    assert (risks.loc[~attacks, "any"] >= 0.5).mean() <= 0.02
    assert (risks.loc[attacks, "any"] >= 0.5).mean() >= 0.5


def test_a_source_without_a_fold_is_named(rows: list[LabelledText]) -> None:
    stray = LabelledText(text="a", label=BENIGN, source="elsewhere")
    with pytest.raises(ValueError, match=r"must each be in a fold, \['elsewhere'\] are in none"):
        hold_out([*rows, stray], np.random.default_rng(0))


def test_weights_tell_the_families_apart(rows: list[LabelledText]) -> None:
    weights, intercepts = fit_weights(rows, feature_rows([row.text for row in rows]))
    ones = np.ones(len(FAMILIES))
    model = GuardModel(weights=weights, intercepts=intercepts, thresholds=0 * ones, slopes=ones)
    right = [
        FAMILIES[int(np.argmax(model.scores(text_features(row.text))))] == row.label
        for row in rows
        if row.label != BENIGN
    ]
    assert np.mean(right) > 0.95


def test_thresholds_keep_budgets_of_sources_not_of_the_pool() -> None:
    rng = np.random.default_rng(6)
    sizes = {"large": 4000, "small": 100, "odd": 100}
    labelled = [
        LabelledText(text="", label=BENIGN, source=name)
        for name, size in sizes.items()
        for _ in range(size)
    ]
    scores = rng.normal(size=(len(labelled), len(FAMILIES)))
    scores[-100:] += 2
    held = HeldOut(rows=labelled, scores=scores)
    thresholds = thresholds_of(held)
    for place, budget in enumerate(BUDGETS):
        shares = [
            float(np.mean(part[:, place] >= thresholds[place]))
            for part in (scores[:4000], scores[4000:4100], scores[4100:])
        ]
        assert np.mean(shares) <= budget
        assert max(shares) <= WORST * budget
    lower = thresholds_of(HeldOut(rows=labelled[:4000], scores=scores[:4000]))
    assert (lower < thresholds).all()


def test_slopes_are_those_of_the_truth() -> None:
    rng = np.random.default_rng(7)
    scores = rng.normal(scale=3, size=(20_000, len(FAMILIES)))
    attack = rng.random(20_000) < 1 / (1 + np.exp(-0.7 * scores[:, 1]))
    labelled = [
        LabelledText(text="", label="sqli" if one else BENIGN, source="s") for one in attack
    ]
    others = [LabelledText(text="", label=name, source="s") for name in FAMILIES]
    extra = np.zeros((len(FAMILIES), len(FAMILIES)))
    slopes = slopes_of(HeldOut(rows=labelled + others, scores=np.concatenate([scores, extra])))
    assert slopes[1] == pytest.approx(0.7, rel=0.05)
