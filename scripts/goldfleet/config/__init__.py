"""goldfleet.toml: `settings` (what it may say), `values` (kinds of values), `complaints` (what is wrong, in a user's words),
`reading` (the file), `overrides` (the command line's say). Nothing here talks to AWS.
"""
