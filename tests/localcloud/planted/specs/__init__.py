"""What a server that ../user_data.sh has made is; test_equal_verdicts.py copies these modules as test_*.py of a project.

One skips and some are expected to fail: these, too, are ends that every way must find alike.

They hold on every server that nobody has spoilt, and each kind of fault names one of them that must fail. None rests on how
somebody came in, such as the variables of a login.
"""
