"""Doors: how a contact comes in and a message goes out, whoever the provider is."""
