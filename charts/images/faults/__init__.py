"""Planted defects of the reference servers, kept apart from the serving code."""
