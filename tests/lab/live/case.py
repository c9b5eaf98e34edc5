"""What a live case is: real software, its own log, and how the store and tshark say the same."""
import collections
import os

table = {}


def live(name, software):
    """A case is a function of the lab that returns what it found, as Found."""
    def keep(fn):
        table[name] = (fn, software, fn.__doc__.split("\n")[0])
        return fn
    return keep


class Found:
    """log: what the servers wrote, one entry for each thing they did. kept: the same of the store, by a query.
    times: which of measure.TIMES are compared with tshark's."""

    def __init__(self, log, kept, times="", keylog=None):
        self.log, self.kept, self.times, self.keylog = collections.Counter(log), kept, times, keylog


def path(lab, name):
    return os.path.join(lab.work, f"{name}.{lab.name}")


def lines(file):
    with open(file, errors="replace") as f:
        return f.read().splitlines()


def child_log(lab, program, log="log"):
    """What a process of lab.spawn() printed."""
    return lines(os.path.join(lab.work, f"{lab.name}.{program}.{log}"))
