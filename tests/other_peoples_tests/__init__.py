"""Runs tests that other people wrote against diffeo: see README.md."""
