"""`python -m phoenix_hypervisor`: the command line, where there is no `phoenix` on the PATH."""

from .cli import main

main()
