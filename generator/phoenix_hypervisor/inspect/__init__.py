"""Inspecting: the checks of verify/ run by pytest, their questions asked in few round trips."""
