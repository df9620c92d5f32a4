"""Tabletop exercises."""
