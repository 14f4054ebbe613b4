# SPDX-License-Identifier: MIT
"""Trouble with scanning is 451 and never a clean verdict; it costs the message that met it, not the next one (threats C13–C19)."""
import contextlib
import io
import os
import signal
import threading
import zipfile

import pytest
from harness import mail, processes
from harness.console import Console, full_queue, listener
from harness.places import BUILD, RELEASE_BUILD, until
from harness.postern import clamav_stanza, fake_stanza, make_database

NO_ENGINE = "an engine has no database or is not built: that does not pass by itself"
GOOD_SIGNATURE = "Test.Payload:0:*:" + mail.PAYLOAD.hex() + "\n"


def assert_unknown(pair, content=None, reason=None):
    """CONTENT is answered 451 4.7.1 and does not reach the backend."""
    mark = pair.log.mark()
    reply = pair.deliver(content or mail.plain())
    assert (reply.code, reply.enhanced) == (451, "4.7.1"), reply
    event = pair.log.wait_for("message", since=mark, verdict="error")
    if reason:
        assert event["reason"] in ((reason,) if isinstance(reason, str) else reason), event


def assert_clean_passes(pair, content=None):
    reply = pair.deliver(content or mail.plain())
    assert reply.code == 250, reply


# --- databases ---

def missing(directory):
    return directory / "nowhere"


def empty(directory):
    return make_database(directory / "db", {})


def unreadable(directory):
    path = make_database(directory / "db", {"test.ndb": GOOD_SIGNATURE})
    (path / "test.ndb").chmod(0)
    return path


DATABASES = {
    "missing": missing,
    "empty": empty,
    "garbage": lambda d: make_database(d / "db", {"test.ndb": os.urandom(4000)}),
    "broken line": lambda d: make_database(d / "db", {"test.ndb": GOOD_SIGNATURE + "Broken:0:*:zz\n"}),
    "cut short": lambda d: make_database(d / "db", {"test.ndb": GOOD_SIGNATURE[:-2]}),
    "no signature in it": lambda d: make_database(d / "db", {"test.ndb": ""}),
    "truncated cvd": lambda d: make_database(d / "db", {"main.cvd": b"ClamAV-VDB:" + b"x" * 300}),
}


# C19
@pytest.mark.parametrize("name", DATABASES)
def test_unusable_database_is_451_and_never_clean(start_pair, directory, name):
    pair = start_pair(engines=clamav_stanza(DATABASES[name](directory)))
    pair.postern.book.excuse("L6", because=NO_ENGINE)
    assert_unknown(pair, reason=("down", "engine"))
    assert_unknown(pair, mail.plain(mail.PAYLOAD + b"\r\n"))
    assert pair.log.find("engine-down")


@pytest.mark.root
def test_unreadable_database_is_451_and_never_clean(start_pair, directory):
    pair = start_pair(engines=clamav_stanza(unreadable(directory)))
    pair.postern.book.excuse("L6", because=NO_ENGINE)
    assert_unknown(pair, reason=("down", "engine"))


def test_error_code_is_configurable(start_pair, directory):
    pair = start_pair(engines=clamav_stanza(missing(directory), error_code=421))
    pair.postern.book.excuse("L6", because=NO_ENGINE)
    reply = pair.deliver(mail.plain())
    assert (reply.code, reply.enhanced) == (421, "4.7.1"), reply


# --- engines that are not built ---

NOT_BUILT = {
    "2.x": '''Validate validate/antivirus antivirus {
}

Validate validate/brightmail brightmail {
  timeout = 180
  action = pass
}
''',
    "3.x": '''antivirus "antivirus1" {
  brightmail "brightmail1" { timeout = 180 }
}
''',
}


@pytest.mark.parametrize("form", NOT_BUILT)
def test_stanza_of_an_engine_that_is_not_built_loads_with_a_warning_and_is_451(start_pair, make_postern, form):
    checked = make_postern(engines=NOT_BUILT[form]).check()
    assert checked.returncode == 0, checked.stderr
    assert "brightmail" in checked.stderr and "postern.conf:" in checked.stderr, checked.stderr

    pair = start_pair(engines=NOT_BUILT[form])
    pair.postern.book.excuse("L6", because=NO_ENGINE)
    assert_unknown(pair, reason="down")


def test_engine_that_is_not_built_beside_a_working_one_is_never_clean(start_pair, database):
    both = clamav_stanza(database).replace("}\n}\n", '}\n  brightmail "brightmail1" { }\n}\n')
    pair = start_pair(engines=both)
    pair.postern.book.excuse("L6", because=NO_ENGINE)
    assert_unknown(pair, reason="down")
    # What the working engine finds outranks the other's trouble.
    assert pair.deliver(mail.with_attachment(mail.test_virus())).code == 550


def test_passive_engine_takes_no_part(start_pair, database):
    both = clamav_stanza(database).replace("}\n}\n", '}\n  kaspersky "kaspersky1" { enabled = false }\n}\n')
    assert_clean_passes(start_pair(engines=both))


# --- workers ---

@pytest.fixture
def fake(start_pair):
    pair = start_pair(engines=fake_stanza(timeout="60s"))
    pair.postern.reports_expected = True
    return pair


ORDERS = {
    # order: reasons that may stand in the log
    "crash": "crash", "abort": "crash", "exit 0": "crash", "exit 7": "crash",
    "hang": "timeout", "spin": "timeout", "delay 20000": "timeout",
    "garbage": ("protocol", "crash", "timeout"), "wrong-id": ("protocol", "crash", "timeout"),
    "truncated-answer": ("protocol", "crash", "timeout"), "silent-close": ("protocol", "crash", "timeout"),
    "error engine": "engine", "error memory": "memory", "nonsense": "engine",
}


# C13, C14, C16
@pytest.mark.parametrize("order", ORDERS)
def test_failing_worker_costs_one_message_a_451_and_the_next_passes(start_pair, order):
    hangs = ORDERS[order] == "timeout"
    pair = start_pair(engines=fake_stanza(timeout="2s" if hangs else "60s"))
    pair.postern.reports_expected = True
    assert_unknown(pair, mail.fake_order(order), ORDERS[order])
    if hangs:  # with the same short deadline, which the next worker's birth may exceed
        until(lambda: pair.deliver(mail.plain()).code == 250, "mail passes again")
    else:
        assert_clean_passes(pair)


@pytest.mark.parametrize("order", [*(pytest.param(order, marks=pytest.mark.seccomp) for order in ("fork", "exec", "connect", "kill")),
                                   "open /etc/passwd", "open /proc/1/environ"])
def test_worker_cannot_leave_its_sandbox(fake, order):
    mark = fake.log.mark()
    reply = fake.deliver(mail.fake_order(order))
    event = fake.log.wait_for("message", since=mark)
    assert "Escaped" not in event.get("virus", ""), event
    assert reply.code == 451, reply
    assert_clean_passes(fake)


@pytest.mark.parametrize("reason", ["encrypted", "limit", "malformed", "too-large", "unsupported"])
def test_unscannable_is_refused_with_its_reason(fake, reason):
    reply = fake.deliver(mail.fake_order("unscannable " + reason))
    assert (reply.code, reply.enhanced) == (550, "5.7.1"), reply
    assert fake.backend.mails == []


def test_hostile_name_of_a_virus_is_made_harmless(fake):
    reply = fake.deliver(mail.fake_order("infected Bad\x1b[31m\xff%n\x07 name"))
    assert reply.code == 550
    assert all(0x20 <= ord(c) < 0x7F for c in reply.text), reply


def message_in_the_engine(pair):
    """A message that hangs in the only worker of PAIR: the worker, and a function that waits for the message's reply."""
    (worker,) = pair.postern.wait_workers(1)
    idle = until(lambda: processes.system_call(worker) not in ("running", "gone") and processes.system_call(worker), "the worker waits")
    replies = []
    thread = threading.Thread(target=lambda: replies.append(pair.deliver(mail.fake_order("hang"))))
    thread.start()

    def reply():
        thread.join(30)
        assert replies, "no reply"
        return replies[0]
    until(lambda: processes.system_call(worker) not in (idle, "running"), "the worker hangs in the engine")
    return worker, reply


@pytest.mark.root  # to look into processes that nobody else may look into
@pytest.mark.parametrize("fault", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_worker_killed_in_the_middle_of_a_scan_is_451_and_the_next_passes(start_pair, fault):
    pair = start_pair(engines=fake_stanza(timeout="60s"), pool={"Concurrency": 1})
    _, reply = message_in_the_engine(pair)
    pair.postern.reports_expected = True

    pair.postern.hurt("worker", fault)

    assert reply().code == 451
    assert_clean_passes(pair)
    assert pair.log.wait_for("worker-exit")


# C14
def test_stopped_workers_cost_a_timeout_each_and_the_next_passes(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, timeout="1s"), pool={"Concurrency": 1})
    worker = pair.postern.hurt("worker", signal.SIGSTOP)

    assert_unknown(pair, reason="timeout")

    until(lambda: pair.deliver(mail.plain()).code == 250, "mail passes again")
    assert pair.postern.worker_pids() != [worker]


def test_idle_worker_that_dies_costs_nothing(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), pool={"Concurrency": 1})
    pair.postern.hurt("worker")
    pair.log.wait_for("worker-exit")
    assert_clean_passes(pair)


# C15
@pytest.mark.release
def test_worker_at_its_memory_limit_is_451_and_the_next_passes(start_pair):
    pair = start_pair(build=RELEASE_BUILD, engines=fake_stanza(timeout="20s"), pool={"Concurrency": 1, "memory_limit": "256M"})
    assert_unknown(pair, mail.fake_order("memory 400"), "memory")
    assert_clean_passes(pair)


# C15
@pytest.mark.parametrize("order", ["disk 20", "files 5000000"])
def test_worker_at_the_quota_of_its_temporary_directory_is_451_and_the_next_passes(start_pair, order):
    if order.startswith("files") and os.geteuid() != 0:
        pytest.skip("the number of files is bounded by a tmpfs, which needs root")
    pair = start_pair(engines=fake_stanza(timeout="60s"), pool={"Concurrency": 1, "temp_size": "8M"})
    assert_unknown(pair, mail.fake_order(order))
    assert_clean_passes(pair)


class Thief:
    """Takes the files of a worker's temporary directory away, as fast as it can."""

    def __init__(self, postern):
        host = postern.scan_host_pid()
        arguments = processes.command_line(host)
        self.place = f"/proc/{host}/root{arguments[arguments.index('--temp') + 1]}/0"  # it may be a mount that only the host sees
        self.lock, self.taken, self.over = threading.Lock(), 0, threading.Event()
        self.thread = threading.Thread(target=self._work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _work(self):
        while not self.over.is_set():
            for folder, _, names in os.walk(self.place):
                for name in names:
                    with self.lock:
                        try:
                            os.unlink(f"{folder}/{name}")
                            self.taken += 1
                        except OSError:
                            pass  # its owner was quicker

    def count(self):
        with self.lock:
            return self.taken


# C15
@pytest.mark.root
def test_temporary_files_that_vanish_are_an_error_and_the_next_message_passes(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, timeout="60s", breaker_failures=0), pool={"Concurrency": 1})
    pair.postern.wait_workers(1)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for number in range(300):
            out.writestr(f"{number}.txt", f"Member number {number}.\r\n" * 100)
    content = mail.with_attachment(archive.getvalue(), "many.zip", "application/zip")
    assert_clean_passes(pair, content)
    with Thief(pair.postern) as thief:
        def robbed():
            mark, before = pair.log.mark(), thief.count()
            reply = pair.deliver(content)
            if thief.count() == before:  # nothing was missing
                assert reply.code == 250, reply
                return False
            assert reply.code == 451, reply
            event = pair.log.wait_for("message", since=mark, verdict="error")  # the line of the mail before may come late
            assert event["reason"] == "engine", event
            return True
        until(robbed, "a file was taken in time", 60)
    assert_clean_passes(pair, content)


# C13
def test_message_that_ends_three_workers_is_poison(start_pair):
    pair = start_pair(engines=fake_stanza(timeout="20s"))
    pair.postern.reports_expected = True
    content = mail.fake_order("crash")
    for _ in range(3):
        assert_unknown(pair, content, "crash")
    exits = len(pair.log.find("worker-exit"))
    assert_unknown(pair, content, "poison")
    assert len(pair.log.find("worker-exit")) == exits, "a poisonous message is not scanned again"
    assert pair.log.find("poison")
    assert_clean_passes(pair)


def test_deadlines_do_not_make_a_message_poison(start_pair):
    pair = start_pair(engines=fake_stanza(timeout="300ms"))
    content = mail.fake_order("hang")
    for _ in range(4):
        assert_unknown(pair, content, "timeout")
    assert not pair.log.find("poison")


def test_full_queue_is_451_overload(start_pair):
    pair = start_pair(engines=fake_stanza(timeout="30s"), pool={"Concurrency": 1, "Backlog": 1})
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(pair.deliver(mail.fake_order("delay 2000")))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    codes = sorted(reply.code for reply in replies)
    assert codes.count(250) >= 1 and codes.count(451) >= 1 and set(codes) == {250, 451}, codes
    late = until(lambda: len(found := pair.log.find("message", verdict="error")) + len(pair.log.find("reject", command="DATA")) == codes.count(451)
                 and found, "a line for each")  # the first at least; who comes later may be refused at DATA
    assert {e["reason"] for e in late} == {"overload"}


def test_while_the_queue_is_full_messages_are_refused_before_they_are_received(start_pair, directory):
    path = directory / "control" / "socket"
    pair = start_pair(engines=fake_stanza(timeout="600s", breaker_failures=0, reason_texts='[ overload = "Busy, id %i" ]') + listener(path),
                      pool={"Concurrency": 1, "Backlog": 1})
    console = Console(path)
    told = []

    def refused_at_data():
        reply = pair.deliver(mail.plain())
        assert (reply.code, reply.enhanced) == (451, "4.7.1") and "Busy, id " in reply.text, reply
        told.append(reply)
        return pair.log.find("reject", command="DATA", argument="overload")
    with full_queue(pair, console):
        (refused, *_) = until(refused_at_data, "a refusal at DATA")  # the second: the first had to find out
        assert refused["reply"].startswith("451 4.7.1 Busy, id "), refused
        assert console.json("antivirus", "stats")["engines"][0]["reasons"]["overload"] == len(told)
        assert pair.backend.mails == []
    until(lambda: pair.deliver(mail.plain()).code == 250, "mail flows again")


# --- the scan host ---

def test_killed_scan_host_is_started_again_and_no_mail_is_deferred(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    assert_clean_passes(pair)
    host = pair.postern.scan_host_pid()
    workers = [processes.Watched(pid) for pid in pair.postern.worker_pids()]
    mark = pair.log.mark()

    pair.postern.hurt("scan")

    assert_clean_passes(pair)
    for worker in workers:
        worker.wait_gone(10)  # nobody scans without a broker
    pair.log.wait_for("engine-ready", since=mark, timeout=60)
    assert pair.postern.scan_host_pid() != host


def holds_a_message(pid):
    with contextlib.suppress(OSError):  # it ends meanwhile
        return any("memfd:" in link for link in processes.links(pid).values())
    return False


@pytest.mark.root
def test_message_that_loses_two_scan_hosts_is_451(start_pair):
    """The first may have been chance, so the next one is asked; the second may have been the message."""
    pair = start_pair(engines=fake_stanza(timeout="60s"), pool={"Concurrency": 1})
    _, reply = message_in_the_engine(pair)
    mark = pair.log.mark()
    pair.postern.hurt("scan")
    pair.log.wait_for("engine-ready", since=mark, timeout=60)
    until(lambda: any(holds_a_message(pid) for pid in pair.postern.worker_pids()), "the next one has it", 60)
    pair.postern.hurt("scan")
    assert reply().code == 451
    event = pair.log.wait_for("message", outcome="deferred")
    assert event["reason"] == "down" and "closed the channel" in event["detail"], event
    assert_clean_passes(pair)


def test_builds_under_test_are_there():
    for build in (BUILD, RELEASE_BUILD):
        for program in ("postern", "postern-scan", "postern-avscan"):
            assert (build / "bin" / program).exists(), f"{build}/bin/{program} is not built"
