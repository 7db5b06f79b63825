import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextcall.synth.noise import RETRY, WORKFLOW, WRONG, Noise, NoisyCalls, add_noise
from nextcall.synth.walk import Walk

N_OPERATIONS = 7


def _walk(lengths: list[int]) -> Walk:
    n = sum(lengths)
    return Walk(
        lengths=np.array(lengths),
        operation=np.arange(n) % N_OPERATIONS,
        resource=np.zeros(n, dtype=np.int64),
    )


def _noisy(walk: Walk, noise: Noise, seed: int = 0) -> NoisyCalls:
    return add_noise(walk, noise, n_operations=N_OPERATIONS, rng=np.random.default_rng(seed))


def test_without_noise_every_call_stays() -> None:
    walk = _walk([3, 1, 4])
    calls = _noisy(walk, Noise())
    np.testing.assert_array_equal(calls.operation, walk.operation)
    np.testing.assert_array_equal(calls.lengths, walk.lengths)
    assert not calls.failed.any()
    assert not calls.abandoned.any()


rates = st.floats(0, 1)
noises = st.builds(Noise, error=rates, retry=rates, wrong=rates, abandon=rates)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), noises, st.integers(0, 99))
def test_calls_tell_what_happened(lengths: list[int], noise: Noise, seed: int) -> None:
    walk = _walk(lengths)
    calls = _noisy(walk, noise, seed)
    assert calls.lengths.sum() == len(calls.source)
    session = np.repeat(np.arange(len(lengths)), calls.lengths)
    for row in range(len(lengths)):
        here = session == row
        kept = calls.source[here & (calls.kind == WORKFLOW)] - walk.offsets[row]
        # What is kept is the beginning of the session, at least one call of it.
        assert kept.tolist() == list(range(len(kept)))
        assert len(kept) >= 1
        assert calls.abandoned[row] == (len(kept) < lengths[row])
    meant = walk.operation[calls.source]
    assert (calls.operation[calls.kind == WRONG] != meant[calls.kind == WRONG]).all()
    assert (calls.operation[calls.kind != WRONG] == meant[calls.kind != WRONG]).all()
    retries = np.flatnonzero(calls.kind == RETRY)
    assert calls.failed[retries - 1].all()
    assert (calls.source[retries] == calls.source[retries - 1]).all()
    mistakes = np.flatnonzero(calls.kind == WRONG)
    assert (calls.kind[mistakes + 1] == WORKFLOW).all()
    assert (calls.source[mistakes] == calls.source[mistakes + 1]).all()


def test_rates_are_those_asked_for() -> None:
    walk = _walk([5] * 4000)
    calls = _noisy(walk, Noise(error=0.1, retry=0.7, wrong=0.05, abandon=0.02))
    planted = int((calls.kind == WORKFLOW).sum())
    failed = int(calls.failed.sum())
    for count, out_of, rate in (
        (failed, planted, 0.1),
        (int((calls.kind == RETRY).sum()), failed, 0.7),
        (int((calls.kind == WRONG).sum()), planted, 0.05),
        (int(calls.abandoned.sum()), 4000, 1 - 0.98**4),
    ):
        assert stats.binomtest(count, out_of, rate).pvalue > 0.001


def test_a_catalogue_of_one_has_no_wrong_call(rng: np.random.Generator) -> None:
    walk = Walk(lengths=np.array([3]), operation=np.zeros(3, int), resource=np.zeros(3, int))
    calls = add_noise(walk, Noise(wrong=1.0), n_operations=1, rng=rng)
    assert (calls.kind == WORKFLOW).all()


def test_one_number_sets_all_rates() -> None:
    assert Noise.of_level(0.5) == Noise(error=0.2, wrong=0.2, abandon=0.1)
    assert Noise.of_level(0.0) == Noise()
    with pytest.raises(ValueError, match=r"level must be in \[0, 1\], got 2"):
        Noise.of_level(2)
    with pytest.raises(ValueError, match=r"retry must be in \[0, 1\], got -1"):
        Noise(retry=-1)
