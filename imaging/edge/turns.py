"""Short turns on the processor for who waits for the disk and the network all the time.

Linux lets a thread that was woken wait until the turn of whoever runs is over, 3 to 4 ms, even behind work of the lowest priority; an
instance is half a dozen such waits. A thread that asks for turns of 0.1 ms is let in at once (kernels from 6.12 on; `sched_runtime` of
SCHED_OTHER, sched_setattr(2)). It needs no privilege and gives no more of the processor, only sooner. Elsewhere nothing changes.
"""

import ctypes
import os
import struct
import sys

NANOSECONDS = 100_000
_NUMBERS = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
_ATTRIBUTES = struct.Struct("=IIQiIQQQII")  # struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period, clamps


def be_short() -> bool:
    """Ask it for the calling thread, keeping its niceness; whether the kernel took it. A policy that somebody chose stays."""
    number = _NUMBERS.get(os.uname().machine) if sys.platform == "linux" else None
    if number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    asked = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, NANOSECONDS, 0, 0, 0, 0)
    return bool(ctypes.CDLL(None, use_errno=True).syscall(number, 0, asked, 0) == 0)
