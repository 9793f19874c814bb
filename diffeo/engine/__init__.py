"""The engine: what runs programs, in eager mode and compiled. Start reading at `evaluation.py`,
then `jitted.py`.
"""
