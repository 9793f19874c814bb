"""Sparse derivatives: which entries may be nonzero, and how few products find them all."""
