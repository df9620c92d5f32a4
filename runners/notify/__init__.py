"""Drivers that tell other systems what happened."""
