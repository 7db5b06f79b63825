"""What `nextcall train --against` does at its end: the new ranker is held against another."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded when it runs
    from nextcall.ranking.index import CatalogIndex
    from nextcall.training.train import Trained


def judge_trained(
    trained: "Trained", output: Path, against: Path, *, index: "CatalogIndex", seed: int
) -> None:
    """Hold what was trained against another, tell how it did, and keep that beside it."""
    import numpy as np

    from nextcall.cli.console import note, progress
    from nextcall.locations import cache_dir
    from nextcall.training.judged import save_judged
    from nextcall.training.judging import judge
    from nextcall.training.opening import encoded_for_model

    judged = judge(
        trained.ranker,
        against,
        trained.held_out,
        learned=trained.learned,
        index=encoded_for_model(index, output, trained.card, cache=cache_dir(), progress=progress),
        cache=cache_dir(),
        rng=np.random.default_rng(seed),
        progress=progress,
    )
    save_judged(judged, output, trees=trained.ranker.digest)
    if judged.left_out:
        note(f"{judged.left_out:,} held-out queries are left out: {against} learned from them.")
    if judged.may_have_learned:
        note(f"{against} may have learned from the held-out queries, which favours it.")
    found = judged.on_same
    if found is None:
        note("Too few held-out queries are left to judge by.")
        return
    span = "" if found.ci_lower is None else f" ({found.ci_lower:+.4f} to {found.ci_upper:+.4f})"
    note(
        f"NDCG@10 {found.ndcg:.4f}, {found.difference:+.4f}{span} beside {against} on the same "
        f"{found.queries:,} queries."
    )
