"""A playbook planned for a plan: schedule, windows, blackouts and planned moments."""
