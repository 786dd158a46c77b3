"""Converging: what the failing checks found becomes a plan, and the plan is run."""
