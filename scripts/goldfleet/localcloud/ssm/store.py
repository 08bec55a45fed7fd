"""The OutputStore port: buckets of moto's S3."""

import logging
from typing import Any

from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from goldfleet.localcloud.ec2.world import World

log = logging.getLogger("goldfleet.localcloud.ssm")


class S3Outputs:
    """Keeps outputs in the account's buckets."""

    def __init__(self, world: World, s3_backend: Any) -> None:
        self._world = world
        self._s3 = s3_backend

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Keep one output. As with AWS's agent, a bucket that it cannot write to is told in the log only."""
        try:
            with self._world.lock:
                self._s3.put_object(bucket, key, content)
        except (ServiceException, HTTPException) as error:
            log.warning("s3://%s/%s was not written: %s", bucket, key, error)
