"""Read the file that maps counts to DHIS2, in YAML or JSON."""

from __future__ import annotations

import yaml
from pydantic import ValidationError

from core.errors import FieldError, Invalid
from tenants.imports.yamltext import load
from tenants.reports.dhis2 import Dhis2Mapping

REMEDY = "docs/reference/exports.md shows a mapping"


def read_mapping(text: bytes) -> Dhis2Mapping:
    """Return the mapping in a text.

    Raises:
        Invalid: the text is not readable, or has keys or values that do not fit.
    """
    try:
        content = load(text)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        detail = "the mapping is not readable YAML or JSON"
        raise Invalid(detail, remedy=REMEDY, errors=[FieldError("mapping", str(error)[:300], REMEDY)]) from error
    try:
        return Dhis2Mapping.model_validate(content)
    except ValidationError as error:
        wrong = [
            FieldError(".".join(("mapping", *map(str, problem["loc"]))), problem["msg"], REMEDY)
            for problem in error.errors()[:50]
        ]
        raise Invalid("the mapping does not fit", remedy=REMEDY, errors=wrong) from error
