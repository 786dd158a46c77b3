"""Adoption: what is on a living node, said in the files of a site."""
