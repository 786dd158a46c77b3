"""The firewall as one model: what is served, by whom, for whom, and the rules that follow. Pure."""
