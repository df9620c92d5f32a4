"""People, roles, tokens and sessions, and the one place that says who may do what."""
