"""The buckets aws-codedeploy-<region>, which everyone may read: where servers get the CodeDeploy agent from.

They belong to AWS, not to the account: they show in no list of buckets, nobody may write to them, and whoever may not
list a bucket is told of a missing object what S3 tells him, AccessDenied. The gate asks `is_public`; `CodeDeployBuckets`
stands before moto and answers for them.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote
from wsgiref.handlers import format_date_time

from goldfleet.localcloud.authority import REGIONS
from goldfleet.localcloud.codedeploy.packages import PACKAGES, TIME, VERSIONS, build_package, read_file
from goldfleet.localcloud.gate import ANONYMOUS

BUCKETS = frozenset(f"aws-codedeploy-{region}" for region in REGIONS)
VIRTUAL_HOST = re.compile(r"^(?P<bucket>[a-z0-9-]+)\.s3(?:\.dualstack)?[.-](?:[a-z0-9-]+\.)?amazonaws\.com$")
PATH_HOST = re.compile(r"^(?:s3(?:\.dualstack)?[.-](?:[a-z0-9-]+\.)?amazonaws\.com|127\.0\.0\.1|localhost)$")
DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"

WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Place:
    """What a request is about: a bucket of AWS's, and a key in it, empty for the bucket itself."""

    bucket: str
    key: str

    @property
    def arn(self) -> str:
        """The object's name in policies."""
        return f"arn:aws:s3:::{self.bucket}/{self.key}"


@cache
def objects() -> dict[str, bytes]:
    """Return what the buckets hold, by key; the same in every region."""
    latest = {"deb": f"releases/codedeploy-agent_{VERSIONS[1]}_all.deb"}
    return {
        "latest/LATEST_VERSION": json.dumps(latest).encode(),
        "latest/install": installer(1, "LATEST_VERSION"),
        "latestv2/install": installer(2, f"releases/codedeploy-agent_{VERSIONS[2]}_@ARCHITECTURE@.deb"),
        **{f"releases/{package.name}": build_package(package) for package in PACKAGES},
    }


def installer(major: int, key: str) -> bytes:
    """Return a major's installer, which installs a key unless told another."""
    return read_file("install", major).replace(b"@KEY@", key.encode())


def find_place(host: str, path: str) -> Place | None:
    """Return which of AWS's buckets a request is about, in either style; None for all others.

    host without a port; path as sent, percent-encoded.
    """
    bucket, key = "", path.lstrip("/")
    virtual = VIRTUAL_HOST.match(host.lower())
    if virtual:
        bucket = virtual["bucket"]
    elif PATH_HOST.match(host.lower()):
        bucket, _, key = key.partition("/")
    return Place(bucket, unquote(key)) if bucket in BUCKETS else None


def is_public(method: str, host: str, path: str) -> bool:
    """Say whether a request needs no signature: reading an object of these buckets, nothing else."""
    place = find_place(host, path)
    return place is not None and place.key != "" and method in ("GET", "HEAD")


@dataclass(frozen=True)
class CodeDeployBuckets:
    """The WSGI application that answers for AWS's buckets and hands every other request on.

    may says whether the owner of an access key id may do an action on a resource.
    """

    inner: WsgiApplication
    may: Callable[[str, str, str], bool]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        host = environ.get("HTTP_HOST", "").rsplit(":", 1)[0]
        place = find_place(host, environ.get("PATH_INFO", "/"))
        if place is None:
            return self.inner(environ, start_response)
        method, caller = environ["REQUEST_METHOD"], environ["goldfleet.caller"]
        body = objects().get(place.key) if method in ("GET", "HEAD") else None
        if body is None or not (caller == ANONYMOUS or self.may(caller, "s3:GetObject", place.arn)):
            start_response("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", str(len(DENIED)))])
            return [DENIED] if method != "HEAD" else []
        start_response("200 OK", [
            ("Content-Type", "binary/octet-stream"), ("Content-Length", str(len(body))),
            ("ETag", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'), ("Last-Modified", format_date_time(TIME)),
        ])  # fmt: skip
        return [body] if method == "GET" else []
