"""Devices and what is on them: plugins, buffers, placement."""
