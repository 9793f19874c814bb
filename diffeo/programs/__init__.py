"""Operations on programs: calls, conditionals, loops, and reverse mode through them.

They are primitives as any (`HigherOrder` in `diffeo/primitives/families.py`), which hold programs
and are lifted through every interpreter by the transformation of these.
"""
