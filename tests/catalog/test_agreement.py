import numpy as np
import pandas as pd
import pytest

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.catalog.agreement import COLUMNS, design, evidence_frame, given_entities
from nextcall.catalog.yields import GROUPS, SIGNS


@pytest.fixture
def frame() -> pd.DataFrame:
    volume = Parameter(name="VolumeId", type="string", required=True)
    rows = (
        ("ListVolumes", ()),
        ("DeleteVolume", (volume,)),
        ("MountVolume", (volume, Parameter(name="ZoneId", type="string"))),
        ("StartAudit", ()),
        ("GetVolume", ()),
    )
    catalog = Catalog(
        "disks",
        tuple(
            describe_operation(operation_id=name, service="disks", parameters=own, source="disks")
            for name, own in rows
        ),
    )
    answers = {
        "ListVolumes": {"volume id", "zone arn", "size"},
        "DeleteVolume": {"volume id"},
        "StartAudit": {"volume name", "audit id"},
        "MountVolume": {"state"},
    }
    return evidence_frame(catalog, {name: frozenset(own) for name, own in answers.items()})


def test_guesses_stand_beside_what_is_given(frame: pd.DataFrame) -> None:
    assert tuple(frame.columns) == COLUMNS
    rows = frame.set_index(["operation_id", "entity"])
    assert rows["given"].to_dict() == {
        ("ListVolumes", "volume"): True,
        ("ListVolumes", "zone"): True,
        ("DeleteVolume", "zone"): False,  # other operations on volumes take it
        ("MountVolume", "zone"): False,
        ("StartAudit", "volume"): True,
    }, "not what was required, not where the answer is unknown, nothing that no operation takes"
    chances = rows["probability"].to_dict()
    assert chances["StartAudit", "volume"] == 0
    assert chances["ListVolumes", "volume"] > 0.5
    assert rows["needing"].to_dict()["ListVolumes", "volume"] == 2


def test_the_design_gives_back_the_probabilities(frame: pd.DataFrame) -> None:
    guessed = frame[frame["probability"] > 0]
    log_odds = design(guessed) @ np.array([*SIGNS.values(), *GROUPS.values()])
    np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), guessed["probability"])


def test_only_identifiers_are_given() -> None:
    assert given_entities(frozenset({"name", "volume size"})) == frozenset()
