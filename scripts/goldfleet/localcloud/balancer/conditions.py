"""A rule's conditions as HAProxy's ACLs. Pure.

Wildcards are those of AWS: `*` for any number of characters, `?` for one; host names match whatever their case, paths and query
strings do not. Source: Application Load Balancer user guide, "Condition types for listener rules".
"""

import re

from goldfleet.localcloud.balancer.model import Condition


def quoted(text: str) -> str:
    """Return a text as one literal word of HAProxy's configuration, whatever is in it."""
    escaped = text.replace("'", "'\\''").replace("\r", "'\\r'").replace("\n", "'\\n'")
    return f"'{escaped}'"


def render_condition(condition: Condition) -> str:
    """Return an anonymous ACL that is met when one of the condition's values matches."""
    values = condition.values
    if condition.field == "source-ip":
        return f"{{ src {' '.join(quoted(value) for value in values)} }}"
    if condition.field == "http-request-method":
        return f"{{ method -m str {' '.join(quoted(value) for value in values)} }}"
    if condition.field == "query-string":
        return f"{{ query -m reg {' '.join(quoted(_query_pattern(value)) for value in values)} }}"
    patterns = " ".join(quoted(f"^{wildcards(value)}$") for value in values)
    if condition.field == "path-pattern":
        return f"{{ path -m reg {patterns} }}"
    if condition.field == "host-header":
        return f"{{ req.hdr(host),field(1,:) -i -m reg {patterns} }}"
    return f"{{ req.hdr({condition.header}) -i -m reg {patterns} }}"


def wildcards(pattern: str) -> str:
    """Return a regular expression of a pattern with AWS's wildcards."""
    return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)


def _query_pattern(value: str) -> str:
    key, _, wanted = value.partition("=")
    name = f"{wildcards(key)}=" if key else "([^&]*=)?"
    return f"(^|&){name}{wildcards(wanted)}(&|$)"
