"""Expected contacts, status, complete-through dates, prediction units and MER indicators."""
