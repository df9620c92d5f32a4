"""Drivers for a pair of PostgreSQL servers: measure, fence, promote, prove, and rejoin."""
