"""Drivers that verify an escrow deposit: levels 1 (integrity, completeness), 2 (clean-room build) and 3 (smoke)."""
