"""Twilio's two doors, SMS and voice: one account, one signature."""
