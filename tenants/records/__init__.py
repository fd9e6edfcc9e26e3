"""Facilities, patients and what happens in their care, in the terms of OpenMRS, versioned."""
