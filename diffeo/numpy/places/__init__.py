"""Elements at positions: reading (indexing.py), writing (updates.py, writing.py), choosing.

layout.py says what an index addresses; indexing.py and updates.py work from that.
"""
