"""Which department a ticket goes to, and why."""
