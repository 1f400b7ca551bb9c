"""The DICOM transfer syntaxes that the platform takes, and which of them may lose information (NW-03). Pure."""

# No deflated syntax (a bomb) and no big endian.
TRANSFER_SYNTAXES = {
    "1.2.840.10008.1.2": False,
    "1.2.840.10008.1.2.1": False,
    "1.2.840.10008.1.2.5": False,
    "1.2.840.10008.1.2.4.57": False,
    "1.2.840.10008.1.2.4.70": False,
    "1.2.840.10008.1.2.4.80": False,
    "1.2.840.10008.1.2.4.90": False,
    "1.2.840.10008.1.2.4.50": True,
    "1.2.840.10008.1.2.4.51": True,
    "1.2.840.10008.1.2.4.81": True,
    "1.2.840.10008.1.2.4.91": True,
}
"""Accepted transfer syntaxes and whether they may lose information."""

LOSSY = tuple(syntax for syntax, may_lose in TRANSFER_SYNTAXES.items() if may_lose)
