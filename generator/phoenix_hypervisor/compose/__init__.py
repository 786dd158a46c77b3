"""What runs in Docker as a project of Compose: how it is written, started, removed and looked at."""
