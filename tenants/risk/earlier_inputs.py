"""Earlier definitions of features, which the platform still computes for the models that were fitted on them.

When a definition changes, its version in ``input_list.py`` rises. The platform then rejects models of the earlier
version, unless this file still has the earlier definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from plugins.sdk import FeatureSpec
    from tenants.cohort.expected import Episodes
    from tenants.cohort.settings import CohortSettings
    from tenants.cohort.timelines import Timelines
    from tenants.risk.facility_rates import FacilityRates
    from tenants.risk.history import PendingExpectations


class Definition(Protocol):
    """Computes one column, with the arguments of ``features.compute``."""

    def __call__(
        self,
        snapshots: Timelines,
        expected_contacts: Episodes,
        pending: PendingExpectations,
        rules: CohortSettings,
        rates: FacilityRates,
    ) -> npt.NDArray[np.float64]:
        """Return the values (m,), NaN where a value is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class EarlierFeature:
    """A feature in an earlier version.

    Attributes:
        spec: name and version say which one.
        theme: the name of the theme to which its contribution counts.
        compute: the definition of that version.
    """

    spec: FeatureSpec
    theme: str
    compute: Definition


EARLIER: Final[tuple[EarlierFeature, ...]] = ()
"""The earlier features that are still computed. Their columns follow those of ``FEATURES`` in the matrix, in this
order.
"""
