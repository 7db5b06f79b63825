"""Users that an A/B test and an interleaved test need to tell two rankers apart, in simulation.

No user is real. A query has 20 candidates, 2 of grade 2 and 4 of grade 1; a ranker orders them by
grade plus normal noise, of which the better ranker has a little less, and shows ten. A share of
the noise's variance is common to both rankers: 0.5 for rankers that have little in common, 0.9 for
kin. Users either read on whatever they found (a position-biased model) or leave after what
satisfied them (a cascade, as in arXiv:2306.10023), come equally often or not (6 sessions in the
mean, a lognormal rate), and differ in how gladly they click (a lognormal factor on the chance) or
not, the latter as if CUPED had taken out all that differs between users.

Users for a power of 0.8 at a two-sided 0.05 follow from the mean and variance, over a large
simulated population, of what each test looks at. The best of the A/B metrics counts, chosen with
the truth in hand, against one credit that was fixed before (averaged over drafts, all lists
alike). A ratio's 95 % interval is the jackknife's over batches of users, on the log scale. Trials
of exactly so many users, with the library's tests, check that the power is there, and that equal
rankers are told apart at the level only. Prints JSON, or writes it to ``--output``.
"""

import os
from collections.abc import Mapping
from functools import reduce
from operator import add

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the libraries load
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.abtest.click_models import Cascade, ClickModel, PositionBiased, draw_sessions
from nextcall.abtest.duels import Duel, DuelMoments, simulate_duel
from nextcall.abtest.effect import difference, effect_of

GRADES = np.repeat([2, 1, 0], [2, 4, 14])
SHOWN = 10
SESSIONS = 6.0
SPREAD = 1.5  # of the log of the rate of sessions, where activity is unequal
NOISE = (0.8, 0.7)
ATTRACTION = (0.04, 0.25, 0.6)
USERS: dict[str, ClickModel] = {
    "reads_on": PositionBiased(attraction=ATTRACTION, decay=0.7),
    "leaves_when_satisfied": Cascade(
        attraction=ATTRACTION, satisfaction=(0.05, 0.4, 0.9), patience=0.9
    ),
}
CREDIT = "marginal"


def draw_duel(
    model: ClickModel,
    *,
    users: int,
    spread: float,
    appetite: float,
    shared: float,
    noise: tuple[float, float],
    rng: np.random.Generator,
) -> Duel:
    """Simulate a batch of users."""
    sessions = draw_sessions(users, mean=SESSIONS, spread=spread, rng=rng)
    who = np.repeat(np.arange(users), sessions)
    factor = np.exp(appetite * rng.standard_normal(users) - appetite**2 / 2)
    common = np.sqrt(shared) * rng.standard_normal((len(who), len(GRADES)))
    first, second = (
        np.argsort(
            -(GRADES + each * (common + np.sqrt(1 - shared) * rng.standard_normal(common.shape))),
            axis=1,
        )
        for each in noise
    )
    return simulate_duel(
        np.broadcast_to(GRADES, common.shape),
        first,
        second,
        who,
        model=model,
        k=SHOWN,
        rng=rng,
        appetite=factor[who],
    )


def compare(batches: list[DuelMoments]) -> tuple[str, Mapping[str, float], dict[str, list[float]]]:
    """Give the best A/B metric, the users needed, and how many times fewer interleaving needs."""
    together: DuelMoments = reduce(add, batches)
    needed = together.users_needed()
    metrics = list(together.ab_arms())
    best = min(metrics, key=needed.__getitem__)
    left_out = [
        reduce(add, batches[:place] + batches[place + 1 :]).users_needed()
        for place in range(len(batches))
    ]
    times = {}
    for name in metrics:
        middle = np.log(needed[name] / needed[CREDIT])
        others = np.log([each[name] / each[CREDIT] for each in left_out])
        se = np.sqrt((len(batches) - 1) ** 2 / len(batches) * np.var(others, ddof=1))
        times[name] = [round(float(np.exp(middle + z * se)), 2) for z in (0, -1.96, 1.96)]
    return best, needed, times


def rejects(duel: Duel, name: str, *, users: int, trials: int, rng: np.random.Generator) -> float:
    """Give the share of trials of so many users in which a test finds a difference."""
    found = 0
    for _ in range(trials):
        part = _draw(duel, users, rng).reduced()
        if name in (arms := part.credit_arms()):
            arm = arms[name]
            pvalue = effect_of(arm.estimate, arm.se, dof=arm.n - 1).pvalue
        else:
            other = _draw(duel, users // 2, rng).reduced()
            half = _draw(duel, users // 2, rng).reduced()
            pvalue = difference(half.ab_arms()[name][0], other.ab_arms()[name][1]).pvalue
        found += pvalue < 0.05
    return found / trials


def _draw(duel: Duel, users: int, rng: np.random.Generator) -> Duel:
    rows: NDArray[np.intp] = rng.integers(len(duel.sessions), size=users)
    return Duel(
        sessions=duel.sessions[rows],
        first=duel.first[rows],
        second=duel.second[rows],
        credit=duel.credit[rows],
    )


def joined(duels: list[Duel]) -> Duel:
    """Join batches of users."""
    return Duel(
        sessions=np.concatenate([each.sessions for each in duels]),
        first=np.concatenate([each.first for each in duels]),
        second=np.concatenate([each.second for each in duels]),
        credit=np.concatenate([each.credit for each in duels]),
    )


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--users", type=int, default=20_000, help="in a batch")
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--trials", type=int, default=1_000, help="of interleaving; A/B a fifth")
    arguments = parser.parse_args()
    worlds: list[dict[str, object]] = []
    for shared in (0.5, 0.9):
        for name, model in USERS.items():
            for spread in (0.0, SPREAD):
                for appetite in (0.5, 0.0):
                    rng = np.random.default_rng([arguments.seed, len(worlds)])
                    duels = [
                        draw_duel(
                            model,
                            users=arguments.users,
                            spread=spread,
                            appetite=appetite,
                            shared=shared,
                            noise=NOISE,
                            rng=rng,
                        )
                        for _ in range(arguments.batches)
                    ]
                    best, needed, times = compare([each.reduced() for each in duels])
                    pool = joined(duels)
                    users = round(needed[CREDIT])
                    equal = draw_duel(
                        model,
                        users=arguments.users,
                        spread=spread,
                        appetite=appetite,
                        shared=shared,
                        noise=(NOISE[0], NOISE[0]),
                        rng=rng,
                    )
                    # Chance made this population prefer one; without that the null is true in it.
                    lean = equal.credit.sum(axis=0) / equal.sessions.sum()
                    equal.credit[:] -= equal.sessions[:, None] * lean
                    trials = arguments.trials
                    worlds.append(
                        {
                            "users": name,
                            "activity": "unequal" if spread else "equal",
                            "appetite_spread": appetite,
                            "rankers_share": shared,
                            "users_needed": {key: round(each) for key, each in needed.items()},
                            "best_ab_metric": best,
                            "times_fewer_than_best_ab_metric": times[best],
                            "times_fewer": times,
                            "power_found_interleaving": rejects(
                                pool, CREDIT, users=users, trials=trials, rng=rng
                            ),
                            "power_found_ab": rejects(
                                pool, best, users=round(needed[best]), trials=trials // 5, rng=rng
                            ),
                            "error_of_equal_rankers": rejects(
                                equal, CREDIT, users=users, trials=trials, rng=rng
                            ),
                        }
                    )
    give(
        {
            "benchmark": "interleaving_power",
            "seed": arguments.seed,
            "users_simulated": arguments.users * arguments.batches,
            "trials": arguments.trials,
            "sessions_a_user": SESSIONS,
            "activity_spread": SPREAD,
            "noise": NOISE,
            "models": {name: repr(model) for name, model in USERS.items()},
            "worlds": worlds,
        },
        arguments.output,
    )


if __name__ == "__main__":
    main()
