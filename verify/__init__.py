"""How we know: plain pytest and testinfra, one module a kind. `pytest verify/` is the health check."""
