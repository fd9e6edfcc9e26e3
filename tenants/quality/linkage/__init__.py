"""People recorded twice: keys of names and data, a model of agreement, and candidates for a person to judge."""
