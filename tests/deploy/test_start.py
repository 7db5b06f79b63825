"""The image's start script: what it builds, and what it runs."""

from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

# Stands for the command, which builds for seconds: says its words, and leaves what it is told to.
NEXTCALL = """#!/bin/sh
echo "$@"
if [ "$1" = catalog ]; then mkdir -p "$(dirname "$5")" && touch "$5"; fi
"""

Start = Callable[..., "Popen[str]"]


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    command = tmp_path / "bin" / "nextcall"
    command.parent.mkdir()
    command.write_text(NEXTCALL)
    command.chmod(0o755)
    return {"PATH": f"{command.parent}:/usr/bin:/bin", "NEXTCALL_DATA_DIR": f"{tmp_path}/data"}


def said(process: "Popen[str]") -> list[str]:
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")
    return out.splitlines()


def test_the_first_start_builds_the_catalogue_and_later_ones_do_not(
    start: Start, variables: dict[str, str]
) -> None:
    built = f"catalog build aws --output {variables['NEXTCALL_DATA_DIR']}/catalogs/aws.parquet"
    asked = f"predict list what there is --catalog {built.rpartition(' ')[2]}"
    assert said(start(variables, "serve")) == [built, asked, "serve"]
    assert said(start(variables, "serve")) == ["serve"]
    assert said(start(variables)) == ["serve"]


def test_a_catalogue_of_ones_own_is_left_to_who_made_it(
    start: Start, variables: dict[str, str]
) -> None:
    own = {**variables, "NEXTCALL_CATALOG": "/data/own.parquet"}
    assert said(start(own, "serve", "--port", "1")) == ["serve --port 1"]


def test_other_verbs_are_run_as_they_stand(start: Start, variables: dict[str, str]) -> None:
    words = ["keys", "create", "a name", "--role", "user"]
    assert said(start(variables, *words)) == [" ".join(words)]
