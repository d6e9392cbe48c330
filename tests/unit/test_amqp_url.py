"""Broker URLs: what is understood, and that no refusal repeats a password."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router.amqp.url import Address, parse
from mas_router.errors import CallerError

SECRET = "s3cr3t"


def test_every_part_of_a_full_url_is_taken() -> None:
    assert parse(f"amqp://ann:{SECRET}@rabbit.lan:5673/live") == [
        Address("rabbit.lan", 5673, "live", "ann", SECRET, tls=False)
    ]


@pytest.mark.parametrize(("url", "port"), [("amqp://h", 5672), ("amqps://h", 5671), ("amqp://h:1", 1)])
def test_the_port_follows_the_scheme_unless_given(url: str, port: int) -> None:
    assert parse(url)[0].port == port


def test_only_amqps_means_tls() -> None:
    assert [address.tls for address in parse(["amqp://h", "amqps://h"])] == [False, True]


def test_without_a_login_it_is_the_guest_of_a_fresh_broker() -> None:
    address = parse("amqp://localhost")[0]
    assert (address.user, address.password, address.vhost) == ("guest", "guest", "/")


@pytest.mark.parametrize(
    ("path", "vhost"), [("", "/"), ("/", "/"), ("/%2f", "/"), ("/%2F", "/"), ("/live", "live"), ("/a%2Fb", "a/b")]
)
def test_the_vhost_is_the_decoded_path_and_slash_by_default(path: str, vhost: str) -> None:
    assert parse(f"amqp://h{path}")[0].vhost == vhost


def test_an_ipv6_host_stands_in_brackets() -> None:
    assert parse("amqp://[::1]:5673")[0].host == "::1"


@pytest.mark.parametrize("text", ["amqp://a,amqps://b/v", " amqp://a , amqps://b/v "])
def test_one_text_may_hold_several_hosts_in_order(text: str) -> None:
    assert [str(address) for address in parse(text)] == ["a:5672/", "b:5671/v"]


def test_a_comma_in_a_password_separates_nothing() -> None:
    assert parse("amqp://ann:x,y@h")[0].password == "x,y"


@given(user=st.text(min_size=1, max_size=20), password=st.text(min_size=1, max_size=20), vhost=st.text(max_size=20))
def test_any_login_and_vhost_survive_percent_encoding(user: str, password: str, vhost: str) -> None:
    url = f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@h/{quote(vhost, safe='')}"
    address = parse(url)[0]
    assert (address.user, address.password, address.vhost) == (user, password, vhost or "/")


def test_an_address_shows_host_port_and_vhost_and_never_the_password() -> None:
    address = parse(f"amqp://ann:{SECRET}@h:1/live")[0]
    assert str(address) == "h:1/live"
    assert SECRET not in repr(address)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"http://ann:{SECRET}@h", "amqp://"),
        (f"ann:{SECRET}@h:5672", "amqp://"),
        (f"{SECRET}", "amqp://"),
        (f"amqp:ann:{SECRET}@h", "names no host"),
        (f"amqp://ann:{SECRET}@", "names no host"),
        (f"amqp://ann:{SECRET}@:5672/v", "names no host"),
        (f"amqp://ann:{SECRET}@h:0", "port"),
        (f"amqp://ann:{SECRET}@h:66000", "port"),
        (f"amqp://ann:{SECRET}@h:port", "port"),
        (f"amqp://ann:x#{SECRET}@h", "percent-encoded"),
        (f"amqp://ann:{SECRET}/x@h", "percent-encoded"),
        (f"amqp://ann:{SECRET}?x@h", "percent-encoded"),
        (f"amqp://ann:{SECRET}@[::1", "host"),
        (f"amqp://ann:{SECRET}@h/a/b", "vhost"),
        (f"amqp://ann:{SECRET}@h/v?heartbeat=5", "'?'"),
        (f"amqp://:{SECRET}@h", "user and a password"),
        ("amqp://ann@h", "user and a password"),
        ("amqp://ann:@h", "user and a password"),
        ("", "amqp://"),
    ],
)
def test_a_bad_url_is_refused_with_what_is_wrong_and_without_the_password(url: str, says: str) -> None:
    with pytest.raises(CallerError) as caught:
        parse(url)
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__ is (
        caught.value.__context__ is not None
    )


def test_no_url_at_all_is_refused() -> None:
    with pytest.raises(CallerError, match="no broker URL"):
        parse([])


def test_something_else_than_text_is_refused_by_its_type_only() -> None:
    with pytest.raises(CallerError, match="not bytes"):
        parse([b"amqp://h"])  # type: ignore[list-item]
