"""The room ``quality``: how good the records are, who is in them twice, and merging of those who are."""
