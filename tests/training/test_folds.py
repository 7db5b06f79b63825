"""Parts of the real prompts: whole families, of like size, and the same for ever."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import Catalog
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.training.folds import (
    _KIN,
    N_FOLDS,
    N_PARTS,
    NO_PART,
    committed_parts,
    operation_groups,
    service_families,
    share_out_services,
)

NAMES = st.text(alphabet="abc", min_size=1, max_size=5)


@pytest.fixture(scope="module")
def whole(all_of_aws: Catalog) -> Catalog:
    return all_of_aws


@pytest.fixture(scope="module")
def every_prompt(whole: Catalog) -> list[Query]:
    return read_awscli_examples(whole)


def test_the_committed_parts_are_those_of_the_installed_packages(
    whole: Catalog, every_prompt: list[Query]
) -> None:
    computed = share_out_services(whole.services, [query.source for query in every_prompt])
    assert committed_parts() == computed


def test_known_families_are_whole(whole: Catalog) -> None:
    families, parts = service_families(whole.services), committed_parts()
    for family in (
        ("elb", "elbv2"), ("rds", "docdb", "neptune"), ("iot", "iotevents", "iotwireless"),
        ("s3", "s3control"), ("ses", "sesv2"), ("lex-models", "lexv2-models"),
        ("route53", "route53domains"), ("apigateway", "apigatewayv2"), ("wafv2", "waf"),
        ("kinesis", "firehose", "kinesisanalytics"), ("es", "opensearch"),
    ):  # fmt: skip
        assert len({families[service] for service in family}) == 1, family
        assert len({parts[service] for service in family}) == 1, family
    assert families["sqs"] != families["sns"]
    assert len(set(families.values())) > 200


def test_kin_are_services_that_there_are(whole: Catalog) -> None:
    named = [service for kin in _KIN for service in kin]
    assert not set(named) - set(whole.services)
    assert len(named) == len(set(named))


def test_no_family_is_in_two_parts_and_parts_are_of_like_size(
    whole: Catalog, every_prompt: list[Query]
) -> None:
    parts, families = committed_parts(), service_families(whole.services)
    assert set(parts) == set(whole.services)
    assert set(parts.values()) == {NO_PART, *range(N_PARTS)}
    assert N_PARTS == 2 * N_FOLDS
    part_of_family: dict[str, set[int]] = {}
    for service, part in parts.items():
        part_of_family.setdefault(families[service], set()).add(part)
    assert {len(found) for found in part_of_family.values()} == {1}
    asked = Counter(query.source for query in every_prompt)
    assert {service for service in asked if parts[service] == NO_PART} == set()
    load: Counter[int] = Counter()
    for service, n in asked.items():
        load[parts[service]] += n
    # One family (ec2's) is larger than a tenth and has a part of its own; the others are alike.
    largest = Counter(families[query.source] for query in every_prompt).most_common(1)[0]
    sizes = sorted(load.values())
    assert sizes[-1] == largest[1]
    assert sizes[-2] - sizes[0] <= 0.01 * len(every_prompt) / N_PARTS


def test_no_title_is_in_two_parts_but_some_have_answers_in_two(
    whole: Catalog, every_prompt: list[Query]
) -> None:
    """A title that stands at several operations is asked where the first of them is.

    So its other answers may lie in other parts: four prompts in a hundred (94 titles).
    """
    parts = committed_parts()
    part_of_title: dict[str, set[int]] = {}
    crossing = set()
    n_crossing = 0
    for query in every_prompt:
        title = query.prompt.lower()
        part_of_title.setdefault(title, set()).add(parts[whole[query.relevant[0]].service])
        if len({parts[whole[name].service] for name in query.relevant}) > 1:
            crossing.add(title)
            n_crossing += 1
    assert {len(found) for found in part_of_title.values()} == {1}
    assert len(crossing) == 94
    assert n_crossing / len(every_prompt) < 0.041


@given(st.sets(NAMES, min_size=1, max_size=12))
def test_families_are_the_chains_of_names_that_begin_alike(names: set[str]) -> None:
    families = service_families(names)
    # Plainly: who begins with whom, followed as far as it goes.
    kin = {
        name: {other for other in names if _begins(name, other) or _begins(other, name)} | {name}
        for name in names
    }
    for _ in names:
        kin = {name: set().union(*(kin[other] for other in own)) for name, own in kin.items()}
    for name in names:
        assert {other for other in names if families[other] == families[name]} == kin[name]
        assert families[name] == min(kin[name])


def _begins(short: str, long: str) -> bool:
    return len(short) >= 3 and long.startswith(short)


def test_kin_stay_kin_where_some_are_missing() -> None:
    families = service_families(["neptune", "rds", "sqs"])
    assert families == {"neptune": "neptune", "rds": "neptune", "sqs": "sqs"}


@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=30),
)
def test_sharing_out_keeps_the_largest_surplus_within_one_family(sizes: list[int]) -> None:
    names = [f"{chr(97 + i % 26)}{i}" for i in range(len(sizes))]
    asked = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
    parts = share_out_services(names, asked)
    families = service_families(names)
    counts = Counter(families[name] for name in asked)
    assert list(parts) == sorted(names)
    load = [0] * N_PARTS
    for name, size in zip(names, sizes, strict=True):
        assert (parts[name] == NO_PART) == (counts[families[name]] == 0)
        if size:
            load[parts[name]] += size
    if asked:
        assert max(load) - min(load) <= max(counts.values())


@given(
    st.lists(
        st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3, unique=True),
        min_size=1,
        max_size=12,
    )
)
def test_operations_that_share_a_prompt_are_of_one_group(answers: list[list[str]]) -> None:
    queries = [
        Query(query_id=str(i), prompt="x", relevant=tuple(sorted(own)))
        for i, own in enumerate(answers)
    ]
    groups = operation_groups(queries)
    reach = [set(own) for own in answers]
    for _ in answers:
        reach = [set().union(*(other for other in reach if one & other)) for one in reach]
    for i, one in enumerate(reach):
        for j, other in enumerate(reach):
            assert (groups[i] == groups[j]) == bool(one & other)
