"""Compiled programs on disk: their keys, files and folders."""
