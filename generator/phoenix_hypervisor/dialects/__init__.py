"""Readers and writers of the host's own formats. Pure: text in, values out, and back.

Readers are cached by their text: every check of a host reads the same answers.
"""
