"""Microseconds of all checks of one prompt: detector, personal data, content.

Ordinary prompts full of suspicious words, joined and cut to a length; each is checked several times
and its fastest turn counts, for others use the machine too. Prints JSON, or writes it to
``--output``.
"""

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from json_output import give, parser_of

from nextcall.guard.content import ContentCheck
from nextcall.guard.guard import Guard
from nextcall.guard.pii import find_pii

_PROMPTS: Final = Path(__file__).parents[1] / "tests" / "data" / "benign_prompts.txt"
_LENGTHS: Final = (50, 200, 1000)


def prompts_of(length: int, number: int) -> list[str]:
    """Ordinary prompts in a row, cut at a length; those in other scripts are left out."""
    lines = [line for line in _PROMPTS.read_text(encoding="utf-8").splitlines() if line.isascii()]
    rng = np.random.default_rng(length)
    texts = []
    for _ in range(number):
        order = rng.permutation(len(lines))
        texts.append(" ".join(lines[place] for place in order[: 1 + length // 10])[:length])
    return texts


def fastest(check: Callable[[str], object], text: str, turns: int) -> int:
    """Nanoseconds of the fastest of some turns."""
    spent = []
    for _ in range(turns):
        begin = time.perf_counter_ns()
        check(text)
        spent.append(time.perf_counter_ns() - begin)
    return min(spent)


def main() -> None:
    """Time the checks and give percentiles."""
    parser = parser_of(__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=1000, help="prompts of each length")
    parser.add_argument("--turns", type=int, default=5, help="turns of each prompt")
    options = parser.parse_args()
    guard, content = Guard(policy="observe"), ContentCheck()
    checks: dict[str, Callable[[str], object]] = {
        "detector": guard.detect,
        "personal data": find_pii,
        "content": content.judge,
    }
    result: dict[str, object] = {"machine": platform.machine(), "prompts": options.prompts}
    for length in _LENGTHS:
        texts = prompts_of(length, options.prompts)
        taken: dict[str, list[int]] = {name: [] for name in (*checks, "all")}
        for text in texts:
            spent = {name: fastest(check, text, options.turns) for name, check in checks.items()}
            for name, one in spent.items():
                taken[name].append(one)
            taken["all"].append(sum(spent.values()))
        result[f"{length} characters"] = {
            name: {
                f"p{share}_us": round(float(np.percentile(spent, share)) / 1000, 1)
                for share in (50, 95)
            }
            for name, spent in taken.items()
        }
    give(result, options.output)


if __name__ == "__main__":
    main()
