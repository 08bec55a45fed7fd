"""Makes, proves and publishes one image, and removes everything temporary afterwards, however that ended."""

from dataclasses import dataclass
from datetime import timedelta

from goldfleet import tags
from goldfleet.bake.boot import CopyBooter, Temporary
from goldfleet.bake.built_with import encode_built_with
from goldfleet.bake.cleanup import Cleaner
from goldfleet.bake.facts import digests_of, shown_of
from goldfleet.bake.inputs import Tree
from goldfleet.bake.model import CheckCounts, Facts, Inputs, Stage
from goldfleet.bake.packer_variables import BuildFacts, ansible_variables, packer_variables
from goldfleet.bake.ports import BakeRequest, Copy, World
from goldfleet.bake.publish import Publisher
from goldfleet.bake.run_folder import assemble, run_folder_of, write_json
from goldfleet.bake.stages import Stages
from goldfleet.config.settings import ImageSettings
from goldfleet.errors import GoldfleetError, StoppedError, VerificationError
from goldfleet.verify.model import CheckOutcome, HostResult
from goldfleet.verify.reports import report_folder

MOST_CHECKS_NAMED = 20
DOCUMENTS = ("manifest.json", "sbom.cdx.json")
"""What role golden_seal copies out of the builder. A playbook of somebody's own may do without the role."""


@dataclass(frozen=True)
class MakingPlan:
    """Which run makes what."""

    run: str
    tree: Tree
    inputs: Inputs
    source_ami: str


@dataclass(frozen=True)
class Made:
    """A new, published image; paths are relative to the project."""

    image_id: str
    checks: CheckCounts
    reports: str
    documents: tuple[str, ...]


class Making:
    """The making of one image, under a lease that somebody else holds."""

    def __init__(
        self, request: BakeRequest, world: World, plan: MakingPlan, publisher: Publisher, stages: Stages
    ) -> None:
        self._request = request
        self._settings = request.settings
        self._world = world
        self._plan = plan
        self._publisher = publisher
        self._stages = stages
        self._folder = run_folder_of(request.project, plan.run)
        self._booter = CopyBooter(world.cloud, world.clock, world.checks, self._settings)
        self._is_anything_made = False
        self._kept: set[str] = set()

    def make(self) -> Made:
        """Make, prove and publish the image.

        Whatever goes wrong, everything temporary is removed first; what could not be is named in a StoppedError.
        """
        try:
            made = self._make()
        except BaseException as error:
            left = self._clean_up()
            explained = self._explain(error, left)
            if explained is error:
                raise
            raise explained from error
        for one in self._clean_up():
            self._world.progress.note(
                f"Left behind: {one}. Remove it with `goldfleet images gc --run {self._plan.run}`."
            )
        return made

    def _make(self) -> Made:
        with self._stages.run(Stage.BUILD):
            facts = self._build_facts()
            temporary, image_id = self._build(facts)
        try:
            result = self._prove(image_id, temporary)
        except VerificationError as error:
            self._keep_as_failed(image_id)
            raise self._unpublished(image_id, error) from error
        with self._stages.run(Stage.PUBLISH):
            self._publish(image_id, facts, _counts(result))
        return Made(image_id, _counts(result), *self._reports())

    # Build

    def _build_facts(self) -> BuildFacts:
        expires = self._world.clock.now() + timedelta(minutes=self._settings.expires_after_minutes)
        return BuildFacts(
            image=self._request.image,
            run=self._plan.run,
            source_ami=self._plan.source_ami,
            fingerprint=self._plan.inputs.fingerprint,
            commit=self._world.commit(),
            expires=tags.format_time(expires),
        )

    def _build(self, facts: BuildFacts) -> tuple[Temporary, str]:
        """Assemble the run folder, make key pair and security group, and let Packer build."""
        world, folder = self._world, self._folder
        version = world.builder.version(self._request.project)
        assemble(folder, self._plan.tree, self._settings.packer, version)
        copies = report_folder(self._request.project, facts.run)
        write_json(folder.variables, ansible_variables(self._settings, facts, str(copies)))
        temporary = self._make_temporary(facts)
        variables = packer_variables(self._settings, facts, folder, temporary.key_name, temporary.security_group_id)
        write_json(folder.packer_variables, variables)
        self._booter.rehearse(facts.source_ami, temporary)
        self._publisher.before_write()
        return temporary, world.builder.build(folder, version, world.progress.line)

    def _make_temporary(self, facts: BuildFacts) -> Temporary:
        """Make the run's own key pair, which stands for the run in AWS, and then its security group."""
        cloud, name = self._world.cloud, tags.resource_name(facts.run)
        temporary_tags = tags.temporary_tags(facts.image, facts.run, facts.expires)
        public_key = self._world.make_key_pair(self._folder.private_key, name)
        vpc_id = cloud.vpc_of_subnet(self._settings.subnet_id) if self._settings.subnet_id else None
        self._publisher.before_write()
        self._is_anything_made = True
        cloud.import_key_pair(name, public_key, temporary_tags)
        group_id = cloud.create_security_group(
            name, f"goldfleet run {facts.run}: builder and verification copy", vpc_id, temporary_tags
        )
        cloud.allow_ssh(group_id, self._settings.ssh_source_cidrs)
        return Temporary(facts.run, name, group_id, temporary_tags)

    # Prove

    def _prove(self, image_id: str, temporary: Temporary) -> HostResult:
        """Boot a copy of the image and check it.

        Raises VerificationError when the copy does not come up or is not what the specs promise.
        """
        world, booter = self._world, self._booter
        with self._stages.run(Stage.BOOT):
            self._publisher.before_write()
            copy = booter.wait_until_up(booter.launch(image_id, temporary), image_id, self._folder)
        with self._stages.run(Stage.VERIFY):
            result = world.checks.verify(copy, world.progress.line)
            if not result.is_good:
                raise VerificationError("\n".join([*_why_held(copy, self._settings), _what_failed(result)]))
        for line in _why_held(copy, self._settings):
            world.progress.note(line)
        return result

    def _keep_as_failed(self, image_id: str) -> None:
        """Keep the image to be looked at, tagged so that nobody takes it for a good one."""
        self._kept.add(image_id)
        try:
            self._publisher.record_failed(image_id)
        except GoldfleetError as error:
            self._world.progress.note(f"{image_id} could not be tagged as failed: {error.message}")

    def _unpublished(self, image_id: str, error: VerificationError) -> VerificationError:
        return VerificationError(
            f"AMI {image_id} is not published: {error.message}",
            f"The AMI is kept, tagged {tags.VERIFIED}={tags.VERIFICATION_FAILED}; reports are in "
            f".goldfleet/reports/{self._plan.run}/.",
        )

    # Publish

    def _publish(self, image_id: str, facts: BuildFacts, checks: CheckCounts) -> None:
        self._kept.add(image_id)
        try:
            built_with = encode_built_with(self._folder)
            self._publisher.record_verified(self._facts(image_id, facts, checks), built_with)
            self._publisher.make_current(self._request.image, image_id)
        except GoldfleetError as error:
            raise StoppedError(
                f"AMI {image_id} passed its verification, but was not published completely: {error.message}",
                "Run `goldfleet bake --if-changed`.",
            ) from error

    def _facts(self, image_id: str, facts: BuildFacts, checks: CheckCounts) -> Facts:
        components = self._plan.inputs.components
        return Facts(
            image=facts.image,
            image_id=image_id,
            run=facts.run,
            fingerprint=facts.fingerprint,
            source_ami=facts.source_ami,
            commit=facts.commit,
            verified_at=tags.format_time(self._world.clock.now()),
            checks=checks,
            digests=digests_of(components),
            shown=shown_of(components),
        )

    def _reports(self) -> tuple[str, tuple[str, ...]]:
        """Return the folder of this run's reports, and the documents of the image in it."""
        project = self._request.project
        folder = report_folder(project, self._plan.run)
        found = (folder / name for name in DOCUMENTS)
        return str(folder.relative_to(project)), tuple(str(one.relative_to(project)) for one in found if one.is_file())

    # Clean up

    def _clean_up(self) -> tuple[str, ...]:
        """Remove everything temporary; return, in words, what could not be removed. It never raises."""
        left: list[str] = []
        with self._stages.run(Stage.CLEAN_UP):
            for remove in (self._remove_private_key, self._remove_from_aws):
                try:
                    left += remove()
                except Exception as error:  # noqa: BLE001 - a second error must not hide the first, nor stop the rest
                    left.append(f"{remove.__name__.strip('_')} failed: {error!r}")
        return tuple(left)

    def _remove_private_key(self) -> tuple[str, ...]:
        if self._folder.path.is_dir():
            for key in (self._folder.private_key, self._folder.private_key.with_suffix(".pub")):
                key.unlink(missing_ok=True)
        return ()

    def _remove_from_aws(self) -> tuple[str, ...]:
        if not self._is_anything_made:
            return ()
        world, timeout_seconds = self._world, self._settings.cleanup_timeout_minutes * 60
        cleaner = Cleaner(world.cloud, world.patient_clock, timeout_seconds, frozenset(self._kept))
        return cleaner.remove(self._plan.run)

    def _explain(self, error: BaseException, left: tuple[str, ...]) -> BaseException:
        """Return the error to be shown: what went wrong, and what is left of the run."""
        if isinstance(error, OSError):
            error = StoppedError(f"{error.filename or self._folder.path}: {error.strerror or error}.", "Run again.")
        if not isinstance(error, GoldfleetError):
            return error
        if left:
            return StoppedError(
                f"{error.message}\nLeft behind: {'; '.join(left)}.",
                f"{error.next_step} Remove it with `goldfleet images gc --run {self._plan.run}`.".strip(),
            )
        if isinstance(error, StoppedError) and not self._kept:
            made = "everything that this run had made was removed" if self._is_anything_made else "nothing was made"
            return StoppedError(f"{error.message} Nothing was published, and {made}.", "Run the same command again.")
        return error


def _counts(result: HostResult) -> CheckCounts:
    return CheckCounts(
        passed=result.count(CheckOutcome.PASSED), failed=len(result.bad), skipped=result.count(CheckOutcome.SKIPPED)
    )


def _why_held(copy: Copy, settings: ImageSettings) -> list[str]:
    """Return why a copy was still out of service when its specs ran; [] for one that was in service."""
    if not copy.holds:
        return []
    groups = ", ".join(settings.copy_security_group_ids) or "none but the run's own"
    return [
        f"its copy was still held out of service after {settings.boot_timeout_minutes} min (boot_timeout_minutes), with "
        f"instance profile {settings.copy_instance_profile or 'none'} (copy_instance_profile) and security groups {groups} "
        "(copy_security_group_ids), by",
        *(f"  {hold}" for hold in copy.holds),
    ]


def _what_failed(result: HostResult) -> str:
    """Return why a host is not good, with the names of the checks that failed."""
    if result.unreachable:
        return f"its copy at {result.host} could not be reached: {result.unreachable}."
    if not result.bad:
        return "no check of its copy passed."
    named = [
        f"  {check.name}: {check.message.splitlines()[0] if check.message else check.outcome.value}"
        for check in result.bad[:MOST_CHECKS_NAMED]
    ]
    more = len(result.bad) - len(named)
    rest = [f"  and {more} more"] if more else []
    return "\n".join([f"{len(result.bad)} of {len(result.checks)} checks failed on its copy:", *named, *rest])
