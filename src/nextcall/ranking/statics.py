"""Facts of the operations of a catalogue that no query changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.catalog.actions import ACTIONS, verb_action
from nextcall.catalog.text import singular
from nextcall.ranking.lexicon import stem


@dataclass(frozen=True, slots=True)
class Statics:
    """Facts of every operation, each an array of shape (n_operations,)."""

    action: NDArray[np.int8]
    service: NDArray[np.int32]
    resource: NDArray[np.int32]
    verb: NDArray[np.int32]
    plural: NDArray[np.float32]
    n_parameters: NDArray[np.float32]
    n_required: NDArray[np.float32]
    n_words: NDArray[np.float32]
    description_length: NDArray[np.float32]
    deprecated: NDArray[np.float32]

    @classmethod
    def of(cls, catalog: Catalog, vocabulary: Mapping[str, int]) -> Self:
        """Read them off a catalogue.

        Parameters
        ----------
        vocabulary : mapping of str to int
            Id of each known term.
        """
        services = {name: code for code, name in enumerate(catalog.services)}
        resources = {name: code for code, name in enumerate(sorted({o.resource for o in catalog}))}
        verbs = [next((w for w in o.words[:3] if verb_action(w)), "") for o in catalog]

        def floats(values: Sequence[float]) -> NDArray[np.float32]:
            return np.array(values, dtype=np.float32)

        return cls(
            action=np.array([ACTIONS.index(o.action) for o in catalog], dtype=np.int8),
            service=np.array([services[o.service] for o in catalog], dtype=np.int32),
            resource=np.array([resources[o.resource] for o in catalog], dtype=np.int32),
            verb=np.array([vocabulary.get(stem(verb), -2) for verb in verbs], dtype=np.int32),
            plural=floats(
                [1.0 if o.words and singular(o.words[-1]) != o.words[-1] else 0.0 for o in catalog]
            ),
            n_parameters=floats([len(o.parameters) for o in catalog]),
            n_required=floats([sum(p.required for p in o.parameters) for o in catalog]),
            n_words=floats([len(o.words) for o in catalog]),
            description_length=floats([len(o.description) for o in catalog]),
            deprecated=floats(
                [
                    float(
                        "deprecated" in o.description[:300].lower()
                        or "no longer" in o.description[:300].lower()
                    )
                    for o in catalog
                ]
            ),
        )
