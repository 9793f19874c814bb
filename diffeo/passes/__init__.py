"""Passes: functions from programs to equivalent programs. Start reading at `simplify.py`; README.md
in this folder has a glossary, and says how the files depend on one another.
"""
