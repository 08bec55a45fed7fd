"""The keys that this cloud issued: IAM users' (the operator's is one) and roles' temporary ones."""

import datetime

from botocore.credentials import Credentials
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from goldfleet.localcloud.signatures import SignatureRefusedError
from goldfleet.localcloud.state import ACCOUNT_ID


def credentials_of(access_key_id: str) -> Credentials | None:
    """Return the credentials behind a key id, None for a key that this cloud did not issue.

    Raises SignatureRefusedError (ExpiredToken) for temporary credentials past their time.
    """
    role = sts_backends[ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(access_key_id)
    if role is not None:
        if role.expiration.replace(tzinfo=datetime.UTC) < datetime.datetime.now(datetime.UTC):
            raise SignatureRefusedError("ExpiredToken", "The security token included in the request is expired")
        return Credentials(access_key_id, role.secret_access_key, role.session_token)
    key = iam_backends[ACCOUNT_ID]["aws"].access_keys.get(access_key_id)
    if key is None or key.status != "Active":
        return None
    return Credentials(access_key_id, key.secret_access_key)
