"""A whole bake against an account in memory: what is left in it afterwards, whatever went wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldfleet import tags
from goldfleet.aws.model import Image
from goldfleet.bake.facts import decode_facts
from goldfleet.bake.model import Stage
from goldfleet.errors import AwsError, RefusedError, StoppedError, UsageError, VerificationError
from goldfleet.stop import StopFlag, StoppableClock
from tests.doubles.account import Filters, InMemoryAccount
from tests.doubles.checks import (
    FAILED,
    PASSED,
    ChecksThatCheckNothing,
    ChecksThatFindABrokenWebServer,
    ChecksThatFindACopyHeld,
    ChecksThatLoseTheHost,
    ChecksThatNeverLogIn,
    ChecksThatPass,
    ChecksThatRaise,
)
from tests.doubles.packer import (
    KILLED_AT,
    PackerOfAnotherPlaybook,
    PackerThatIsKilled,
    PackerThatMustNotRun,
    WorkingPacker,
)
from tests.doubles.project import make_project
from tests.doubles.world import Bakery


@pytest.fixture
def bakery(tmp_path: Path) -> Bakery:
    return Bakery(make_project(tmp_path))


def test_first_bake_publishes_and_leaves_only_the_image(bakery: Bakery) -> None:
    outcome = bakery.bake()
    assert outcome.action == "baked"
    assert outcome.reasons == ("no verified image yet",)
    assert (bakery.current, bakery.previous) == (outcome.image_id, "")
    assert bakery.account.temporary_things() == set()
    assert tags.is_verified(bakery.account.images[outcome.image_id].tags)
    assert outcome.checks.passed == 1


def test_facts_say_what_the_image_is_made_of(bakery: Bakery) -> None:
    outcome = bakery.bake()
    facts = decode_facts(bakery.parameters.value(tags.facts_parameter("app", outcome.image_id)))
    assert facts is not None
    assert facts.shown["variable web_stack_domain"] == "'example.com'"
    assert {"role web_stack", "playbook app_server", "template", "specs"} <= facts.digests.keys()
    assert facts.commit == "0123abcd-dirty"
    assert facts.checks.passed == 1


def test_stages_come_in_order_and_all_succeed(bakery: Bakery) -> None:
    bakery.bake()
    assert [time.stage for time in bakery.progress.times] == list(Stage)
    assert {time.outcome for time in bakery.progress.times} == {"done"}


def test_packer_gets_the_resolved_base_ami_and_the_runs_own_things(bakery: Bakery) -> None:
    outcome = bakery.bake(web_stack_greeting="hello ${name}")
    variables = bakery.packer.variables
    assert variables["source_ami"] == "ami-0000base0"
    assert variables["run_id"] == outcome.run
    assert variables["fingerprint"] == outcome.fingerprint
    assert variables["ssh_keypair_name"] == f"goldfleet-{outcome.run}"
    assert variables["expires"] == "2026-11-23T16:15:30Z"
    assert "subnet_id" not in variables
    assert bakery.packer.ansible_variables["web_stack_greeting"] == "hello ${name}"
    assert bakery.packer.ansible_variables["golden_seal_run"] == outcome.run


def test_manifest_and_sbom_are_beside_the_reports(bakery: Bakery) -> None:
    outcome = bakery.bake()
    assert outcome.reports == f".goldfleet/reports/{outcome.run}"
    assert outcome.documents == (f"{outcome.reports}/manifest.json", f"{outcome.reports}/sbom.cdx.json")
    assert all((bakery.project / path).is_file() for path in outcome.documents)


def test_playbook_without_the_seal_has_no_documents(bakery: Bakery) -> None:
    bakery.packer = PackerOfAnotherPlaybook(bakery.account)
    outcome = bakery.bake()
    assert (outcome.reports, outcome.documents) == (f".goldfleet/reports/{outcome.run}", ())


def test_nothing_to_do_has_no_reports(bakery: Bakery) -> None:
    bakery.bake()
    outcome = bakery.bake(if_changed=True)
    assert (outcome.action, outcome.reports, outcome.documents) == ("nothing to do", "", ())


def test_security_group_lets_only_the_configured_ranges_in(bakery: Bakery) -> None:
    settings = bakery.project / "goldfleet.toml"
    settings.write_text('[images.app]\nssh_source_cidrs = ["203.0.113.7/32"]\n')
    bakery.bake()
    assert set(bakery.account.ingress.values()) == {("203.0.113.7/32",)}


def test_private_key_does_not_outlive_the_bake(bakery: Bakery) -> None:
    outcome = bakery.bake()
    folder = bakery.project / ".goldfleet" / "runs" / outcome.run
    assert (folder / "packer.pkrvars.json").exists()
    assert not list(folder.glob("id_ed25519*"))
    assert folder.stat().st_mode & 0o077 == 0


def test_plain_bake_always_bakes_and_moves_the_pointers(bakery: Bakery) -> None:
    first = bakery.bake()
    second = bakery.bake()
    assert second.reasons == ("asked for, with the same inputs as before",)
    assert (bakery.current, bakery.previous) == (second.image_id, first.image_id)


def test_nothing_changed_needs_three_calls_and_no_lease(bakery: Bakery) -> None:
    first = bakery.bake()
    bakery.packer = PackerThatMustNotRun(bakery.account)
    before = len(bakery.calls)
    writes = len(bakery.parameters.history[tags.lease_parameter("image-app")])
    outcome = bakery.bake(if_changed=True)
    assert (outcome.action, outcome.image_id) == ("nothing to do", first.image_id)
    assert outcome.reasons == (f"{first.image_id} has these inputs",)
    assert len(bakery.calls) - before == 3
    assert len(bakery.parameters.history[tags.lease_parameter("image-app")]) == writes


def test_changed_variable_is_named_with_both_values(bakery: Bakery) -> None:
    bakery.bake()
    outcome = bakery.bake(if_changed=True, web_stack_domain="example.org")
    assert outcome.action == "baked"
    assert outcome.reasons == ("variable web_stack_domain: 'example.com' -> 'example.org'",)


def test_new_base_ami_is_named(bakery: Bakery) -> None:
    bakery.bake()
    bakery.account.add_base_ami("ami-0000base1", "debian-12-amd64-2")
    assert bakery.bake(if_changed=True).reasons == ("base AMI ami-0000base0 -> ami-0000base1",)


def test_inputs_changed_back_publishes_the_old_image_again_without_a_bake(bakery: Bakery) -> None:
    first = bakery.bake()
    second = bakery.bake(if_changed=True, web_stack_domain="b")
    bakery.packer = PackerThatMustNotRun(bakery.account)
    outcome = bakery.bake(if_changed=True)
    assert (outcome.action, outcome.image_id) == ("published", first.image_id)
    assert (bakery.current, bakery.previous) == (first.image_id, second.image_id)


@pytest.mark.parametrize("write", ["facts", "tag", "previous", "current"])
def test_crash_while_publishing_is_completed_by_a_rerun(bakery: Bakery, write: str) -> None:
    first = bakery.bake()
    fault = AwsError("AWS is down.")
    match write:
        case "facts":
            bakery.parameters.faults["PutParameter /goldfleet/images/app/ami-*"] = fault
        case "tag":
            bakery.account.faults["CreateTags"] = fault
        case pointer:
            bakery.parameters.faults[f"PutParameter /goldfleet/images/app/{pointer}"] = fault
    with pytest.raises(StoppedError, match=r"passed its verification, but was not published .*AWS is down"):
        bakery.bake(web_stack_domain="b")
    assert bakery.current == first.image_id
    outcome = bakery.bake(if_changed=True, web_stack_domain="b")
    assert outcome.action == ("baked" if write in ("facts", "tag") else "published")
    assert (bakery.current, bakery.previous) == (outcome.image_id, first.image_id)
    assert bakery.account.temporary_things() == set()


@pytest.mark.parametrize("moment", KILLED_AT)
def test_packer_killed_at_any_moment_leaves_nothing(bakery: Bakery, moment: str) -> None:
    bakery.packer = PackerThatIsKilled(bakery.account, moment)
    with pytest.raises(AwsError, match="killed by SIGKILL") as caught:
        bakery.bake()
    assert caught.value.exit_code == 4
    assert bakery.account.temporary_things() == set()
    assert bakery.own_images() == []
    assert bakery.account.snapshots == {}
    assert bakery.current == ""


@pytest.mark.parametrize("moment", KILLED_AT)
def test_stop_during_the_build_leaves_nothing_and_says_so(bakery: Bakery, moment: str) -> None:
    bakery.packer = PackerThatIsKilled(bakery.account, moment, StoppedError("Stopped by SIGINT during packer build."))
    with pytest.raises(
        StoppedError, match=r"everything that this run had made was removed\. Run the same command again"
    ):
        bakery.bake()
    assert bakery.account.temporary_things() == set()
    assert bakery.own_images() == []


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        (ChecksThatFindABrokenWebServer(), r"1 of 2 checks failed .*\n  test_web::test_nginx_is_running: assert False"),
        (ChecksThatCheckNothing(), "no check of its copy passed"),
        (ChecksThatLoseTheHost(), "could not be reached: Connection timed out"),
        (ChecksThatNeverLogIn(), "No SSH login"),
    ],
    ids=["a check fails", "no check runs", "host is lost", "no login"],
)
def test_failed_verification_keeps_the_image_unpublished(bakery: Bakery, checks: Any, told: str) -> None:
    good = bakery.bake()
    bakery.checks = checks
    with pytest.raises(VerificationError, match=told) as caught:
        bakery.bake()
    assert caught.value.exit_code == 6
    assert bakery.current == good.image_id
    assert bakery.account.temporary_things() == set()
    failed = [image for image in bakery.account.images.values() if image.tags.get(tags.VERIFIED) == "failed"]
    assert len(failed) == 1
    assert failed[0].image_id in str(caught.value)
    assert set(failed[0].snapshot_ids) <= bakery.account.snapshots.keys()


def test_failed_image_is_not_taken_for_a_good_one(bakery: Bakery) -> None:
    bakery.checks = ChecksThatFindABrokenWebServer()
    with pytest.raises(VerificationError):
        bakery.bake()
    bakery.checks = ChecksThatPass()
    assert bakery.bake(if_changed=True).action == "baked"


def test_copy_that_ends_by_itself_is_a_failed_verification(bakery: Bakery) -> None:
    bakery.account.ends_at_boot = True
    with pytest.raises(VerificationError, match="did not start: terminated"):
        bakery.bake()
    assert bakery.account.temporary_things() == set()


def test_console_without_host_keys_is_a_failed_verification(bakery: Bakery) -> None:
    bakery.account.console = "Kernel panic"
    with pytest.raises(VerificationError, match="showed no SSH host keys within 10 min"):
        bakery.bake()


@pytest.mark.parametrize("is_good", [True, False], ids=["verified", "failed"])
def test_image_that_is_kept_stays_although_its_tag_shows_late(bakery: Bakery, is_good: bool) -> None:
    class AccountWhoseTagsShowLate(InMemoryAccount):
        def own_images(self, filters: Filters) -> tuple[Image, ...]:
            return tuple(replace(image, tags={}) for image in super().own_images(filters))

    bakery.account = AccountWhoseTagsShowLate(bakery.clock)
    bakery.account.add_base_ami()
    bakery.packer = WorkingPacker(bakery.account)
    if is_good:
        outcome = bakery.bake()
        assert bakery.own_images() == [outcome.image_id]
    else:
        bakery.checks = ChecksThatFindABrokenWebServer()
        with pytest.raises(VerificationError):
            bakery.bake()
        assert len(bakery.own_images()) == 1


@pytest.mark.parametrize(
    "operation", ["ImportKeyPair", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "RunInstances"]
)
def test_aws_refusing_a_call_leaves_nothing(bakery: Bakery, operation: str) -> None:
    bakery.account.faults[operation] = AwsError(f"AWS refused {operation}.", operation=operation)
    with pytest.raises(AwsError, match=operation):
        bakery.bake()
    assert bakery.account.temporary_things() == set()
    assert bakery.own_images() == []


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt()], ids=["bug", "interrupt"])
def test_error_that_nobody_foresaw_cleans_up_too(bakery: Bakery, error: BaseException) -> None:
    bakery.checks = ChecksThatRaise(error)
    with pytest.raises(type(error)):
        bakery.bake()
    assert bakery.account.temporary_things() == set()
    assert bakery.own_images() == []


def test_full_disk_during_the_build_is_said_and_cleaned_up(bakery: Bakery) -> None:
    bakery.packer = PackerThatIsKilled(
        bakery.account, "with the builder running", OSError(28, "No space left on device")
    )
    with pytest.raises(StoppedError, match="No space left on device"):
        bakery.bake()
    assert bakery.account.temporary_things() == set()


def test_run_folder_that_cannot_be_made_changes_nothing(bakery: Bakery) -> None:
    (bakery.project / ".goldfleet").write_text("a file where the folder should be")
    with pytest.raises(RefusedError, match=r"run folder .* could not be written"):
        bakery.bake()
    assert "ImportKeyPair" not in bakery.calls


@pytest.mark.parametrize(
    "operation", ["DescribeInstances", "TerminateInstances", "DeleteSecurityGroup", "DeleteKeyPair"]
)
def test_error_during_the_clean_up_is_tried_again(bakery: Bakery, operation: str) -> None:
    class FaultyAtCleanUp(WorkingPacker):
        def at(self, moment: str) -> None:
            if moment == "with the builder running":
                self.account.faults[operation] = AwsError("Throttled.")
                raise AwsError("packer build was killed by SIGKILL.")

    bakery.packer = FaultyAtCleanUp(bakery.account)
    with pytest.raises(AwsError, match="SIGKILL"):
        bakery.bake()
    assert bakery.account.temporary_things() == set()


def test_clean_up_that_cannot_succeed_says_what_is_left(bakery: Bakery) -> None:
    class AccountThatKeepsItsGroups(InMemoryAccount):
        def delete_security_group(self, group_id: str) -> None:
            raise AwsError(f"AWS refused DeleteSecurityGroup of {group_id}.")

    account = AccountThatKeepsItsGroups(bakery.clock)
    account.add_base_ami()
    bakery.account, bakery.packer = account, PackerThatIsKilled(account, "with the builder running")
    with pytest.raises(StoppedError, match=r"(?s)could not delete security group .*images gc --run") as caught:
        bakery.bake()
    assert caught.value.exit_code == 5
    assert len(account.pairs) == 1, "the key pair stands for the run as long as something is left"
    assert bakery.clock.seconds < 600


def test_second_bake_at_once_is_refused_with_owner_and_times(bakery: Bakery) -> None:
    refusals: list[RefusedError] = []

    class PackerDuringWhichSomebodyElseBakes(WorkingPacker):
        def at(self, moment: str) -> None:
            if moment == "with the builder running":
                other = Bakery(bakery.project, bakery.clock, bakery.parameters, bakes=5)
                with pytest.raises(RefusedError) as caught:
                    other.bake()
                refusals.append(caught.value)

    bakery.packer = PackerDuringWhichSomebodyElseBakes(bakery.account)
    bakery.bake()
    assert str(refusals[0]).startswith(
        "Lease image-app is held by ann@laptop (run 20261123-141530-000001), since 2026-"
    )
    assert refusals[0].exit_code == 3


def test_lease_lost_during_the_build_publishes_nothing(bakery: Bakery) -> None:
    class PackerDuringWhichTheLeaseGoes(WorkingPacker):
        def at(self, moment: str) -> None:
            if moment == "at the end":
                name = tags.lease_parameter("image-app")
                record = json.loads(bakery.parameters.value(name))
                bakery.parameters.put(name, json.dumps({**record, "token": "other", "owner": "bob"}))

    bakery.packer = PackerDuringWhichTheLeaseGoes(bakery.account)
    with pytest.raises(StoppedError, match="Lease image-app is no longer held"):
        bakery.bake()
    assert bakery.current == ""
    assert bakery.account.temporary_things() == set()


def test_stop_between_stages_is_obeyed(bakery: Bakery) -> None:
    stop = StopFlag()

    class PackerDuringWhichCtrlCComes(WorkingPacker):
        def at(self, moment: str) -> None:
            if moment == "at the end":
                stop.set("SIGINT")

    bakery.packer = PackerDuringWhichCtrlCComes(bakery.account)
    bakery.replaced["clock"] = StoppableClock(bakery.clock, stop)
    with pytest.raises(StoppedError, match=r"Stopped by SIGINT\. Nothing was published"):
        bakery.bake()
    assert bakery.account.temporary_things() == set()
    assert bakery.own_images() == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ('source_ami = "ami-00000bad"', "Base AMI ami-00000bad does not exist"),
        ('source_ami = "ami-0000dead"', "ami-0000dead .* is not available: seen state pending"),
        ('source_ami = "ami-000000a4"', "has architecture arm64, but goldfleet.toml wants x86_64"),
        ('source_ami_name = "fedora-*"', "No available x86_64 AMI of owner 136693071363 has a name like 'fedora-"),
    ],
    ids=["missing", "pending", "wrong architecture", "filter matches nothing"],
)
def test_base_ami_that_cannot_be_used_is_refused_before_anything(bakery: Bakery, settings: str, told: str) -> None:
    base = bakery.account.images["ami-0000base0"]
    bakery.account.images["ami-0000dead"] = type(base)("ami-0000dead", "debian-x", "pending", "x86_64", "2026")
    bakery.account.images["ami-000000a4"] = type(base)("ami-000000a4", "debian-y", "available", "arm64", "2026")
    (bakery.project / "goldfleet.toml").write_text(f"[images.app]\n{settings}\n")
    with pytest.raises(RefusedError, match=told):
        bakery.bake(if_changed=True)
    assert set(bakery.calls) == {"DescribeImages"}


PROFILE_AND_GROUPS = '[images.app]\ncopy_instance_profile = "web"\ncopy_security_group_ids = ["sg-0123abcd"]\n'


def test_copy_gets_profile_and_groups_and_the_builder_neither(bakery: Bakery) -> None:
    (bakery.project / "goldfleet.toml").write_text(PROFILE_AND_GROUPS)
    outcome = bakery.bake()
    (own_group,) = bakery.account.ingress
    (copy,) = bakery.account.launched
    assert (copy.image_id, copy.instance_profile) == (outcome.image_id, "web")
    assert copy.security_group_ids == (own_group, "sg-0123abcd")
    assert bakery.packer.variables["security_group_id"] == own_group
    assert not [value for value in bakery.packer.variables.values() if value in ("web", "sg-0123abcd")]


def test_copy_without_profile_and_groups_has_the_runs_own_group_only(bakery: Bakery) -> None:
    bakery.bake()
    (copy,) = bakery.account.launched
    assert (copy.instance_profile, len(copy.security_group_ids)) == (None, 1)
    assert bakery.account.rehearsed == []


def test_other_profile_and_groups_do_not_make_another_image(bakery: Bakery) -> None:
    settings = bakery.project / "goldfleet.toml"
    first = bakery.bake()
    settings.write_text(settings.read_text().replace("[images.app]\n", PROFILE_AND_GROUPS))
    outcome = bakery.bake(if_changed=True)
    assert (outcome.action, outcome.fingerprint) == ("nothing to do", first.fingerprint)


def test_profile_that_aws_refuses_ends_the_bake_before_the_build(bakery: Bakery) -> None:
    (bakery.project / "goldfleet.toml").write_text(PROFILE_AND_GROUPS)
    bakery.packer = PackerThatMustNotRun(bakery.account)
    bakery.account.faults["RunInstances (dry run)"] = AwsError(
        "AWS refused RunInstances: Invalid IAM Instance Profile."
    )
    with pytest.raises(AwsError, match="Invalid IAM Instance Profile"):
        bakery.bake()
    assert [launch.image_id for launch in bakery.account.rehearsed] == []
    assert bakery.account.temporary_things() == set()
    assert bakery.own_images() == []


def test_profile_that_is_gone_after_the_build_leaves_nothing(bakery: Bakery) -> None:
    (bakery.project / "goldfleet.toml").write_text(PROFILE_AND_GROUPS)
    bakery.account.faults["RunInstances"] = AwsError("AWS refused RunInstances: Invalid IAM Instance Profile.")
    with pytest.raises(AwsError, match="Invalid IAM Instance Profile"):
        bakery.bake()
    assert [launch.image_id for launch in bakery.account.rehearsed] == ["ami-0000base0"]
    assert bakery.account.temporary_things() == set()
    assert bakery.own_images() == []


def test_failed_specs_of_a_copy_that_is_held_are_told_with_the_hold(bakery: Bakery) -> None:
    bakery.checks = ChecksThatFindACopyHeld(PASSED, FAILED)
    with pytest.raises(VerificationError) as caught:
        bakery.bake()
    assert (
        "its copy was still held out of service after 10 min (boot_timeout_minutes), with instance profile none "
        "(copy_instance_profile) and security groups none but the run's own (copy_security_group_ids), by\n"
        "  settings: settings are not resolved: this instance has no role.\n"
        "1 of 2 checks failed on its copy:\n"
    ) in str(caught.value)


def test_copy_that_is_held_and_passes_its_specs_is_published_and_told_of(bakery: Bakery) -> None:
    bakery.checks = ChecksThatFindACopyHeld(PASSED)
    assert bakery.bake().action == "baked"
    assert "  settings: settings are not resolved: this instance has no role." in bakery.progress.notes


def test_missing_role_is_a_usage_error_before_any_call(bakery: Bakery) -> None:
    (bakery.project / "playbooks/app_server.yml").write_text("- hosts: all\n  roles: [nobody]\n")
    with pytest.raises(UsageError, match=r"app_server\.yml uses role nobody, but there is no folder roles/nobody"):
        bakery.bake(if_changed=True)
    assert bakery.calls == []
