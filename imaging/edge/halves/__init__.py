"""The two halves of an edge, each a process of its own: one receives into the spool, the other works on what lies there.

Between them is the edge's directory and nothing else. Each half holds a lock as long as it lives: whoever looks can say which is down.
"""

RECEIVING, WORKING = "receiving", "working"
EVERY = (RECEIVING, WORKING)
DISK = "disk"
"""The lock that the receiving half holds as long as its disk took everything; kept by the kernel, so a broken disk cannot hide it."""
