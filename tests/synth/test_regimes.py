import numpy as np
import pytest

from nextcall.catalog import Catalog
from nextcall.synth.regimes import Regimes, draw_regimes
from nextcall.synth.resources import ResourceMap
from nextcall.synth.workflow import Workflow, learn_workflow


def _draw(
    catalog: Catalog, workflow: Workflow, *, zipf: float = 1.0, drift: float | None = None
) -> Regimes:
    resources = ResourceMap.of_catalog(catalog)
    rng = np.random.default_rng(3)
    return draw_regimes(catalog, resources, workflow, zipf=zipf, drift=drift, rng=rng)


def test_where_nothing_lacks_the_chain_is_the_workflow(whole: Catalog) -> None:
    regimes = _draw(whole, Workflow())
    assert regimes.masks == 1
    np.testing.assert_allclose(regimes.transitions[0, 0], Workflow().matrix)
    assert len(regimes.popularity) == 1


@pytest.mark.parametrize("drift", [0.0, 0.4, 1.0])
def test_a_drift_goes_as_far_as_asked(whole: Catalog, drift: float) -> None:
    regimes = _draw(whole, Workflow(), drift=drift)
    before, after = (one.matrix for one in regimes.workflows)
    np.testing.assert_allclose(after.sum(axis=1), 1.0)
    np.testing.assert_array_equal(before[:, -1], after[:, -1])
    whole_way = _draw(whole, Workflow(), drift=1.0)
    np.testing.assert_allclose(
        after - before, drift * (whole_way.workflows[1].matrix - before), atol=1e-12
    )
    np.testing.assert_allclose(
        regimes.popularity[1] - regimes.popularity[0],
        drift * (whole_way.popularity[1] - regimes.popularity[0]),
        atol=1e-12,
    )
    assert (np.abs(after - before).max() > 0.01) == (drift > 0)


def test_learned_counts_rule_popularity(shop: Catalog) -> None:
    workflow = learn_workflow(shop, [["users:GetUser"] * 50])
    resources = ResourceMap.of_catalog(shop)
    popularity = _draw(shop, workflow).popularity[0]
    assert resources.names[int(popularity.argmax())] == ("users", "user")
    assert popularity.min() > 0  # what was not seen is rare, not impossible
    assert popularity.max() / popularity.sum() > 0.9


def test_zipf_zero_makes_services_alike(whole: Catalog) -> None:
    popularity = _draw(whole, Workflow(), zipf=0.0).popularity[0]
    # Log-normal jitter of 27 operations each: the logarithm's error is 0.5 / sqrt(27), twice.
    web, app = popularity[3:].sum(), popularity[:3].sum()
    assert abs(np.log(web / app)) < 4 * np.sqrt(2) * 0.6 / np.sqrt(27)
