"""Security groups rendered as packet filters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.localcloud.firewall import Filters, Permission, render

EVERYWHERE = Permission("-1", None, None, ("0.0.0.0/0",))


@pytest.mark.parametrize(
    ("permission", "line"),
    [
        (Permission("tcp", 22, 22, ("10.0.0.0/8",)), "-A INPUT -s 10.0.0.0/8 -p tcp --dport 22:22 -j ACCEPT"),
        (Permission("udp", 1000, 2000, ("0.0.0.0/0",)), "-A INPUT -s 0.0.0.0/0 -p udp --dport 1000:2000 -j ACCEPT"),
        (Permission("icmp", -1, -1, ("0.0.0.0/0",)), "-A INPUT -s 0.0.0.0/0 -p icmp -j ACCEPT"),
        (Permission("6", 80, 80, ("10.1.2.3/32",)), "-A INPUT -s 10.1.2.3/32 -p tcp --dport 80:80 -j ACCEPT"),
        (EVERYWHERE, "-A INPUT -s 0.0.0.0/0 -j ACCEPT"),
    ],
)
def test_ingress_permission_becomes_one_accepting_rule(permission: Permission, line: str) -> None:
    assert line in render(Filters((permission,), ()), "10.64.0.1").splitlines()


def test_empty_group_lets_nothing_in_and_only_metadata_and_names_out() -> None:
    accepted = [line for line in render(Filters((), ()), "10.64.0.1").splitlines() if line.endswith("ACCEPT")]
    new_out = [line for line in accepted if "OUTPUT" in line and "lo" not in line.split() and "conntrack" not in line]
    assert [line for line in accepted if "INPUT" in line and " lo " not in line and "conntrack" not in line] == []
    assert {line.split()[3] for line in new_out} == {"169.254.169.254", "10.64.0.1"}


def test_group_without_members_accepts_nobody() -> None:
    with_rule = Filters((Permission("tcp", 22, 22, ()),), ())
    assert render(with_rule, "10.64.0.1") == render(Filters((), ()), "10.64.0.1")


PERMISSIONS = st.builds(
    Permission,
    protocol=st.sampled_from(["tcp", "udp", "icmp", "-1"]),
    from_port=st.integers(0, 100),
    to_port=st.integers(100, 65535),
    peers=st.lists(st.sampled_from(["10.0.0.0/8", "10.64.0.4/32", "0.0.0.0/0"]), max_size=3).map(tuple),
)


@given(st.lists(PERMISSIONS, max_size=6))
def test_order_and_repetition_of_permissions_do_not_change_the_table(permissions: list[Permission]) -> None:
    straight = render(Filters(tuple(permissions), ()), "10.64.0.1")
    assert render(Filters(tuple([*reversed(permissions), *permissions]), ()), "10.64.0.1") == straight


@given(st.lists(PERMISSIONS, max_size=6))
def test_everything_not_named_is_dropped(permissions: list[Permission]) -> None:
    table = render(Filters(tuple(permissions), tuple(permissions)), "10.64.0.1").splitlines()
    assert {":INPUT DROP [0:0]", ":OUTPUT DROP [0:0]", ":FORWARD DROP [0:0]"} <= set(table)
    assert table[-1] == "COMMIT"
