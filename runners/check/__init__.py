"""Drivers that look from outside, as a user or another system would."""
