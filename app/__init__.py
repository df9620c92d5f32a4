"""Wissel: the web service, the clock and the worker that plan, run and record drills."""

import gc

# A start makes some hundred thousand objects that stay for good: looking for rubbish among them takes a tenth of it.
gc.set_threshold(50_000, 20, 100)
