"""Special functions of each element; start with special.py."""
