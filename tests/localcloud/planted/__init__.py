"""Servers that are spoilt by chance, to see whether every way of checking them comes to the same verdicts.

user_data.sh makes a server, `specs` say what it is then, `draw` chooses faults, `ways` are ways of checking, and `verdicts` is
what they found, by the same names. test_equal_verdicts.py puts it together.
"""
