"""Passes: functions from programs to equivalent programs. Start reading at `simplify.py`."""
