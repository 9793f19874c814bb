"""Beside jax and other libraries."""
