"""What holds for every test."""

import signal

# Jobs started in the background may have Ctrl-C ignored, and so would all that they start: tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
