"""Drivers that move users from one side to the other."""
