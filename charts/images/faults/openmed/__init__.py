"""Defects of openmed_service. Each function gets the server before it starts, and what to call when it acts."""
