"""One execution of a playbook: steps, decisions, clocks, approvals, and the engine."""
