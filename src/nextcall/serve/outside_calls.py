"""Every call of the service that leaves its process: how long it may take, and what without it."""

from typing import Final

from nextcall.resilience.outside_call import OutsideCall

DATABASE: Final = OutsideCall(
    name="database",
    purpose="A/B tests, feedback, jobs, the audit log",
    seconds=5.0,
    fallback="503; nothing is acknowledged that is not kept",
    open_seconds=1.0,  # who asks for keys needs it back within their ten seconds
)

PROVIDER: Final = OutsideCall(
    name="OpenID provider",
    purpose="public keys of an outside issuer",
    seconds=2.0,
    tries=2,
    first_wait=0.25,
    longest_wait=0.5,
    fallback="the keys that were read last, for a day",
    open_seconds=60.0,
)

LANGUAGE_MODELS: Final = OutsideCall(
    name="language models",
    purpose="which calls to propose, with which arguments, for `/api/run`",
    seconds=20.0,
    fallback="the next model of the tier; after the last, the ranker's first operations",
)

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
        name=DATABASE.name,
        purpose="what changed of keys, users and revocations",
        seconds=DATABASE.seconds,
        fallback="what was known, for ten seconds; then nobody is believed (503)",
        open_seconds=DATABASE.open_seconds,
    ),
    DATABASE,
    OutsideCall(
        name=DATABASE.name,
        purpose="how many A/B tests run, for `/health`",
        seconds=1.0,
        fallback="`unreachable`",
        open_seconds=DATABASE.open_seconds,
    ),
    PROVIDER,
    OutsideCall(
        name=DATABASE.name,
        purpose="what language models may cost, and did",
        seconds=DATABASE.seconds,
        fallback="no model is asked; an answer that came is given all the same",
        open_seconds=DATABASE.open_seconds,
    ),
    LANGUAGE_MODELS,
    OutsideCall(
        name="trace collector",
        purpose="takes spans, in a thread of its own",
        seconds=5.0,
        fallback="the spans are lost",
    ),
)
"""In the order of a request. Only the provider of keys is asked twice while a request waits: others
may be asked again by who asked.

Before the database, the provider and each provider of language models stands a breaker. Redis,
which each request may ask, has a way of its own: the first failure and not the fifth is enough, for
memory answers as well, and who does not ask it pays one look at a variable.
"""
