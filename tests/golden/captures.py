"""Captures as they are kept: plain, or as NAME.gz where that is much smaller. Tests name them without the .gz."""
import gzip
import os


def find(folder, name):
    """The path of a capture, in whichever of the two forms it is kept; the plain one's when there is none."""
    path = os.path.join(folder, name)
    kept = [p for p in (path, path + ".gz") if os.path.exists(p)]
    if len(kept) > 1:
        raise ValueError(f"{path} is kept twice, plain and gzipped")
    return kept[0] if kept else path


def name_of(path):
    """The name that tests know a capture by."""
    return os.path.basename(path).removesuffix(".gz")


def data(path):
    """The bytes of the capture itself."""
    with open(path, "rb") as f:
        raw = f.read()
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
