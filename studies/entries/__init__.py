"""Forms on pages and over HTTP: what is typed, kept as a draft, decided between two people, and recorded by `studies.entry`."""
