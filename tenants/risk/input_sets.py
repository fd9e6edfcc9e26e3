"""Feature sets: the features that new models are fitted on, and the columns of the matrix that a stored model takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tenants.risk import earlier_inputs
from tenants.risk.input_list import FEATURES, THEME_OF, THEMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from plugins.sdk import FeatureSpec

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

MOST_NAMED: Final = 3
"""Features that an error names; the others are counted."""


class FeaturesMissingError(LookupError):
    """The platform does not compute features that a model takes; the text names them."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """The features that a model is fitted on, in order.

    Attributes:
        name: purpose of the set.
        version: rises with every change of the list or of a definition.
        features: each with the version of its definition.
    """

    name: str
    version: int
    features: tuple[FeatureSpec, ...]


FEATURE_SET: Final = FeatureSet("iit", 1, FEATURES)
"""The features that new models are fitted on."""


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The model's columns of the matrix.

    Attributes:
        places: indices of its columns in the matrix, in the model's order.
        members: (columns, themes), 1 where a column belongs to the theme.
    """

    places: Ints
    members: Floats

    def of(self, X: npt.NDArray[np.floating]) -> Floats:
        """The model's columns of the platform's matrix, in the model's order."""
        return np.ascontiguousarray(X[:, self.places], dtype=np.float64)

    def by_theme(self, contributions: Floats) -> Floats:
        """Contributions (n, columns) added up by theme (n, themes): the row sums stay the same."""
        return np.asarray(contributions @ self.members, dtype=np.float64)


def columns() -> tuple[FeatureSpec, ...]:
    """The columns of the matrix: the features of today, then the earlier definitions that are still registered."""
    return (*FEATURES, *(earlier.spec for earlier in earlier_inputs.EARLIER))


def select(features: Sequence[FeatureSpec]) -> Selection:
    """Find the columns of these features in the matrix.

    Raises:
        FeaturesMissingError: the platform does not compute one of them in that version.
    """
    places = {_identity(spec): place for place, spec in enumerate(columns())}
    missing = [spec for spec in features if _identity(spec) not in places]
    if missing:
        raise FeaturesMissingError(_named(missing))
    selected_places = np.array([places[_identity(spec)] for spec in features], dtype=np.int64)
    themes = [*(THEME_OF[spec.name] for spec in FEATURES), *(earlier.theme for earlier in earlier_inputs.EARLIER)]
    members = [[themes[place] == theme.name for theme in THEMES] for place in selected_places]
    return Selection(selected_places, np.array(members, dtype=np.float64).reshape(selected_places.size, len(THEMES)))


def _identity(spec: FeatureSpec) -> tuple[object, ...]:
    """The identity of a feature. Kind and categories are part of it: with other categories, codes mean other things."""
    return (spec.name, spec.version, spec.kind, spec.categories)


def _named(missing: Sequence[FeatureSpec]) -> str:
    present = {spec.name: spec.version for spec in FEATURES}
    texts = []
    for spec in missing[:MOST_NAMED]:
        version = present.get(spec.name)
        instead = "not computed any more" if version is None else f"the platform computes version {version}"
        texts.append(f"{spec.name} version {spec.version} ({instead})")
    more = len(missing) - MOST_NAMED
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")
