import numpy as np

from nextcall.ranking.answers import list_answers
from nextcall.ranking.calibration import Calibration
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.index import CatalogIndex


def test_each_answer_has_the_values_of_its_candidate(shop_index: CatalogIndex) -> None:
    rows = np.array([7, 2, 5, 0])
    scores = np.array([0.5, 2.0, -1.0, 0.5])
    features = np.arange(4.0 * len(FEATURE_NAMES), dtype=np.float32).reshape(4, -1)
    calibration = Calibration((1.0, 0.0, 0.0, 0.0, 0.0))
    answers = list_answers(
        shop_index, rows, scores, features=features, calibration=calibration, k=3
    )
    places = [1, 0, 3]  # a tie stays as it came
    assert [one.rank for one in answers] == [1, 2, 3]
    assert [one.score for one in answers] == [2.0, 0.5, 0.5]
    similarity = FEATURE_NAMES.index("prompt_similarity")
    for one, place in zip(answers, places, strict=True):
        assert one.operation is shop_index.catalog.operations[rows[place]]
        assert one.similarity == features[place, similarity]
        np.testing.assert_array_equal(one.features, features[place])
    # Platt's scaling of a softmax by 1 is the softmax itself, over all candidates.
    shares = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose([one.confidence for one in answers], shares[places], rtol=1e-5)
