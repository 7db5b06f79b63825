"""Texts from files and from a real server on this machine."""

import gzip
import os
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from nextcall.catalog import CatalogError
from nextcall.catalog.fetch import fetch, is_url
from nextcall.catalog.openapi import read_openapi


class Handler(BaseHTTPRequestHandler):
    """Answers by path; counts what it was asked."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body, headers, status = b"text \xc3\xa9", {}, 200
        if self.path == "/openapi.yaml":
            body = b"openapi: 3.1.0\npaths: {/users: {get: {}}}\n"
        elif self.path == "/large":
            body = b"x" * 5000
        elif self.path == "/bomb":
            body, headers = gzip.compress(b"x" * 100_000), {"Content-Encoding": "gzip"}
        elif self.path == "/moved":
            status, headers = 302, {"Location": "/text"}
        elif self.path == "/away":
            status, headers = 302, {"Location": "file:///etc/hostname"}
        elif self.path == "/latin":
            body = b"caf\xe9"
        elif self.path == "/missing":
            status = 404
        elif self.path == "/slow":
            self._drip()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(100):
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.02)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its base's name
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server on a free port of this machine."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file_loses_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbftext \xc3\xa9")
    assert fetch(path) == fetch(str(path)) == "text é"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text é\n\U0001f600", encoding=encoding)
    assert fetch(path) == "text é\n\U0001f600"
    for order in ("le", "be"):
        if encoding in {"utf-16", "utf-32"}:
            path.write_text("\ufefftext é", encoding=f"{encoding}-{order}")
            assert fetch(path) == "text é"


def test_what_is_not_in_its_encoding_is_refused(tmp_path: Path, server: Server) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("thé\nca".encode() + b"f\xe9 au lait")
    with pytest.raises(CatalogError, match=r"a\.txt:2:4: must be UTF-8 text, byte 8 is 0xe9"):
        fetch(path)
    path.write_bytes("thé\nca".encode("utf-16") + b"f")
    with pytest.raises(CatalogError, match=r"a\.txt:2:3: must be UTF-16 text, byte 14 is 0x66"):
        fetch(path)
    with pytest.raises(CatalogError, match=r"/latin:1:4: must be UTF-8 text"):
        fetch(f"{server.address}/latin")


def test_a_file_may_be_too_large_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 11)
    assert fetch(path, max_bytes=11) == "x" * 11
    with pytest.raises(CatalogError, match=r"a\.txt: must be at most 10 bytes"):
        fetch(path, max_bytes=10)
    with pytest.raises(FileNotFoundError):
        fetch(tmp_path / "absent")


def test_a_fresh_copy_answers_a_stale_one_does_not(tmp_path: Path, server: Server) -> None:
    address = f"{server.address}/text"
    for _ in range(3):
        assert fetch(address, cache_dir=tmp_path / "copies") == "text é"
    assert server.asked == ["/text"]
    [copy] = (tmp_path / "copies").iterdir()
    for age in (3601, -60):  # too old; from the future
        os.utime(copy, (time.time() - age, time.time() - age))
        assert fetch(address, cache_dir=tmp_path / "copies") == "text é"
    assert len(server.asked) == 3
    os.utime(copy, (time.time() - 3000, time.time() - 3000))
    fetch(address, cache_dir=tmp_path / "copies")
    assert len(server.asked) == 3


def test_a_stale_copy_does_not_hide_that_the_network_fails(tmp_path: Path) -> None:
    with socket.socket() as taken:  # so that nobody else comes to listen there
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"{address}/text: cannot be fetched"):
            fetch(f"{address}/text", cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_kept(server: Server) -> None:
    for _ in range(2):
        assert fetch(f"{server.address}/moved") == "text é"
    assert server.asked == ["/moved", "/text"] * 2


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("/missing", CatalogError, r"/missing: must answer with a success, got 404 Not Found"),
        ("/large", CatalogError, r"/large: must be at most 2,000 bytes"),
        ("/bomb", CatalogError, r"/bomb: must be at most 2,000 bytes"),
        ("/slow", ConnectionError, r"/slow: must answer within 0.3 seconds"),
        ("/away", ConnectionError, r"/away: cannot be fetched"),
    ],
)
def test_what_a_server_may_not_do(
    tmp_path: Path, server: Server, path: str, error: type[Exception], message: str
) -> None:
    seconds = 0.3 if path == "/slow" else 60
    with pytest.raises(error, match=message):
        fetch(server.address + path, cache_dir=tmp_path, max_bytes=2000, timeout_seconds=seconds)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location", ["ftp://example.org/a", "file:///etc/hostname"])
def test_other_addresses_are_refused(location: str) -> None:
    with pytest.raises(CatalogError, match="must begin with http"):
        fetch(location)


def test_a_path_is_no_address() -> None:
    assert not is_url(Path("http://a"))
    assert not is_url("a b://c")
    assert is_url("HTTPS://example.org")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConnectionError, match="cannot be fetched"):
        fetch("http://[/")


def test_a_description_is_read_over_http(tmp_path: Path, server: Server) -> None:
    catalog = read_openapi(f"{server.address}/openapi.yaml", cache_dir=tmp_path)
    assert catalog.name == "openapi.yaml"
    assert [operation.api_call for operation in catalog] == ["GET /users"]
