"""The engine: what runs programs, in eager mode and compiled. Start reading at `evaluation.py`,
then `jitted.py`; README.md in this folder has a glossary, and says how the files depend on one
another.
"""
