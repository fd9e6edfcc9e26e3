"""Benchmark of storing a name, compared with the bare cipher: the patient's key, the bound context, the vault."""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.measure import Ratio, compare
from core import privacy
from core.database import tenant_session
from core.tenancy import create_tenant

_PATIENTS = 200


def run() -> Iterator[Ratio]:
    """Compare on a new tenant."""
    tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
    patients = [uuid.uuid4() for _ in range(_PATIENTS)]
    ciphers = [AESGCM(AESGCM.generate_key(256)) for _ in patients]
    with tenant_session(tenant, actor="cli:benchmark") as session:
        vault = privacy.vault(session)
        vault.ensure_patient_keys(patients)

        def ours() -> None:
            for patient in patients:
                vault.encrypt(patient, "patients", "given_name_enc", patient, "Givenname")

        def bare() -> None:
            for patient, cipher in zip(patients, ciphers, strict=True):
                cipher.encrypt(os.urandom(12), b"Givenname", patient.bytes)

        yield compare(f"{_PATIENTS} names encrypted by the vault, over the bare cipher", ours, bare, calls=1)
