"""lab-timers: run what is due. No node has this; the lab calls it when it enters one."""

import lab_timers


def main(_: list[str]) -> int:
    lab_timers.run_due()
    return 0
