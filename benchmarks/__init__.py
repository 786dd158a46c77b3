"""How fast Phoenix is, measured against the least that the same questions can cost: `make bench`."""
