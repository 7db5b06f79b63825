"""How far estimators of another policy's value are off, and how often their intervals hold it.

A simulated world whose truth is known: 20 contexts, 5 actions, rewards of 0 or 1. The logging
policy is a softmax of its scores; the policy that is evaluated mixes uniform chance with another
softmax, near to or far from the logged one. The reward model is off by a fixed error in each
context and action. For each number of rows the runs give bias, root mean square error, coverage
of 95 % intervals (t; empirical Bernstein with the bound of the weights that the design gives), and
the share of runs in which overlap was warned of. Prints JSON, or writes it to ``--output``.
"""

import numpy as np
from json_output import give, parser_of

from nextcall.abtest.logged_actions import LoggedActions
from nextcall.abtest.off_policy import Method, evaluate_policy

CONTEXTS, ACTIONS = 20, 5
METHODS: tuple[Method, ...] = ("ips", "snips", "dm", "dr", "sndr", "switch_dr")
BOUNDED: tuple[Method, ...] = ("ips", "dr", "switch_dr")


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--runs", type=int, default=1_000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    rewards = rng.uniform(0.05, 0.6, size=(CONTEXTS, ACTIONS))
    model = np.clip(rewards + 0.1 * rng.standard_normal(rewards.shape), 0, 1)
    scores = rng.standard_normal((CONTEXTS, ACTIONS))
    found = []
    for distance, strength in (("near", 0.5), ("far", 2.0)):
        logging = np.exp(strength * scores)
        logging /= logging.sum(axis=1, keepdims=True)
        other = np.exp(strength * rng.standard_normal(scores.shape))
        target = 0.2 / ACTIONS + 0.8 * other / other.sum(axis=1, keepdims=True)
        bound = float((target / logging).max())
        truth = float((target * rewards).sum(axis=1).mean())
        for n in (100, 1_000, 10_000):
            runs = arguments.runs if n < 10_000 else arguments.runs // 2
            values: dict[str, list[float]] = {name: [] for name in METHODS}
            held = dict.fromkeys(METHODS, 0)
            bernstein = dict.fromkeys(BOUNDED, 0)
            warned = 0
            for _ in range(runs):
                context = rng.integers(CONTEXTS, size=n)
                cut = rng.random((n, 1)) > logging.cumsum(axis=1)[context]
                action = np.minimum(cut.sum(axis=1), ACTIONS - 1)
                log = LoggedActions(
                    action=action,
                    reward=(rng.random(n) < rewards[context, action]).astype(np.float64),
                    propensity=logging[context, action],
                    target=target[context],
                    predicted=model[context],
                )
                for name in METHODS:
                    each = evaluate_policy(log, method=name)
                    values[name].append(each.value)
                    held[name] += each.ci_lower <= truth <= each.ci_upper
                    warned += name == "ips" and bool(each.warnings)
                for name in BOUNDED:
                    each = evaluate_policy(log, method=name, bounds=(0.0, 1.0), weight_bound=bound)
                    bernstein[name] += each.ci_lower <= truth <= each.ci_upper
            found.append(
                {
                    "policy": distance,
                    "greatest_weight": round(bound, 1),
                    "truth": round(truth, 4),
                    "rows": n,
                    "runs": runs,
                    "warned": warned / runs,
                    "bias": {k: round(float(np.mean(v)) - truth, 4) for k, v in values.items()},
                    "rmse": {
                        k: round(float(np.sqrt(np.mean((np.array(v) - truth) ** 2))), 4)
                        for k, v in values.items()
                    },
                    "coverage": {k: round(v / runs, 3) for k, v in held.items()},
                    "coverage_bernstein": {k: round(v / runs, 3) for k, v in bernstein.items()},
                }
            )
    give(
        {"benchmark": "off_policy_estimators", "seed": arguments.seed, "worlds": found},
        arguments.output,
    )


if __name__ == "__main__":
    main()
