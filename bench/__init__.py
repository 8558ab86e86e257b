"""What the hotline costs: measurements through its real doors. `python -m bench --help`; not shipped."""
