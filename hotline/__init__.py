"""The wiring: what starts, what follows what, and the commands. No rules live here."""
