"""Trees of arrays, and functions of them. Start reading at `tree.py`."""
