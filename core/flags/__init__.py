"""Feature flags: what is switched on, for whom, without a new release.

``is_on(FLAG, Subject(tenant))`` and ``variant_of(FLAG, Subject(tenant))`` ask; a feature declares its flags.
``README.md`` in this folder says what is promised.
"""

from core.flags.asking import Subject, is_on, variant_of
from core.flags.declaration import Flag, flags

__all__ = ["Flag", "Subject", "flags", "is_on", "variant_of"]
