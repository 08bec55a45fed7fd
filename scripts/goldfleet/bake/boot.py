"""Boots a copy of a new image: launch, pinned host keys from the console, a login that works.

An image whose copy does not come up is an image that failed its verification.
"""

from dataclasses import dataclass, replace

from goldfleet import tags
from goldfleet.aws.model import Instance, Launch
from goldfleet.bake.ports import Cloud, Copy, CopyChecks
from goldfleet.bake.run_folder import RunFolder
from goldfleet.clock import Clock, wait_until
from goldfleet.config.settings import ImageSettings
from goldfleet.errors import VerificationError
from goldfleet.ssh.known_hosts import HostKey, parse_host_keys, pin

ENDED = ("shutting-down", "terminated", "stopping", "stopped")


@dataclass(frozen=True)
class Temporary:
    """What a run has for itself: names and ids of key pair and security group, and the tags of everything."""

    run: str
    key_name: str
    security_group_id: str
    tags: dict[str, str]


@dataclass(frozen=True)
class CopyBooter:
    """Boots copies, in bounded time."""

    cloud: Cloud
    clock: Clock
    checks: CopyChecks
    settings: ImageSettings

    def rehearse(self, source_ami: str, temporary: Temporary) -> None:
        """Have AWS refuse profile and groups of the copy before the build, not after it; nothing to ask without them."""
        if self.settings.copy_instance_profile or self.settings.copy_security_group_ids:
            self.cloud.rehearse_launch(self._launch(source_ami, temporary))

    def launch(self, image_id: str, temporary: Temporary) -> str:
        """Start a copy of the image and return the instance's id."""
        return self.cloud.run_instance(self._launch(image_id, temporary))

    def _launch(self, image_id: str, temporary: Temporary) -> Launch:
        return Launch(
            image_id=image_id,
            instance_type=self.settings.instance_type,
            key_name=temporary.key_name,
            security_group_ids=(temporary.security_group_id, *self.settings.copy_security_group_ids),
            subnet_id=self.settings.subnet_id,
            tags={**temporary.tags, "Name": f"{tags.resource_name(temporary.run)}-copy"},
            client_token=f"{temporary.run}-copy",
            instance_profile=self.settings.copy_instance_profile,
        )

    def wait_until_up(self, instance_id: str, image_id: str, run: RunFolder) -> Copy:
        """Return the copy once its host keys are pinned, a login works and nothing holds it out of service.

        A copy that is still held when the time is over is returned with its holds: the specs judge it. Raises
        VerificationError when it cannot be logged in to in time, or the instance ends.
        """
        deadline = self.clock.monotonic() + self.settings.boot_timeout_minutes * 60
        instance = self._wait_for_address(instance_id, image_id, deadline)
        address = instance.address
        keys = self._wait_for_host_keys(instance_id, image_id, deadline)
        run.known_hosts.write_text(pin("", [address], keys), encoding="utf-8")
        copy = Copy(image_id, instance_id, address, run)
        self.checks.wait_for_login(copy, self._left(deadline))
        return replace(copy, holds=self.checks.wait_for_service(copy, self._left(deadline)))

    def _wait_for_address(self, instance_id: str, image_id: str, deadline: float) -> Instance:
        def look() -> Instance | None:
            seen = self.cloud.instance(instance_id)
            if seen is not None and seen.state in ENDED:
                why = seen.state_reason or "no reason given"
                raise VerificationError(f"The copy {instance_id} of {image_id} did not start: {seen.state}, {why}.")
            return seen if seen is not None and seen.state == "running" and seen.address else None

        instance = wait_until(look, self.clock, self._left(deadline))
        if instance is None:
            raise VerificationError(f"The copy {instance_id} of {image_id} was not running {self._in_time()}.")
        return instance

    def _wait_for_host_keys(self, instance_id: str, image_id: str, deadline: float) -> tuple[HostKey, ...]:
        keys = wait_until(
            lambda: parse_host_keys(self.cloud.console_output(instance_id)) or None, self.clock, self._left(deadline)
        )
        if keys is None:
            raise VerificationError(
                f"The console of {instance_id}, a copy of {image_id}, showed no SSH host keys {self._in_time()}: "
                "cloud-init prints them at the first boot."
            )
        return keys

    def _left(self, deadline: float) -> float:
        return max(0.0, deadline - self.clock.monotonic())

    def _in_time(self) -> str:
        return f"within {self.settings.boot_timeout_minutes} min (boot_timeout_minutes)"
