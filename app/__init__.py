"""Wissel: the web service, the clock and the worker that plan, run and record drills."""
