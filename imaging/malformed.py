"""What pydicom raises for bytes that break the standard. Pure."""

import struct

MALFORMED = (AttributeError, KeyError, IndexError, ValueError, TypeError, NotImplementedError)
"""For a header; the last is pydicom's own word for a value representation that it does not know."""
DAMAGED = (*MALFORMED, OSError, EOFError, struct.error)
"""For everything behind it, which is read late and at any depth."""
