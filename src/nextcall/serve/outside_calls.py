"""Every call of the service that leaves its process: how long it may take, and what without it."""

from typing import Final

from nextcall.resilience.outside import OutsideCall

OUTSIDE_CALLS: Final = (
    OutsideCall(
        name="Redis, limits",
        purpose="rate limits that workers share",
        seconds=0.25,
        fallback="limits in the memory of each worker; it is asked again after a second",
    ),
    OutsideCall(
        name="Redis, answers",
        purpose="answers that another worker made",
        seconds=0.25,
        fallback="the memory of each worker; it is asked again after a second",
    ),
    OutsideCall(
        name="other workers",
        purpose="a prediction that another worker showed, when feedback comes",
        seconds=1.0,
        fallback="404, as of a prediction that is too old",
    ),
    OutsideCall(
        name="database, keys",
        purpose="what changed of keys, users and revocations",
        seconds=5.0,
        fallback="what was known, for ten seconds; then nobody is believed (503)",
    ),
    OutsideCall(
        name="database, what is kept",
        purpose="A/B tests, feedback, the audit log",
        seconds=5.0,
        fallback="503; nothing is acknowledged that is not kept",
    ),
    OutsideCall(
        name="OpenID provider",
        purpose="public keys of an outside issuer",
        seconds=5.0,
        fallback="the keys that were read last, for a day",
    ),
    OutsideCall(
        name="trace collector",
        purpose="takes spans, in a thread of its own",
        seconds=5.0,
        fallback="the spans are lost",
    ),
)
"""None is tried again while a request waits: who asked may do so."""
