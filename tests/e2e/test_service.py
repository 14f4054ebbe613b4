# SPDX-License-Identifier: MIT
"""What whoever runs postern as a service sees: signals, readiness, the log file, what children inherit, what is left behind."""
import os
import signal
import socket

import pytest

from harness import mail
from harness.client import Client
from harness.places import SOON, free_port, until
from harness.postern import fake_stanza

CAPABILITIES = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7, "SYS_ADMIN": 21}


def test_a_second_signal_ends_everything_at_once(start_pair):
    pair = start_pair(engines=fake_stanza(), top={"drain_timeout": "1h"})
    with Client(pair.port) as client:
        client.ehlo()
        client.start_data()
        pair.postern.terminate()
        pair.log.wait_for("stop", role=None, reason="signal TERM: open transactions may finish")
        pair.postern.terminate()
        assert pair.postern.process.wait(30) == 0
        pair.log.wait_for("stop", reason="signal TERM again: everything ends at once")
        assert client.rest() == b""  # nobody promised anything
    assert pair.backend.mails == []


def test_a_killed_scan_host_is_replaced_and_mail_flows_again(start_pair):
    pair = start_pair(engines=fake_stanza())
    mark = pair.log.mark()
    first = pair.postern.hurt("scan")
    assert pair.deliver(mail.fake_order("clean")).code == 250  # it waits until there is one
    pair.log.wait_for("child-exit", process="scan CPU", pid=first, status="killed by SIGKILL")
    pair.log.wait_for("engine-ready", since=mark)
    assert pair.postern.scan_host_pid() != first


def test_a_hang_up_changes_nothing_and_says_so(start_pair):
    pair = start_pair(engines=fake_stanza())
    pair.postern.process.send_signal(signal.SIGHUP)
    pair.log.wait_for("config-warning", reason="signal HUP: a changed configuration needs a restart in this version")
    assert pair.deliver(mail.fake_order("clean")).code == 250


def test_the_service_manager_is_told_of_readiness_and_of_the_end(start_postern, directory, monkeypatch):
    path = str(directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(SOON)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        postern = start_postern(engines=fake_stanza())
        assert manager.recv(100) == b"READY=1"
        postern.stop()
        assert manager.recv(100) == b"STOPPING=1"


def test_a_log_file_takes_all_lines_and_belongs_to_the_owner_and_group(start_postern, directory):
    path = directory / "postern.log"
    postern = start_postern(wait_ready=False, engines=fake_stanza(), top={"log": f'"{path}"'})
    until(lambda: path.exists() and '"event":"ready"' in path.read_text(), "ready in the log file")
    postern.stop()
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    for role in ("supervisor", "edge", "scan"):
        assert f'"role":"{role}"' in text
    assert postern.log.lines == []


def test_a_disabled_listener_is_not_opened_and_the_others_keep_their_options(start_postern):
    closed, second = free_port(), free_port()

    def three_listeners(postern):
        text = postern.configuration.text()
        own = f'Listen "127.0.0.1:{postern.port}" {{ }}'
        assert own in text
        return text.replace(own, f'Listen "127.0.0.1:{closed}" {{ enable = off }} {own} Listen "127.0.0.1:{second}" {{ banner = "second" }}')

    class Text:
        """Stands in for the configuration of a postern."""

        def __init__(self, text):
            self.value = text

        def text(self):
            return self.value

    postern = start_postern(engines=fake_stanza())
    postern.stop()
    postern.configuration = Text(three_listeners(postern))
    postern.start()
    with Client(second) as client, Client(postern.port) as other:
        assert "second" in repr(client.greeting)
        assert "second" not in repr(other.greeting)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", closed), 5)
    postern.stop()


def test_temporary_directories_go_away_at_the_end_and_after_a_kill_at_the_next_start(start_postern, directory, monkeypatch):
    temp = directory / "tmp"
    temp.mkdir()
    temp.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(temp))
    postern = start_postern(engines=fake_stanza())
    (killed,) = os.listdir(temp)
    postern.kill()
    assert os.listdir(temp) == [killed]
    postern.start()
    (current,) = os.listdir(temp)
    assert current != killed
    postern.stop()
    assert os.listdir(temp) == []


@pytest.mark.root
def test_children_inherit_next_to_nothing(start_postern, monkeypatch):
    monkeypatch.setenv("SECRET", "of the administrator")
    postern = start_postern(engines=fake_stanza())
    for pid in (postern.edge_pid(), postern.scan_host_pid()):
        with open(f"/proc/{pid}/environ", encoding="ascii") as file:
            names = {item.split("=")[0] for item in file.read().split("\0") if item}
        assert {"PATH", "LANG"} <= names
        assert all(name in ("PATH", "LANG", "POSTERN_NO_SECCOMP", "GCOV_PREFIX") or name.endswith("SAN_OPTIONS") for name in names)


@pytest.mark.root
def test_the_supervisor_keeps_the_capabilities_that_it_needs_and_no_other(start_postern):
    postern = start_postern(engines=fake_stanza())
    with open(f"/proc/{postern.supervisor_pid()}/status", encoding="ascii") as file:
        fields = dict(line.split(":\t", 1) for line in file)
    allowed = sum(1 << number for number in CAPABILITIES.values())
    for field in ("CapPrm", "CapEff", "CapBnd"):
        assert int(fields[field], 16) & ~allowed == 0, field
    assert fields["NoNewPrivs"].strip() == "1"


def test_an_edge_that_refuses_its_configuration_at_the_first_start_ends_the_program(start_postern, directory):
    spool = directory / "everybody"
    spool.mkdir()
    spool.chmod(0o777)  # others may write, and it is not sticky
    postern = start_postern(wait_ready=False, engines=fake_stanza(), spool=spool)
    postern.book.excuse("L6", because="the edge refuses its spool")
    postern.ends_with(78)
    postern.log.wait_for("child-exit", process="edge", status="exit status 78")
