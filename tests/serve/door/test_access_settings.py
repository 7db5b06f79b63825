"""What the environment may tell the front door."""

import pytest

from nextcall.access.rate_rules import Rates
from nextcall.serve.settings import load_settings

SECRET = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of the tests
OLDER = SECRET[::-1]


def test_development_limits_nothing_and_production_does() -> None:
    assert not load_settings().rate_limit_enabled
    own = load_settings(environment="production")
    assert (own.rate_limit_enabled, own.host) == (True, "0.0.0.0")  # noqa: S104  # its default
    assert load_settings(rate_limit_enabled=True).rate_limit_enabled


def test_lists_are_separated_by_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCALL_ALLOWED_ORIGINS", " https://a.example  https://b.example ")
    monkeypatch.setenv("NEXTCALL_TRUSTED_PROXIES", "10.0.0.0/8 ::1")
    settings = load_settings()
    assert settings.mode().allowed_origins == ("https://a.example", "https://b.example")
    assert [str(each) for each in settings.proxies] == ["10.0.0.0/8", "::1/128"]


def test_secrets_are_read_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (
        ("SECRET", SECRET),
        ("PREVIOUS_SECRETS", f"{OLDER}  {SECRET}"),
        ("AUDIT_SECRET", OLDER),
        ("REDIS_URL", f"redis://:{SECRET}@localhost/0"),
    ):
        monkeypatch.setenv(f"NEXTCALL_{name}", text)
    settings = load_settings(environment="production")
    mode = settings.mode()
    assert mode.secrets == (SECRET.encode(), OLDER.encode())
    assert len(settings.audit_keys()[0]) == 32
    shown = f"{settings!r} {settings} {mode!r}"
    assert SECRET not in shown
    assert OLDER not in shown
    assert load_settings(environment="development").mode().secrets == (SECRET.encode(),)


def test_without_a_secret_the_audit_log_has_no_key() -> None:
    assert load_settings().audit_keys() == (b"",)
    both = load_settings(audit_secret=SECRET, previous_audit_secrets=f"{OLDER} none").audit_keys()
    assert [len(key) for key in both] == [32, 32, 0]
    with pytest.raises(ValueError, match=r"^NEXTCALL_AUDIT_SECRET must have at least 32 bytes"):
        load_settings(audit_secret="short").audit_keys()[0]  # noqa: S106  # of the test


def test_production_needs_a_good_secret_and_named_origins() -> None:
    with pytest.raises(ValueError, match=r"^NEXTCALL_SECRET must be set in production"):
        load_settings(environment="production").mode()
    given = {"environment": "production", "secret": SECRET, "allowed_origins": "*"}
    assert load_settings(**given).mode().allowed_origins == ("*",)
    with pytest.raises(ValueError, match="must name each origin"):
        load_settings(**given, allow_credentials=True).mode()


def test_rates_are_those_that_are_told() -> None:
    policy = load_settings(
        rate_per_minute=7, rate_per_hour=8, rate_per_day=9, rate_burst=2, rate_strikes=3,
        block_seconds=4,
    ).rate_policy  # fmt: skip
    assert policy.rates == Rates(per_minute=7, per_hour=8, per_day=9)
    assert (policy.burst, policy.strikes, policy.block_seconds) == (2, 3, 4)
    assert load_settings().rate_policy.rates == Rates()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("trusted_proxies", "10.0.0.0/33", "trusted_proxies must be networks: .*10.0.0.0/33"),
        ("oidc_default_role", "root", "role must be one of .* got 'root'"),
        ("oidc_roles", '{"staff": "boss"}', "role must be one of .* got 'boss'"),
        ("rate_per_minute", "0", "NEXTCALL_RATE_PER_MINUTE: .*greater than or equal to 1"),
    ],
)
def test_what_breaks_its_rule_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"NEXTCALL_{name.upper()}", value)
    with pytest.raises(ValueError, match=message):
        load_settings()
