"""Operations on programs: calls, conditionals, loops, and reverse mode through them.

They are primitives as any (`HigherOrder` in `diffeo/primitives/families.py`). Their parameters are
programs, and every interpreter lifts such an operation by transforming its programs. README.md in
this folder has a glossary, and says where to start reading.
"""
