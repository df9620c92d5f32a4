"""Drivers that verify backups by restoring them into a throwaway server and looking at what is in it."""
