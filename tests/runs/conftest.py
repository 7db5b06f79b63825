"""A small project with a real notebook, run once; tests that change something take a copy."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from nextcall.runs.experiment import load_experiment
from nextcall.runs.run import RunResult, run_experiment

T = TypeVar("T")

NOTEBOOK = """\
# %% [markdown]
# # How many are there?
#
# We count **what is there**; see [a page](https://example.org/counting).

# %% tags=["parameters"]
seed: int = 0
out: str = "."
count: int = 3
rate: float = 0.5
mode: str = "good"

# %% [markdown]
# ## Counting
#
# | kind | note |
# | --- | --- |
# | a | `first` |

# %%
import json
import os
import sys
from pathlib import Path

from ipykernel.connect import get_connection_info

print(f"counted in {out}, {Path(out).resolve()}, from {Path.cwd()}")
print("a quiet warning", file=sys.stderr)

# %% [markdown]
# ### Counting

# %%
# what may go wrong
if mode == "raise":
    raise RuntimeError("the counter is broken")
if mode == "die":
    os._exit(3)

# %%
result = {"count": count, "seed": seed}
result |= {"rate": rate, "rate.low": rate - 0.1, "rate.high": rate + 0.1}
result |= {"all.ours.rate": rate, "all.theirs.rate": rate / 2}
result["passive"] = int(os.environ["OMP_WAIT_POLICY"] == "PASSIVE")
result["portless"] = int(get_connection_info(unpack=True)["transport"] == "ipc")
if mode == "nan":
    result["count"] = float("nan")
if mode != "nothing":
    Path(out, "result.json").write_text(json.dumps(result))
Path(out, "picture.png").write_bytes(b"no picture, but a file")
Path(out, "python.txt").write_text(sys.executable)

# %%
"""

EXPERIMENT = """\
notebook: notebooks/counting.py
question: How many are
  there?
parameters: {count: 5}
smoke: {count: 1}
data: [data/things.csv, data/folder]
figures: {count: Things, rate: Share that counts}
table:
  metric: rate
  systems: {ours: Our way, theirs: Their way}
  sets: {all: All things}
  caption: Share that counts.
  picture: picture.png
  alt: The share.
"""


def write_project(root: Path) -> Path:
    """Write the project's sources; return the experiment's file."""
    for name, text in {
        "notebooks/counting.py": NOTEBOOK,
        "experiments/counting.yaml": EXPERIMENT,
        "data/things.csv": "a,b\n",
        "data/folder/one.txt": "1",
        "README.md": "# Count\n\n<!-- results:begin -->\nold\n<!-- results:end -->\n\nThe end.\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "experiments" / "counting.yaml"


class Ticks:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.seen = 0
        self.ended = False

    def __call__(
        self,
        iterable: Iterable[T],
        *,
        description: str,  # noqa: ARG002  # the protocol's argument
        total: int | None = None,
    ) -> Iterable[T]:
        self.total = total
        for item in iterable:
            self.seen += 1
            yield item
        self.ended = True


@pytest.fixture(scope="session")
def ticks() -> Ticks:
    """Give the progress of the one run."""
    return Ticks()


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory, ticks: Ticks) -> RunResult:
    """Run the notebook once, for real. Read only."""
    root = tmp_path_factory.mktemp("project")
    experiment = load_experiment(write_project(root))
    # A kernel of the same name that someone installed and that does not work.
    spec = tmp_path_factory.mktemp("jupyter") / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text('{"argv": ["false"], "display_name": "Python 3", "language": "python"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(spec.parents[2]))
        return run_experiment(
            experiment, output=root / "reports", overrides={"seed": 7}, progress=ticks
        )


@pytest.fixture
def project(tmp_path: Path, done: RunResult) -> Path:
    """Copy the project with its report."""
    root = tmp_path / "project"
    shutil.copytree(done.folder.parent.parent, root)
    return root
