"""Elements at places: reading, writing, choosing."""
