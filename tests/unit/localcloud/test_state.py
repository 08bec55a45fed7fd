"""What a local cloud remembers between commands."""

import os
import stat
from pathlib import Path

import pytest

from goldfleet.errors import RefusedError
from goldfleet.localcloud.state import CloudState, StateFolder

STATE = CloudState(
    cloud_id="0123abcd", cidr="10.64.0.0/16", api_port=1, tls_port=2, metadata_port=3, names_port=4,
    access_key_id="AKIA", secret_access_key="secret", base_image="localhost/x:y", base_image_id="ami-1",
    base_image_name="debian-12-amd64-x",
)  # fmt: skip


def test_saved_state_is_read_back_and_only_its_owner_may(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "local")
    folder.prepare()
    folder.save(STATE)
    assert folder.load() == STATE
    assert stat.S_IMODE(folder.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_no_state_and_a_broken_one_are_none(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert folder.load() is None
    folder.file.write_text('{"cloud_id": "half')
    assert folder.load() is None


def test_state_of_another_user_is_refused(tmp_path: Path) -> None:
    class OthersFile(StateFolder):
        """A folder whose state file may not be read, as root's may not by a user."""

        @property
        def file(self) -> Path:
            return _Unreadable(super().file)

    with pytest.raises(RefusedError, match="belongs to another user"):
        OthersFile(tmp_path).load()


class _Unreadable(type(Path())):  # type: ignore[misc]
    def read_text(self, *_arguments: object, **_options: object) -> str:
        raise PermissionError(13, os.strerror(13), str(self))


def test_gateway_and_endpoint_follow_from_the_range_and_port() -> None:
    assert (STATE.gateway, STATE.endpoint_url) == ("10.64.0.1", "http://127.0.0.1:1")
