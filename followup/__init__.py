"""What the hotline does after the answer, and before: acknowledgements, callbacks, revisits, reminders."""
