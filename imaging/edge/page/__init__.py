"""The edge's own page, for people inside the hospital: what waits, the operating list, who is who. Names are visible here."""
