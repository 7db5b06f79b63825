"""Whom a limit counts cannot be read from its name, nor chosen by who asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.access.identifiers import Identifiers, client_address, networks

SECRET = b"a secret of tests"
addresses = st.ip_addresses().map(str)


@given(st.text(), st.text())
def test_they_tell_callers_apart_and_nothing_else(one: str, other: str) -> None:
    identifiers = Identifiers(SECRET)
    assert (identifiers.of(user=one) == identifiers.of(user=other)) is (one == other)
    assert identifiers.of(user=one) != identifiers.of(key=one)
    assert identifiers.of(user=one) != Identifiers(SECRET[::-1]).of(user=one)
    assert identifiers.of(key=one, user=other, address="::1") == identifiers.of(key=one)


def test_addresses_count_by_customer() -> None:
    of = Identifiers(SECRET).of
    assert of(address="2001:db8::1") == of(address="2001:db8:0:0:ffff::2")
    assert of(address="2001:db8::1") != of(address="2001:db8:0:1::1")
    assert of(address="192.0.2.1") != of(address="192.0.2.2")
    assert of(address="::ffff:192.0.2.1") == of(address="192.0.2.1")
    assert of(address="testclient") != of(address="other")


def test_a_secret_is_long_enough_and_somebody_is_named() -> None:
    with pytest.raises(ValueError, match=r"^secret must have 16 to 64 bytes, got 3\.$"):
        Identifiers(b"abc")
    with pytest.raises(ValueError, match=r"^key, user or address must be given"):
        Identifiers(SECRET).of()


@given(st.text(), addresses)
def test_nobody_is_believed_but_a_trusted_proxy(header: str, peer: str) -> None:
    trusted = networks(["10.0.0.0/8", "fd00::/8"])
    if any(peer.startswith(prefix) for prefix in ("10.", "fd", "::ffff:")):
        return
    assert client_address(peer, header, trusted=trusted) == peer
    assert client_address(peer, header, trusted=()) == peer


@given(st.lists(addresses, max_size=3), st.ip_addresses(v=4), st.integers(0, 3))
def test_what_a_client_writes_itself_does_not_count(
    written: list[str], client: object, proxies: int
) -> None:
    """A client writes a header; each proxy appends the address of who connected to it."""
    chain = [str(client), *(f"10.0.0.{n}" for n in range(proxies))]
    header = ", ".join([*written, *chain])
    seen = client_address("10.9.9.9", header, trusted=networks(["10.0.0.0/8", "127.0.0.1"]))
    if not str(client).startswith(("10.", "127.0.0.1")):
        assert seen == str(client)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "10.0.0.1"),
        ("", "10.0.0.1"),
        ("unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_forms_of_the_header(header: str | None, expected: str) -> None:
    assert client_address("10.0.0.1", header, trusted=networks([" 10.0.0.0/8"])) == expected
    assert client_address("testclient", header, trusted=networks(["::/0"])) == "testclient"


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        networks(["nowhere"])
