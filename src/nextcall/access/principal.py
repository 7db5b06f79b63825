"""Who asks, and why somebody is not believed."""

from dataclasses import dataclass

from nextcall.access.permissions import role_allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a verified credential belongs to."""

    name: str
    """Of the user; of a key without one ``key:`` and its id."""
    role: str
    key_id: str | None = None
    tier: str | None = None
    rate_limit_multiplier: float = 1.0

    def may(self, permission: str) -> bool:
        """Tell whether its role grants a permission."""
        return role_allows(self.role, permission)


class CredentialError(Exception):
    """A credential that is not believed (status 401).

    Attributes
    ----------
    reason : str
        One word for logs: ``malformed``, ``unknown``, ``revoked``, ``expired``, ``audience`` ...
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the credential is not valid: {reason}.")
        self.reason = reason


class CredentialsUnavailableError(Exception):
    """What is revoked cannot be known now, so nobody is believed (status 503)."""
