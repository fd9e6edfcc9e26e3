"""Messages to patients: consent, covert templates, reminders, deliveries, and what patients answer."""
