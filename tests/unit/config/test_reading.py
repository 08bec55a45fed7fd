import pytest

from goldfleet.config.reading import parse_settings
from goldfleet.config.settings import ImageSettings
from goldfleet.errors import UsageError

ALL_WRONG = """
[images.App]
[images.app]
plybook = "x"
architecture = "mips"
expires_after_minutes = "x"
lease_minutes = 0
packer = "/etc"
specs = "../specs"
ssh_source_cidrs = ["1.2.3.4/99"]
source_ami = "ami-x"
instance_type = 3
copy_instance_profile = "arn:aws:iam::123456789012:instance-profile/web"
copy_security_group_ids = ["web"]
[images.app.variables]
"a-b" = 1
c = 1979-05-27T07:32:00Z
[fleet]
"""


def complaints(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        parse_settings(text, "g.toml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    "complaint",
    [
        "g.toml: key images.App: seen 'App', wanted 1 to 40 small letters, digits and inner hyphens.",
        "g.toml: key images.app.plybook: unknown. Wanted playbook?",
        "g.toml: key images.app.architecture: seen 'mips', wanted 'x86_64' or 'arm64'.",
        "g.toml: key images.app.expires_after_minutes: seen 'x', wanted a whole number.",
        "g.toml: key images.app.lease_minutes: seen 0, wanted 1 or more.",
        "g.toml: key images.app.packer: seen '/etc', wanted a path inside the project, relative to its folder.",
        "g.toml: key images.app.specs: seen '../specs', wanted a path inside the project, relative to its folder.",
        "g.toml: key images.app.ssh_source_cidrs.0: seen '1.2.3.4/99', wanted an IPv4 range such as 203.0.113.7/32.",
        "g.toml: key images.app.source_ami: seen 'ami-x', wanted text that matches ^ami-[0-9a-f]{8,17}$.",
        "g.toml: key images.app.instance_type: seen 3, wanted text in quotes.",
        "g.toml: key images.app.copy_instance_profile: seen 'arn:aws:iam::123456789012:instance-profile/web', wanted the name "
        "of an IAM instance profile, no ARN: letters, digits and _+=,.@-.",
        "g.toml: key images.app.copy_security_group_ids.0: seen 'web', wanted the id of a security group such as "
        "sg-0123456789abcdef0.",
        "g.toml: key fleet: unknown. Wanted one of images, groups.",
    ],
    ids=lambda text: text.partition(": key ")[2].partition(":")[0],
)
def test_each_wrong_value_is_named_with_what_was_wanted(complaint: str) -> None:
    assert complaint in complaints(ALL_WRONG)


def test_all_complaints_come_at_once() -> None:
    assert len(complaints(ALL_WRONG)) >= 13


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "g.toml: key (top level): wanted at least one [images.<name>] section."),
        ("images = 3", "g.toml: key images: seen 3, wanted a table."),
        ("[images]\napp = 3", "g.toml: key images.app: seen 3, wanted a table."),
        ("[images.app]\nxyzzy = 1", "unknown. Wanted one of playbook, packer, specs"),
        ("[images.app\n", "g.toml is not valid TOML:"),
        ("[images.app]\nssh_source_cidrs = []", "seen [], wanted at least 1 valid entry."),
        (f"[images.app]\ncopy_security_group_ids = {['sg-0123abcd'] * 16}", "wanted at most 15 entries."),
        ('[images.app]\ncopy_instance_profile = ""', "seen '', wanted the name of an IAM instance profile"),
    ],
    ids=[
        "empty",
        "not a table",
        "image not a table",
        "unknown key",
        "no TOML",
        "empty list",
        "long list",
        "empty name",
    ],
)
def test_wrong_file_is_told(text: str, complaint: str) -> None:
    assert complaint in "\n".join(complaints(text))


def test_defaults_are_enough() -> None:
    name, settings = parse_settings("[images.app]", "g.toml").pick_image(None)
    assert name == "app"
    assert settings == ImageSettings()
    assert settings.expires_after_minutes == 120


def test_every_setting_is_described() -> None:
    undescribed = [name for name, info in ImageSettings.model_fields.items() if not info.description]
    assert undescribed == []


def test_image_must_be_named_when_there_are_several() -> None:
    settings = parse_settings("[images.app]\n[images.db]", "g.toml")
    assert settings.pick_image("db")[0] == "db"
    with pytest.raises(UsageError, match="several images: app, db"):
        settings.pick_image(None)
    with pytest.raises(UsageError, match="no image 'web'; it has app, db"):
        settings.pick_image("web")


GROUP_TEXT = '[images.app]\n[groups.web]\nimage = "app"\nsurge = "25%"\nwarm_up_seconds = 5\n'


def test_group_has_its_settings_and_one_that_is_not_named_the_defaults() -> None:
    settings = parse_settings(GROUP_TEXT, "g.toml")
    assert settings.pick_group("web").surge == "25%"
    assert settings.pick_group("other").warm_up_seconds == 30


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[images.app]\n[groups.web]\nimage = "api"\n', "groups.web.image is 'api', wanted one of ['app']"),
        ("[images.app]\n[groups.web]\nsurge = 0\n", "wanted a whole number of instances"),
        ("[images.app]\n[groups.web]\nwarmup_seconds = 3\n", "Wanted warm_up_seconds?"),
    ],
    ids=["unknown image", "no surge", "misspelt key"],
)
def test_wrong_group_is_named(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings(text, "g.toml")
    assert words in str(caught.value)


def test_image_of_a_group_must_be_named_when_there_are_several() -> None:
    settings = parse_settings('[images.app]\n[images.db]\n[groups.web]\nimage = "db"\n', "g.toml")
    assert settings.pick_image_of("web")[0] == "db"
    with pytest.raises(UsageError, match=r"several images \(app, db\) and does not say which one group api runs"):
        settings.pick_image_of("api")
