"""Drivers that act on and look at the outside world; they know `runners.contract` and nothing of the application."""
