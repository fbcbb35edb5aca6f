"""Work that goes wrong in every way, for the tests of `workers` and `cluster`."""

import os
import signal
import time

from data_prep.decode import Unusable


def work(task):
    kind, value = task
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "hang":
        time.sleep(60)
    if kind == "unusable":
        raise Unusable("broken: on purpose")
    if kind == "fill":
        return len(bytearray(4 << 30))
    if kind == "fault":
        raise KeyError("a fault of ours")
    return value * value


def slow_square(value):
    time.sleep(0.02)
    return value * value
