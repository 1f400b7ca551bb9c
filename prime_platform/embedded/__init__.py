"""Real services without an installation: PostgreSQL from a wheel, and the processes of one machine."""
