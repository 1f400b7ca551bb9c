"""What pydicom raises for bytes that break the standard. Pure."""

MALFORMED = (AttributeError, KeyError, IndexError, ValueError, TypeError, NotImplementedError)
"""For a header; the last is pydicom's own word for a value representation that it does not know."""
