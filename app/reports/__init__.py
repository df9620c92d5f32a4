"""Read-only pages and exports for management."""
