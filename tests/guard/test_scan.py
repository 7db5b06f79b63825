"""Lines in, as many lines out."""

import io
import json

import pytest

from nextcall.guard.guard import Guard
from nextcall.guard.scan import scan_lines, write_verdicts

_GUARD = Guard()


def test_each_line_has_its_record_in_order() -> None:
    texts = ["list orders", "<script>alert(1)</script>", "", "; rm -rf /"]
    lines = [json.dumps({"text": text, "id": 1}) for text in texts]
    records = list(scan_lines(lines, _GUARD))
    assert [one["action"] for one in records] == ["pass", "block", "pass", "block"]
    for text, record in zip(texts, records, strict=True):
        verdict = _GUARD.detect(text)
        assert record["risk_score"] == pytest.approx(verdict.risk_score, abs=1e-6)
        assert list(record["labels"]) == list(verdict.labels)
        assert [one["name"] for one in record["reasons"]] == [one.name for one in verdict.reasons]


def test_actions_are_counted_as_they_are_written() -> None:
    out = io.StringIO()
    counts = write_verdicts([{"action": "pass"}, {"action": "block"}, {"action": "pass"}], out)
    assert counts == {"block": 1, "pass": 2}
    assert [json.loads(line)["action"] for line in out.getvalue().splitlines()] == [
        "pass",
        "block",
        "pass",
    ]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("secret words", "must be a JSON object"),
        ("", "must be a JSON object"),
        ("[1]", 'must be an object with a string "text"'),
        ('{"text": 3}', 'must be an object with a string "text"'),
    ],
)
def test_a_bad_line_is_named_not_shown(line: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"^in\.jsonl:2: {rule}\.$"):
        list(scan_lines(['{"text": "a"}', line], _GUARD, name="in.jsonl"))
