"""Real servers on loopback to practise on."""
