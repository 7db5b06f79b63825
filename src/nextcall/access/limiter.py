"""The limits of a request: policy, load and store put together."""

from typing import Final

from nextcall.access.load_factor import LoadFactor
from nextcall.access.rate_decision import UNLIMITED_DECISION, Decision, RateStore
from nextcall.access.rate_rules import RatePolicy, RateRule

_MOST_RULES: Final = 10_000


class Limiter:
    """Lets requests through as a policy says.

    Parameters
    ----------
    store : RateStore
        `MemoryRates` of one process, `RedisRates` of many, or `FallbackRates` of both.
    policy : RatePolicy
    load : LoadFactor, optional
        Makes limits stricter under load; nothing does where it is not given.

    Examples
    --------
    >>> from nextcall.access.memory_rates import MemoryRates
    >>> limiter = Limiter(MemoryRates())
    >>> decision = limiter.take("someone", endpoint="/predict", tier="free")
    >>> decision.allowed, [(state.name, state.remaining) for state in decision.windows]
    (True, [('minute', 5), ('hour', 99), ('day', 999)])
    """

    def __init__(
        self, store: RateStore, *, policy: RatePolicy | None = None, load: LoadFactor | None = None
    ) -> None:
        self._store, self._load = store, load
        self._policy = RatePolicy() if policy is None else policy
        self._rules: dict[tuple[str, str | None, float, float], RateRule | None] = {}

    def take(
        self,
        identifier: str,
        *,
        endpoint: str,
        tier: str | None = None,
        multiplier: float = 1.0,
        cost: int = 1,
    ) -> Decision:
        """Count a request where it may pass, and say whether it did.

        Parameters
        ----------
        identifier : str
            Of whom, such as `Identifiers` gives; the same in all workers.
        endpoint : str
            Path of the route, as it is declared.
        tier, multiplier
            Of the key; see `RatePolicy.rule`.
        cost : int
            In requests.
        """
        own = endpoint in self._policy.endpoints
        factor = 1.0 if self._load is None else self._load.factor(endpoint)
        known = (endpoint if own else "", tier, multiplier, factor)
        try:
            rule = self._rules[known]
        except KeyError:
            rule = self._policy.rule(endpoint, tier=tier, multiplier=multiplier, factor=factor)
            if len(self._rules) >= _MOST_RULES:
                self._rules.clear()
            self._rules[known] = rule
        if rule is None:
            return UNLIMITED_DECISION
        counted = f"{identifier}|{endpoint}" if own else identifier
        return self._store.take(counted, rule, cost=cost)
