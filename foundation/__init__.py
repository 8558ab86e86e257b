"""What every room stands on: settings, database, clock, ids, work, calendars, audit, security, texts."""
