"""The synthetic demonstration study: made by the platform's own write functions, marked on every page, never a real one."""
