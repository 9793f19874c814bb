"""Trees of arrays, and functions of them. Start reading at `tree.py`; README.md in this folder has
a glossary, and says how the files depend on one another.
"""
