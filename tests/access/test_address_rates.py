"""A bucket for each address, which floods fill and time empties."""

import pytest

from nextcall.access.address_rates import AddressRates


def test_an_address_has_its_rate_and_others_have_theirs() -> None:
    now = [1000.0]
    rates = AddressRates(60, clock=lambda: now[0])
    assert [rates.wait("a") for _ in range(60)] == [0.0] * 60
    assert rates.wait("a") == pytest.approx(1.0)
    assert rates.wait("b") == 0.0
    now[0] += 0.5
    assert rates.wait("a") == pytest.approx(0.5)  # what was refused counts nothing
    now[0] += 0.5
    assert [rates.wait("a"), rates.wait("a")] == pytest.approx([0.0, 1.0])
    now[0] += 3600
    assert [rates.wait("a") for _ in range(60)] == [
        0.0
    ] * 60  # a bucket holds no more than a minute


def test_memory_is_bounded_and_forgets_those_who_were_quiet_first() -> None:
    now = [0.0]
    rates = AddressRates(1, clock=lambda: now[0], largest=3)
    assert [rates.wait(name) for name in "abc"] == [0.0] * 3
    now[0] = 59.0
    assert rates.wait("a") == pytest.approx(1.0)
    now[0] = 60.0
    assert rates.wait("a") == 0.0
    assert rates.wait("d") == 0.0  # b and c are as if they had never come
    assert set(rates._full_at) == {"a", "d"}
    assert rates.wait("e") == 0.0
    assert rates.wait("f") == 0.0  # none was quiet: all are forgotten, rather than memory grows
    assert set(rates._full_at) == {"f"}


def test_numbers_below_1_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^per_minute must be at least 1, got 0"):
        AddressRates(0)
    with pytest.raises(ValueError, match=r"^largest must be at least 1, got 0"):
        AddressRates(1, largest=0)
