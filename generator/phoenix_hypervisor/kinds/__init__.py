"""The kinds: one small, pure module each. The folder is the registry."""
