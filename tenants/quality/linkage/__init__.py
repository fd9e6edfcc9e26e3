"""The same person twice: keyed keys of who a person is, a model of agreement, and candidates for a person to judge."""
