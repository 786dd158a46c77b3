"""The continuous loop: look again and again, tell what changed, repair what the site allows unattended."""
