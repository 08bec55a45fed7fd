"""A small application behind web_stack_runtime proxy, served by Gunicorn: it tells what it was asked, and by whom."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the request's headers, path and this process's id, as JSON."""
    headers = {name[5:].lower().replace("_", "-"): text for name, text in environ.items() if name.startswith("HTTP_")}
    asked = {"path": environ["PATH_INFO"], "query": environ["QUERY_STRING"], "headers": headers}
    body = json.dumps({**asked, "process": os.getpid()}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
