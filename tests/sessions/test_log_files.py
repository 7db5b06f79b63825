import gzip
from pathlib import Path

import pytest

from nextcall.sessions.log_files import log_json, log_lines


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_gzipped_file_reads_as_the_plain_one(tmp_path: Path, pack: type[bytes]) -> None:
    file = tmp_path / "log"
    file.write_bytes(pack(b"one\r\n\xff two\nthree"))
    assert list(log_lines(file)) == ["one", "\N{REPLACEMENT CHARACTER} two", "three"]
    file.write_bytes(pack('\ufeff{"a": [1]}'.encode()))
    assert log_json(file) == {"a": [1]}


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    file = tmp_path / "log.gz"
    whole = gzip.compress(bytes(range(256)) * 40)
    for damaged in (whole[:-20], whole[:60] + b"\0" * 20 + whole[80:], whole[:-8] + b"\0" * 8):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"log.gz: must be a whole gzip file"):
            list(log_lines(file))


def test_what_is_no_json_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "log.json"
    file.write_text('{"a":\n\n oops}')
    with pytest.raises(ValueError, match=r"log.json:3: must be JSON"):
        log_json(file)
    file.write_bytes(b'{"a":\n"\xff"}')
    with pytest.raises(ValueError, match=r"log.json:2: must be UTF-8"):
        log_json(file)
