"""The playbook format, its loader and its versions."""
