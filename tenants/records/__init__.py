"""Facilities, patients, visits, encounters, observations, dispensations, contacts: in the terms of OpenMRS, versioned."""
