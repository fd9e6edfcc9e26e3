"""Schedules: work that features repeat for each tenant, at times in the tenant's own time zone.

A feature declares a ``Schedule``; an admin of the tenant may change its times or pause it. ``firing`` calls its
function when it is due, in the transaction that moves ``next_run``.
"""
