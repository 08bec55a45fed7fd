"""HAProxy's answers, parsed; what its log says of a request."""

from goldfleet.localcloud.balancer.logs import access_line
from goldfleet.localcloud.balancer.statistics import has_old_workers, parse_description, parse_statistics

# An excerpt of what HAProxy 2.6.12 really answered, with the columns that are read.
SHOW_STAT = """# pxname,svname,qcur,scur,status,check_status,check_code,last_chk
listener-80,FRONTEND,,0,OPEN,,,
web,i-1:80:1,0,2,UP 1/2,* L7STS,503,"wrong status, found 503"
web,i-1:80:1:open,0,0,no check,,,
web,BACKEND,0,2,UP,,,
web:probes,i-2:80:2,0,0,UP,INI,,
"""
SHOW_PROC = """#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          1 [failed: 0]   0d00h08m06s     2.6.12-1+deb12u4
# workers
11              worker          0               0d00h08m03s     2.6.12-1+deb12u4
{}# programs

"""


def test_servers_are_read_and_sums_left_out() -> None:
    found = parse_statistics(SHOW_STAT)
    assert sorted(found) == [("web", "i-1:80:1"), ("web", "i-1:80:1:open"), ("web:probes", "i-2:80:2")]
    failing = found["web", "i-1:80:1"]
    assert (failing.is_up, failing.check_status, failing.check_code, failing.sessions) == (True, "L7STS", "503", 2)


def test_server_without_a_finished_check_has_not_been_checked() -> None:
    assert not parse_statistics(SHOW_STAT)["web:probes", "i-2:80:2"].has_been_checked


def test_answer_that_is_no_table_has_no_servers() -> None:
    assert parse_statistics("Unknown command\n") == {}


def test_description_names_the_configuration() -> None:
    assert parse_description("Name: HAProxy\ndescription: d48c5af06cb21ddc\nTainted: 0\n") == "d48c5af06cb21ddc"
    assert parse_description("Name: HAProxy\n") == ""


def test_old_workers_are_seen() -> None:
    old = "# old workers\n7               worker          1               0d00h10m00s     2.6.12-1+deb12u4\n"
    assert has_old_workers(SHOW_PROC.format(old))
    assert not has_old_workers(SHOW_PROC.format(""))


LINE = (
    '{"time":1795567913395,"target_group":"web","server":"i-1:80:1:open","status":200,"milliseconds":12,'
    '"method":"GET","path":"\\/a\\"b","client":"10.64.0.1","termination":"--"}'
)


def test_request_is_told_with_instance_and_seconds() -> None:
    assert access_line(LINE, "site", {"web": "arn:web"}.__getitem__) == {
        "time": 1795567913.395, "load_balancer": "site", "target_group": "arn:web", "target": "i-1", "status": 200,
        "seconds": 0.012, "method": "GET", "path": '/a"b', "client": "10.64.0.1", "termination": "--",
    }  # fmt: skip


def test_request_without_a_target_has_none() -> None:
    line = access_line(LINE.replace("i-1:80:1:open", "<NOSRV>"), "site", lambda _name: "")
    assert line is not None
    assert line["target"] == ""


def test_haproxys_own_messages_are_no_requests() -> None:
    assert access_line("Server web/i-1 is DOWN.", "site", lambda _name: "") is None
