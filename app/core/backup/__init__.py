"""Backup of Wissel itself in one file, and its restore: rows, evidence, and the hash of every part."""
