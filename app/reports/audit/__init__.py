"""The audit log for people and programs: searched, by object, exported, and whether it is unbroken."""
