# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How much does a ranker learn from what users say of its predictions?
#
# The packaged ranker serves a team that has words of its own. Users ask, see five operations, and
# some of them tell which one they called. After each round a ranker is adapted to that alone; half
# of the users are shown its predictions in the next round, by lot. Catalogue, titles, ranker and
# the way of the feedback through a database are real; **the users are simulated**, so that the
# truth is known.

# %% tags=["parameters"]
seed: int = 0
out: str = "../reports/feedback-loop"
services: list[str] = ["ecs", "kms", "codebuild", "codeartifact", "appconfig", "codepipeline"]
others: list[str] = ["lambda", "elbv2", "secretsmanager"]
users: int = 150
sessions: int = 450
other_sessions: int = 60
rounds: int = 5
k: int = 5
own_words: float = 0.7
goals: float = 0.1
responds: float = 0.5
slips: float = 0.05
searches: float = 0.5

# %%
# %matplotlib inline
import json
import re
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from IPython.display import Markdown

from nextcall.abtest.allocation import allocate
from nextcall.abtest.analysis import analyze
from nextcall.abtest.assignment import Assignment
from nextcall.abtest.interleaving import team_draft
from nextcall.abtest.metrics import Mean
from nextcall.abtest.users_needed import needed_users
from nextcall.catalog.aws import read_aws
from nextcall.catalog.text import singular
from nextcall.cli.console import progress
from nextcall.feedback import plots
from nextcall.feedback.accuracy import accuracy_frame, online_accuracy
from nextcall.feedback.answers import answer_queries, read_answers
from nextcall.feedback.draft import Draft
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.interleaved import interleaved_preferences
from nextcall.feedback.shown import Shown, ShownPredictions
from nextcall.guard.pii import mask_pii
from nextcall.locations import cache_dir, packaged_model
from nextcall.ranking.adaptation import AdaptedRanker
from nextcall.ranking.comparison import mean_interval, paired_difference
from nextcall.ranking.model_files import load_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.sessions.queries import next_call_queries
from nextcall.sessions.table import sessions_from_frame
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.synth.settings import SimulationSettings
from nextcall.synth.simulate import simulate
from nextcall.synth.users import UserHabits
from nextcall.training.opening import open_index
from nextcall.training.recipe import Recipe
from nextcall.training.train import train_ranker

rng = np.random.default_rng(seed)

# %% [markdown]
# ## The team and its words
#
# The services took no part in the training of the packaged ranker's trees. The team calls a share
# of their things by names that are in no catalogue: a made-up word stands for each, always the
# same. It is the truth that can be learned, beside which calls follow one another and which are
# popular. A tenth of the sessions states its goal only, in every prompt.

# %%
api = read_aws(progress=progress)
kept = [each.operation_id for each in api if each.service in {*services, *others}]
catalog = api.subset(kept, name="team")
index = open_index(catalog, cache=cache_dir(), progress=progress)
base, _ = load_ranker(packaged_model())
titles: dict[str, list[str]] = {}
for query in read_awscli_examples(catalog):
    titles.setdefault(query.relevant[0], []).append(query.prompt)
things = {singular(word) for each in catalog for word in each.words[1:] if len(word) > 3}
sounds = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
words = {
    thing: "".join(rng.choice(sounds, 3)) for thing in sorted(things) if rng.random() < own_words
}


def in_own_words(prompt: str) -> str:
    """Say a prompt as the team does."""
    return re.sub("[A-Za-z]+", lambda m: words.get(singular(m[0].lower()), m[0]), prompt)


# %% [markdown]
# ## Who asks
#
# A third of the users is held out: what they ask is never answered for. Neither is anything that is
# asked of the other services.

# %%
habits = UserHabits(users=users, activity=0.3)
settings = SimulationSettings(users=habits, session_goal=goals)
asked = []
for names, size in ((services, sessions), (others, other_sessions)):
    ids = [each.operation_id for each in catalog if each.service in names]
    part = catalog.subset(ids, name="part")
    drawn = simulate(part, rng=rng, n_sessions=size, prompts=titles, settings=settings)
    for session in sessions_from_frame(drawn.sessions):
        for query, call in zip(next_call_queries([session]), session.calls, strict=True):
            said = replace(query, prompt=in_own_words(query.prompt), time=call.time)
            asked.append((session.user_id, names is services, said))
asked.sort(key=lambda each: each[2].time)
queries = [each for _, _, each in asked]
people = np.array([user for user, _, _ in asked])
here = np.array([own for _, own, _ in asked])
held_out = rng.permutation(np.unique(people))[: max(2, users // 3)]
groups = {
    "new users": np.flatnonzero(here & np.isin(people, held_out)),
    "other services": np.flatnonzero(~here),
}
turns = np.array_split(np.flatnonzero(here & ~np.isin(people, held_out)), rounds)
vectors = index.encode_prompts([each.prompt for each in queries], progress=progress)
sizes = {**{name: len(each) for name, each in groups.items()}, "teach": sum(map(len, turns))}
pd.DataFrame([{"who": name, "questions": size} for name, size in sizes.items()]).assign(
    example=[queries[places[0]].prompt for places in (*groups.values(), turns[0])]
)

# %% [markdown]
# ## What users do
#
# Who sees the right operation calls it, but for slips: then the first that is shown. Who does not
# see it finds it elsewhere in half of the cases, else calls none. Half of all questions are
# answered for.

# %%
assignment = Assignment(
    test="feedback-loop", salt=str(seed), allocation=allocate({"base": 50, "adapted": 50})
)


def choice(shown: tuple[str, ...], right: str) -> str | None:
    """Draw which operation a user calls."""
    if right in shown:
        return shown[0] if rng.random() < slips else right
    return right if rng.random() < searches else None


def hit(ranker: CallRanker | AdaptedRanker, place: int) -> float:
    """Tell whether the right operation stands first."""
    query = queries[place]
    (first,) = ranker.rank(
        index, query.prompt, query.history, k=1, vector=vectors[place], now=query.time
    )
    return float(first.operation.operation_id == query.relevant[0])


def hits(ranker: CallRanker | AdaptedRanker) -> dict[str, list[float]]:
    """Tell the same of all that is held out."""
    return {name: [hit(ranker, i) for i in places] for name, places in groups.items()}


# %% [markdown]
# ## The loop
#
# What is shown is left in memory; what is told goes through `Feedback` into SQLite, with it. The
# adapted ranker learns from what is read back, and from nothing else; in the first round there is
# none, and all see the base.

# %%
opened = ExitStack()
folder = opened.enter_context(TemporaryDirectory())
database = opened.enter_context(Database(f"sqlite:///{folder}/feedback.db"))
migrate(database)
feedback = opened.enter_context(Feedback(database, ShownPredictions(keep=timedelta(hours=1))))
before = hits(base)
rankers, version, seen, learned = {"base": base, "adapted": base}, "base", [], []
curve = [("adapted", 0, before)]
for turn, places in enumerate(progress(turns, description="Rounds")):
    for i in places:
        query, user = queries[i], str(people[i])
        variant = assignment.assign(user).variant
        ranked = rankers[variant].rank(
            index, query.prompt, query.history, k=k, vector=vectors[i], now=query.time
        )
        shown = Shown(
            at=query.time,
            user=user,
            model_version=version if variant == "adapted" else "base",
            catalog_hash=catalog.content_hash,
            operations=tuple(each.operation.operation_id for each in ranked),
            confidences=tuple(each.confidence for each in ranked),
            history=tuple(each.operation_id for each in query.history),
            prompt=mask_pii(query.prompt).text,
            trial="feedback-loop",
            variant=variant,
        )
        feedback.shown.remember(query.query_id, shown)
        seen.append((turn, variant, shown.operations[0] == query.relevant[0]))
        if rng.random() < responds:
            chosen = choice(shown.operations, query.relevant[0])
            feedback.give(query.query_id, chosen, at=query.time, user=user)
    taught = answer_queries(read_answers(database))
    rankers["adapted"] = base.adapt(index, taught, rng=rng)
    learned.append(rankers["adapted"])
    version = f"adapted {turn + 1}"
    n = sum(each.answers for each in online_accuracy(database))
    curve.append(("adapted", n, hits(rankers["adapted"])))
curve += [("base", n, before) for _, n, _ in curve]

# %% [markdown]
# ## What is learned
#
# Questions whose answers taught nothing: of users who were never answered for, and of services that
# were never asked for. Intervals are over users.

# %%
table = pd.DataFrame(
    [
        {
            "group": name,
            "ranker": ranker,
            "answers": answers,
            "value": found.mean,
            "low": found.ci_lower,
            "high": found.ci_upper,
        }
        for ranker, answers, own in curve
        for name, values in own.items()
        for found in [mean_interval(values, groups=people[groups[name]], rng=rng)]
    ]
)
figure = plots.plot_learning(table)
figure.savefig(Path(out, "learning.png"), dpi=110)
figure

# %%
after = curve[rounds][2]
gains = {
    name: paired_difference(after[name], before[name], groups=people[places], rng=rng)
    for name, places in groups.items()
}
pd.concat([each.to_frame() for each in gains.values()], keys=gains).droplevel(1).style.format(
    "{:.3f}", subset=["mean", "baseline_mean", "difference", "ci_lower", "ci_upper"]
).format("{:.2g}", subset=["pvalue"])

# %% [markdown]
# ## Adapted, or trained anew?
#
# `nextcall feedback train` trains a ranker on the same answers, from nothing: it learns how the
# features weigh here, but keeps no prompt to compare with. It can be saved and served.

# %%
trained, _ = train_ranker(index, taught, recipe=Recipe(), seed=seed)
anew = hits(trained)
pd.DataFrame(
    {
        "base": pd.Series({name: float(np.mean(each)) for name, each in before.items()}),
        "trained anew": pd.Series({name: float(np.mean(each)) for name, each in anew.items()}),
        "adapted": pd.Series({name: float(np.mean(each)) for name, each in after.items()}),
    }
).style.format("{:.3f}")

# %% [markdown]
# ## What feedback says online
#
# By version of the model, as `nextcall feedback summary` shows it. Beside it the truth: the share
# of all questions, answered for or not, of which the right operation stood first.

# %%
online = accuracy_frame(online_accuracy(database))
shown_first = pd.DataFrame(seen, columns=["turn", "variant", "right"])
adapts = (shown_first["variant"] == "adapted") & (shown_first["turn"] > 0)
names = np.where(adapts, "adapted " + shown_first["turn"].astype(str), "base")
online["truth"] = online["model_version"].map(shown_first["right"].groupby(names).mean())
online.drop(columns=["since"]).style.format(precision=3)

# %% [markdown]
# ## Which is better? The A/B test
#
# From the second round on, by whom each user was assigned; a user has many answers, so users are
# the clusters.

# %%
second = queries[turns[1][0]].time
rows = pd.DataFrame(
    [
        {"user": each.user, "variant": each.variant, "hit@1": float(each.rank == 1)}
        for each in read_answers(database, since=second)
    ]
)
found = analyze(rows, control="base", metrics=[Mean("hit@1")], unit="user")
found

# %%
effect = found.comparisons[0].difference
truth = shown_first[shown_first["turn"] > 0].groupby("variant")["right"].mean()
Markdown(
    f"Adapted less base: **{effect.value:+.3f}** hit@1 [{effect.ci_lower:+.3f}, "
    f"{effect.ci_upper:+.3f}]; of all questions it was {truth['adapted'] - truth['base']:+.3f}. "
    f"{found.verdict.sentence}"
)

# %% [markdown]
# ## And interleaved?
#
# The same users ask the same once more, and each of them sees one list that is drafted from those
# of both rankers, as a service shows it where `NEXTCALL_INTERLEAVED` is set. It teaches nobody.
# What each way found of effect and error says how many answers it needs for a power of 0.8, with
# users as active as these.

# %%
drafts = opened.enter_context(Database(f"sqlite:///{folder}/drafts.db"))
migrate(drafts)
told = opened.enter_context(Feedback(drafts, ShownPredictions(keep=timedelta(hours=1))))
for places, adapted in zip(turns[1:], learned[:-1], strict=True):
    for i in progress(places, description="Drafts"):
        query, user = queries[i], str(people[i])
        ranked = [
            each.rank(index, query.prompt, query.history, k=k, vector=vectors[i], now=query.time)
            for each in (base, adapted)
        ]
        first, second = (tuple(each.operation.operation_id for each in one) for one in ranked)
        drafted = team_draft([first, second], k=k, rng=rng)
        shown = Shown(
            at=query.time,
            user=user,
            model_version="base",
            catalog_hash=catalog.content_hash,
            operations=drafted.items,
            confidences=(None,) * len(drafted.items),
            draft=Draft(
                challenger="adapted", lists=(first, second), teams=tuple(drafted.teams.tolist())
            ),
        )
        told.shown.remember(query.query_id, shown)
        if rng.random() < responds:
            chosen = choice(drafted.items, query.relevant[0])
            told.give(query.query_id, chosen, at=query.time, user=user)
(preference,) = interleaved_preferences(drafts)
opened.close()
preference.to_frame().drop(columns=["verdict"]).style.format(precision=3)

# %%
ways = {
    "A/B": (effect, len(rows)),
    "interleaved": (preference.preference.effect, preference.answers),
}
evidence = {name: [[one.value, one.se**2 * size]] * 2 for name, (one, size) in ways.items()}
needed = needed_users(evidence, against="A/B").set_index("test")["users"]
Markdown(
    f"{preference.verdict} It needs **{needed['interleaved']:,.0f} answers**, the A/B test "
    f"**{needed['A/B']:,.0f}**."
)

# %% [markdown]
# ## Answer

# %%
result = {"answers": float(n), "questions": float(sum(map(len, turns)))}
for name, gain in gains.items():
    key = name.replace(" ", "_")
    result |= {
        f"{key}.base": gain.baseline_mean,
        f"{key}.adapted": gain.mean,
        f"{key}.trained": float(np.mean(anew[name])),
        f"{key}.difference": gain.difference,
        f"{key}.difference.low": gain.ci_lower,
        f"{key}.difference.high": gain.ci_upper,
    }
result |= {
    "ab.difference": effect.value,
    "ab.difference.low": effect.ci_lower,
    "ab.difference.high": effect.ci_upper,
    "ab.pvalue": effect.pvalue,
    "ab.truth": float(truth["adapted"] - truth["base"]),
    "ab.adapted_wins": float(found.verdict.variant == "adapted"),
    "ab.answers_needed": needed["A/B"],
    "interleaved.answers": float(preference.answers),
    "interleaved.difference": preference.preference.effect.value,
    "interleaved.difference.low": preference.preference.effect.ci_lower,
    "interleaved.difference.high": preference.preference.effect.ci_upper,
    "interleaved.pvalue": preference.pvalue,
    "interleaved.adapted_wins": float(preference.preferred == "challenger"),
    "interleaved.answers_needed": needed["interleaved"],
}
_ = Path(out, "result.json").write_text(json.dumps(result, indent=1))
new, other = gains["new users"], gains["other services"]
Markdown(
    f"After {n:,} answers the adapted ranker puts the right operation first for "
    f"**{new.mean:.2f}** of what new users ask, the base for {new.baseline_mean:.2f}: "
    f"{new.difference:+.3f} [{new.ci_lower:+.3f}, {new.ci_upper:+.3f}]; one trained anew does for "
    f"{np.mean(anew['new users']):.2f}. Of services that nobody "
    f"told it of it learns {other.difference:+.3f} [{other.ci_lower:+.3f}, {other.ci_upper:+.3f}]."
)
