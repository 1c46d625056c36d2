"""Hostile bytes: what must hold whatever comes (`properties`), and where to begin looking for what breaks it."""
