"""Shares of alpha beside drawn statistics and scipy's multivariate normal law."""

import numpy as np
import pytest
from scipy import stats

from nextcall.abtest.comparison_alpha import comparison_alpha


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("ratios", [[1.0, 1.0], [0.5, 2.0, 1.0]])
def test_together_the_comparisons_hold_alpha(ratios: list[float], *, two_sided: bool) -> None:
    found = comparison_alpha(0.05, ratios, two_sided=two_sided)
    lean = np.sqrt(np.array(ratios) / (1 + np.array(ratios)))
    shape = np.outer(lean, lean)
    np.fill_diagonal(shape, 1.0)
    bound = stats.norm.isf(found / 2 if two_sided else found)
    law = stats.multivariate_normal(cov=shape, seed=1)
    limits = np.full(len(ratios), bound)
    inside = law.cdf(limits, lower_limit=-limits if two_sided else np.full(len(ratios), -np.inf))
    assert 1 - inside == pytest.approx(0.05, abs=1e-5)


def test_it_lies_between_bonferroni_and_alpha() -> None:
    ratios = [1.0] * 5
    bonferroni = comparison_alpha(0.05, ratios, correction="bonferroni")
    assert bonferroni == 0.01
    assert bonferroni < comparison_alpha(0.05, ratios) < 0.05
    assert comparison_alpha(0.05, ratios, correction="none") == 0.05
    assert comparison_alpha(0.05, [2.0]) == 0.05


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="correction must be one of"):
        comparison_alpha(0.05, [1.0], correction="holm")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"ratios must be above 0 and finite, got \[0.0\]"):
        comparison_alpha(0.05, [0.0])
