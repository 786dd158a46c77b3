"""What runs did: told as events while they happen, kept as one file a run. Nothing reads it to decide."""
