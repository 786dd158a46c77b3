"""What people do with named guests by hand: look, start, stop, take a snapshot. No plan, no loop."""
