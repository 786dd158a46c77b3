"""The gateway in front of all services: where its routes come from, and what nginx is told of them."""
