"""Fits what focus learns from rendered scenes."""
