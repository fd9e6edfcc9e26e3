"""How often the watch over models is wrong, and how soon it is right: measured on simulated cohorts."""
