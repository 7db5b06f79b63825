"""What the environment may tell of the guard."""

import pytest

from nextcall.serve.safety.guard_settings import DEFAULT_POLICIES
from nextcall.serve.settings import load_settings


def test_everything_is_checked_unless_it_is_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    switches = [name for name in type(settings).model_fields if name.startswith("guard_")]
    assert all(getattr(settings, name) for name in switches)
    assert settings.guard_policies == DEFAULT_POLICIES
    monkeypatch.setenv("NEXTCALL_GUARD_PII_ENABLED", "false")
    assert not load_settings().guard_pii_enabled


def test_policies_are_put_over_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCALL_GUARD_POLICIES", '{"/predict": "flag"}')
    assert load_settings().guard_policies == {**DEFAULT_POLICIES, "/predict": "flag"}
    given = load_settings(guard_policies={"/predict/batch": "observe"})
    assert given.guard_policies == {**DEFAULT_POLICIES, "/predict/batch": "observe"}


def test_patterns_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCALL_BLOCKED_PATTERNS", r'["project\\s+x", "tender"]')
    assert load_settings().blocked_patterns == (r"project\s+x", "tender")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("guard_enabled", "maybe", "NEXTCALL_GUARD_ENABLED: .*boolean.*, got 'maybe'"),
        ("guard_threshold", "1", "NEXTCALL_GUARD_THRESHOLD: .*less than 1, got '1'"),
        ("guard_policies", "block", "NEXTCALL_GUARD_POLICIES: .*must be JSON, an object such as"),
        ("guard_policies", "[]", "NEXTCALL_GUARD_POLICIES: .*must be an object such as"),
        ("guard_policies", '{"/train": "flag"}', r"must name routes of .*\['/train'\] are none"),
        ("guard_policies", '{"/predict": "ban"}', r"flag or block .* otherwise of \['/predict'\]"),
        ("pii_policy", "mask", "NEXTCALL_PII_POLICY: .*'redact', 'block' or 'allow', got 'mask'"),
        ("swear_words_from", "0", "NEXTCALL_SWEAR_WORDS_FROM: .*, got '0'"),
        ("content_policy", "ban", "NEXTCALL_CONTENT_POLICY: .*, got 'ban'"),
        ("blocked_patterns", "tender", "NEXTCALL_BLOCKED_PATTERNS: .*must be JSON, a list of"),
        ("blocked_patterns", "[1]", "NEXTCALL_BLOCKED_PATTERNS: .*must be a list of regular"),
        (
            "blocked_patterns",
            '["("]',
            r"NEXTCALL_BLOCKED_PATTERNS: .*blocked\[0\] must be a regular",
        ),
    ],
)
def test_a_setting_that_breaks_its_rule_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"NEXTCALL_{name.upper()}", value)
    with pytest.raises(ValueError, match=message):
        load_settings()
