"""What `ps` and `passenger status` call this process."""

from __future__ import annotations


def set_title(title: str) -> None:
    """Overwrites the process's command line in place, so what does not fit is cut. Only on Linux; elsewhere, and where
    the kernel forbids it, the process keeps its name."""
    try:
        with open("/proc/self/stat", "rb") as file:
            # The name of the program, in parentheses, may contain anything; after it come fields 3 to 52 of proc(5).
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[48 - 3]), int(fields[49 - 3])
        room = end - start
        if room <= 0:
            return
        name = title.encode("utf-8", "surrogateescape")[: room - 1]
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(name.ljust(room, b"\0"))
    except (OSError, ValueError, IndexError):
        pass
