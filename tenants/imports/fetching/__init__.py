"""Records that come by themselves: the files of importers, fetched on a schedule and imported."""
