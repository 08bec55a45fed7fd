from pathlib import Path

import pytest

from goldfleet import tags
from goldfleet.bake.catalog import list_images, show_image
from goldfleet.errors import RefusedError, VerificationError
from tests.doubles.checks import ChecksThatFindABrokenWebServer
from tests.doubles.project import make_project
from tests.doubles.world import Bakery


@pytest.fixture
def bakery(tmp_path: Path) -> Bakery:
    return Bakery(make_project(tmp_path))


def test_images_are_listed_the_newest_first_with_pointer_and_verdict(bakery: Bakery) -> None:
    first, second = bakery.bake(), bakery.bake()
    bakery.checks = ChecksThatFindABrokenWebServer()
    with pytest.raises(VerificationError):
        bakery.bake()
    listed = list_images(None, bakery.account, bakery.parameters)
    assert [(one.pointer, one.verified == "failed") for one in listed] == [
        ("", True),
        ("current", False),
        ("previous", False),
    ]
    assert [one.image_id for one in listed[1:]] == [second.image_id, first.image_id]


@pytest.mark.parametrize("image", ["app", "db"])
def test_images_are_listed_by_name(bakery: Bakery, image: str) -> None:
    bakery.bake()
    listed = list_images(image, bakery.account, bakery.parameters)
    assert len(listed) == (1 if image == "app" else 0)


def test_image_is_shown_by_id_and_by_name(bakery: Bakery) -> None:
    outcome = bakery.bake()
    by_id = show_image(outcome.image_id, bakery.account, bakery.parameters)
    assert show_image("app", bakery.account, bakery.parameters) == by_id
    assert by_id.facts is not None
    assert by_id.facts.checks.passed == 1
    assert by_id.entry.source_ami == "ami-0000base0"
    assert by_id.tags[tags.RUN] == outcome.run


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("app", "Image app has no current AMI"),
        ("ami-00000bad", "AMI ami-00000bad does not exist"),
        ("ami-0000base0", r"AMI ami-0000base0 \(debian-12-amd64-1\) was not baked by goldfleet"),
    ],
)
def test_image_that_is_not_there_is_refused(bakery: Bakery, wanted: str, told: str) -> None:
    with pytest.raises(RefusedError, match=told):
        show_image(wanted, bakery.account, bakery.parameters)
