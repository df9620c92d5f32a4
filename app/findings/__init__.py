"""Findings, actions and accepted residual risk."""
