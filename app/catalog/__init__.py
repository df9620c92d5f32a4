"""Services, suppliers, contracts, objects, sites and environments."""
