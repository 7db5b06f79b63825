"""Why a test cannot do what is asked; for whoever answers a caller."""


class UnknownTrialError(LookupError):
    """There is no test of this id."""


class RefusedError(ValueError):
    """The test stands against what is asked; asked again, the answer is the same."""


class StatusError(RefusedError):
    """A test in this status does not do it: one that was stopped takes no records."""


class StaleError(RefusedError):
    """The test has changed since the caller saw it."""


class WrongVariantError(RefusedError):
    """The unit sees another variant."""


class EventConflictError(RefusedError):
    """The event was recorded already, with another value."""
