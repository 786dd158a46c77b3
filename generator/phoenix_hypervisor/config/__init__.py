"""A site's files, read into resources: loader, merge, line-exact problems, rules."""

from .find import find_folder, named
from .guests import Guest
from .site import Node, Site, load, load_settings

__all__ = ["Guest", "Node", "Site", "find_folder", "load", "load_settings", "named"]
