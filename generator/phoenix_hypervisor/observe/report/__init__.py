"""One HTML page about a site: how everything is, what differs, what the last run did and when."""
