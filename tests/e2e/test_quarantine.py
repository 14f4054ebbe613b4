# SPDX-License-Identifier: MIT
"""action = quarantine: what must not be delivered is on disk, whole and for nobody else, before its sender hears anything; whatever goes
wrong with that is 451 (threats B41–B43, C26, C35, C36, E.3)."""
import hashlib
import json
import os
import re
import stat
import threading
import time
from pathlib import Path

import pytest
from harness import client as clients
from harness import mail
from harness.backend import Drop, Reply, Wait
from harness.client import dot_stuffed
from harness.console import Console, listener
from harness.places import until
from harness.postern import fake_stanza

ID = re.compile(r"\d{14}-[0-9a-f]{32}")
INFECTED = "infected Test.Virus"


def keeping(**options):
    return fake_stanza(action="quarantine", **options)


class Entry:
    """One entry as it lies on disk."""

    def __init__(self, meta_path):
        self.path, self.content_path = meta_path, meta_path.with_suffix(".eml")
        self.id = meta_path.stem
        self.meta = json.loads(meta_path.read_text("ascii"))
        self.content = self.content_path.read_bytes()


def entries(postern):
    return [Entry(path) for path in sorted(postern.quarantine.glob("*/*.json"))]


def files(postern):
    """All but the reserve, which is always there."""
    return sorted(path for path in postern.quarantine.rglob("*") if path.is_file() and path.name != ".reserve")


def order(text=INFECTED, body=b"For the test engine.\r\n"):
    return mail.fake_order(text, body)


def assert_kept(pair, content, reply, count=1):
    """CONTENT is in quarantine, as its log line says; the entry."""
    event = pair.log.wait_for("message", outcome="quarantined", count=count)
    found = {entry.id: entry for entry in entries(pair.postern)}
    assert event["quarantine"] in found, (event, sorted(found))
    entry = found[event["quarantine"]]
    assert entry.content == content
    assert entry.meta["id"] == entry.id and entry.meta["message"] == event["id"] and entry.meta["session"] == event["session"]
    assert entry.meta["status"] == "held" and entry.meta["size"] == len(content)
    assert entry.meta["sha256"] == hashlib.sha256(content).hexdigest() == event["sha256"]
    assert event["action"] == "quarantine" and event["reply"].startswith(str(reply.code)), event
    assert not pair.backend.commands("DATA")
    return entry


def test_an_infected_message_is_accepted_and_kept(start_pair):
    pair = start_pair(engines=keeping())
    content = order(body=b"A line\r\n.\r\n.. dots\r\n\xff\xfe eight bits\r\n")
    reply = pair.deliver(content, sender="a@x.test", recipients=["b@y.test", "c@y.test"])
    assert (reply.code, reply.enhanced) == (250, "2.0.0"), reply
    entry = assert_kept(pair, content, reply)
    assert entry.id in reply.text and ID.fullmatch(entry.id), reply
    meta = entry.meta
    assert meta["sender"] == "<a@x.test>" and meta["recipients"] == ["<b@y.test>", "<c@y.test>"]
    assert (meta["verdict"], meta["virus"], meta["engine"]) == ("infected", "Test.Virus", "fake1")
    assert meta["mark"] == 'infected; name="Test.Virus"; engine=fake1' and meta["reply"].startswith("250 2.0.0 ")
    assert meta["header_subject"] == "a test" and meta["header_from"] == "<a@client.test>" and meta["header_to"] == "<b@y.test>"
    assert meta["client"].startswith("127.0.0.1:") and meta["helo"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", meta["time"])
    assert abs(meta["time_ms"] / 1000 - time.time()) < 600
    assert pair.backend.commands("RSET"), "the backend is not told to forget the envelope"


def test_a_message_is_refused_and_kept_as_evidence(start_pair):
    pair = start_pair(engines=keeping(quarantine_reply="reject", infected_code=554))
    content = order()
    reply = pair.deliver(content)
    assert (reply.code, reply.enhanced) == (554, "5.7.1") and "Test.Virus" in reply.text, reply
    assert assert_kept(pair, content, reply).meta["reply"].startswith("554 5.7.1 ")


def test_each_reason_of_an_unscannable_message_can_mean_quarantine(start_pair):
    pair = start_pair(engines=fake_stanza(on_encrypted="quarantine"))
    content = order("unscannable encrypted")
    reply = pair.deliver(content)
    assert reply.code == 250, reply
    entry = assert_kept(pair, content, reply)
    assert (entry.meta["verdict"], entry.meta["reason"]) == ("unscannable", "encrypted")
    assert pair.deliver(order("unscannable limit")).code == 550
    assert pair.deliver(order("error engine")).code == 451
    assert pair.deliver(order("clean")).code == 250
    assert len(entries(pair.postern)) == 1 and len(pair.backend.wait_mails(1)) == 1


def test_trouble_with_scanning_is_never_kept_in_the_place_of_a_verdict(start_pair):
    pair = start_pair(engines=keeping())
    assert pair.deliver(order("error timeout")).code == 451
    assert files(pair.postern) == []


def test_nobody_else_may_read_what_is_kept(start_pair):
    pair = start_pair(engines=keeping())
    pair.deliver(order())
    edge = Path(f"/proc/{pair.postern.edge_pid()}/status").read_text("ascii")
    owner = int(re.search(r"Uid:\s+(\d+)", edge)[1])
    for path in (pair.postern.quarantine, *pair.postern.quarantine.rglob("*")):
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o700 if path.is_dir() else 0o600, owner), path
    assert owner != 0


# B43
@pytest.mark.parametrize("name", ["../../../../etc/passwd", "/etc/passwd", "a\\0b", "x" * 300, "20261122023015-" + "0" * 32 + ".json"])
def test_no_name_comes_from_the_mail(start_pair, name):
    pair = start_pair(engines=keeping())
    content = mail.plain(b"words\r\n", [f"X-Fake: {INFECTED}", f'Content-Disposition: attachment; filename="{name}"',
                                        f"Message-ID: <{name}@x>"], subject=name)
    reply = pair.deliver(content)
    assert reply.code == 250, reply
    entry = assert_kept(pair, content, reply)
    assert entry.meta["header_subject"] == name[:299]
    found = [path.relative_to(pair.postern.quarantine).as_posix() for path in files(pair.postern)]
    assert all(re.fullmatch(r"\d{10}/" + ID.pattern + r"\.(eml|json)", path) for path in found), found


def test_large_messages_are_kept_octet_by_octet(start_pair):
    pair = start_pair(engines=keeping(), top={"large_message_threshold": "64K"})
    content = order(body=(b"0123456789" * 7 + b"\r\n") * 60000)
    reply = pair.deliver(content)
    assert reply.code == 250, reply
    assert_kept(pair, content, reply)


def test_one_of_several_messages_of_a_session_is_kept_and_the_others_pass(start_pair):
    pair = start_pair(engines=keeping())
    with pair.client() as client:
        client.ehlo()
        codes = [client.message(order(text)).code for text in ("clean", INFECTED, "clean")]
        client.quit()
    assert codes == [250, 250, 250]
    assert len(pair.backend.wait_mails(2)) == 2 and len(entries(pair.postern)) == 1
    assert pair.log.wait_for("close")["delivered"] == 2


def test_many_at_once_on_several_loops_are_all_kept(start_pair):
    pair = start_pair(engines=keeping(), top={"event_loops": 4})
    sent, replies = [order(body=f"number {number}\r\n".encode() * 3000) for number in range(32)], []

    def client(part):
        for content in part:
            replies.append(pair.deliver(content))

    threads = [threading.Thread(target=client, args=(sent[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.code for reply in replies] == [250] * 32
    found = entries(pair.postern)
    assert sorted(entry.content for entry in found) == sorted(sent)
    assert all(any(entry.id in reply.text for reply in replies) for entry in found)


# --- what goes wrong ---

def assert_not_kept(pair, content, reply, detail):
    assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
    failed = pair.log.wait_for("quarantine-failed", step="quarantine")  # who looks after retention may have something to say of his own
    assert detail in failed["detail"] and failed["id"], failed
    assert pair.log.wait_for("message", outcome="deferred")["virus"] == "Test.Virus"
    assert not pair.backend.commands("DATA")


@pytest.mark.parametrize("reply", ["accept", "reject"])
def test_a_full_quarantine_drives_nothing_young_out_and_says_so(start_pair, reply):
    """threats.md C35: what would have been accepted stays with its sender; what is refused anyway is refused, without a copy."""
    pair = start_pair(engines=keeping(quarantine_reply=reply), top={"quarantine_max_size": "64K"})
    expected = {"accept": 250, "reject": 550}[reply]
    for _ in range(8):  # two blocks each
        assert pair.deliver(order()).code == expected
    kept = [entry.id for entry in entries(pair.postern)]
    content = order()
    answer = pair.deliver(content)
    if reply == "accept":
        assert_not_kept(pair, content, answer, "full")
    else:
        assert (answer.code, answer.enhanced) == (550, "5.7.1"), answer
        assert "full" in pair.log.wait_for("quarantine-failed")["detail"]
        assert pair.log.wait_for("message", outcome="refused")["virus"] == "Test.Virus"
        assert not pair.backend.commands("DATA")
    assert [entry.id for entry in entries(pair.postern)] == kept


def test_old_entries_make_room_for_new_ones(start_pair):
    pair = start_pair(engines=keeping(), top={"quarantine_max_size": "64K", "quarantine_min_age": 0})
    for _ in range(12):
        assert pair.deliver(order()).code == 250
    assert len(entries(pair.postern)) == 8
    gone = pair.log.find("quarantine")
    assert len(gone) == 4 and all("to make room" in event["detail"] and event["quarantine"] for event in gone), gone


def test_a_message_that_is_larger_than_quarantine_is_deferred(start_pair):
    pair = start_pair(engines=keeping(), top={"quarantine_max_size": "64K"})
    content = order(body=b"a line\r\n" * 10000)
    assert_not_kept(pair, content, pair.deliver(content), "larger than quarantine_max_size")


def test_a_directory_that_cannot_be_written_defers(start_pair):
    pair = start_pair(engines=keeping())
    now = time.time()
    for ahead in range(3):  # the hour may change while the test runs
        (pair.postern.quarantine / time.strftime("%Y%m%d%H", time.gmtime(now + 3600 * ahead))).write_bytes(b"")
    content = order()
    assert_not_kept(pair, content, pair.deliver(content), "cannot make a directory")
    for path in files(pair.postern):
        path.unlink()
    assert pair.deliver(order()).code == 250


def wait_for_part(postern, whole):
    """Until octets are on their way to the disk beside WHOLE entries; whether they are not yet one."""
    until(lambda: len(files(postern)) > 2 * whole, "something is written", interval=0.0005)
    return len(list(postern.quarantine.glob("*/*.json"))) == whole


def send_large(client, content):
    client.ehlo()
    client.envelope()
    client.command("DATA", 354)
    client.send(dot_stuffed(content) + b".\r\n")


def test_a_client_that_leaves_meanwhile_does_not_take_the_copy_with_it(start_pair):
    pair = start_pair(engines=keeping())
    content = order(body=(b"0123456789" * 7 + b"\r\n") * 300000)
    early = False
    for number in range(1, 41):  # where the disk is too fast for us, once more
        client = pair.client()
        send_large(client, content)
        early = wait_for_part(pair.postern, number - 1)
        client.close()
        event = pair.log.wait_for("message", count=number)
        assert event["outcome"] == "quarantined" and event["sha256"] == hashlib.sha256(content).hexdigest(), event
        assert event["quarantine"] in [entry.id for entry in entries(pair.postern)]
        if early:
            break
    assert early, "every copy was whole before the client could leave"


def test_an_edge_that_is_killed_while_it_writes_leaves_a_whole_entry_or_none(start_pair):
    pair = start_pair(engines=keeping())
    pair.postern.book.excuse("L8", because="the edge had no time for its lines")
    content = order(body=(b"0123456789" * 7 + b"\r\n") * 150000)
    whole = 0
    for number in range(1, 5):
        client = pair.client()
        send_large(client, content)
        before = len(entries(pair.postern))
        wait_for_part(pair.postern, before)
        if number % 2 == 0:  # once it has its name, so between the disk and the reply
            until(lambda: len(list(pair.postern.quarantine.glob("*/*.json"))) > before, "it has its name", interval=0.0005)
        pair.postern.hurt("edge")
        pair.log.wait_for("start", role="edge", count=number + 1)
        until(lambda: pair.deliver(order("clean")).code == 250, "mail passes again")
        found = entries(pair.postern)
        assert len(files(pair.postern)) == 2 * len(found), files(pair.postern)
        assert all(entry.content == content for entry in found)
        assert len(found) in (whole, whole + 1) and (number % 2 or len(found) == whole + 1)
        whole = len(found)
        client.close()


def test_what_was_accepted_is_there_after_the_edge_was_killed(start_pair):
    pair = start_pair(engines=keeping())
    content = order()
    reply = pair.deliver(content)
    pair.log.wait_for("message", outcome="quarantined")
    pair.postern.hurt("edge")
    pair.log.wait_for("start", role="edge", count=2)
    until(lambda: pair.deliver(order("clean")).code == 250, "mail passes again")
    assert assert_kept_on_disk(pair, content).id in reply.text


def assert_kept_on_disk(pair, content):
    found = entries(pair.postern)
    assert len(found) == 1 and found[0].content == content
    return found[0]


# --- retention ---

def test_what_is_too_old_is_deleted_with_a_line_in_the_log(start_pair):
    pair = start_pair(engines=keeping(), top={"quarantine_max_age": "1s", "quarantine_min_age": 0, "quarantine_sweep": "100ms"})
    assert pair.deliver(order()).code == 250
    entry = pair.log.wait_for("message", outcome="quarantined")["quarantine"]
    gone = pair.log.wait_for("quarantine", quarantine=entry)
    assert "quarantine_max_age" in gone["detail"], gone
    until(lambda: files(pair.postern) == [], "the files are gone")


def test_what_was_kept_before_grows_old_after_the_action_has_changed(start_postern, directory):
    first = start_postern(engines=keeping())
    assert clients.deliver(first.port, order()).code == 250
    first.log.wait_for("message", outcome="quarantined")
    first.finish()
    second = start_postern(engines=fake_stanza(), top={"quarantine_directory": f'"{first.quarantine}"', "quarantine_max_age": "1s",
                                                       "quarantine_min_age": 0, "quarantine_sweep": "100ms"})
    second.log.wait_for("quarantine")
    until(lambda: files(first) == [], "the files are gone")
    first.book.checked = True  # it was checked, when its entry was there
    assert second.log.find("quarantine")


# --- the directory ---

def refuses(postern, detail):
    postern.start(wait_ready=False)
    postern.ends_with(78)
    found = postern.log.find("config")
    assert found and detail in found[0]["reason"], postern.log.tail()


def test_a_second_postern_on_the_same_quarantine_does_not_start(start_postern, make_postern):
    first = start_postern(engines=keeping())
    second = make_postern(engines=keeping(), top={"quarantine_directory": f'"{first.quarantine}"'})
    refuses(second, "in use by another process")


@pytest.mark.parametrize("spoil", ["open to others", "a link", "a file"])
def test_a_directory_that_is_not_ours_alone_is_refused_and_check_says_so(make_postern, directory, spoil):
    postern = make_postern(engines=keeping())
    if spoil == "open to others":
        postern.quarantine.mkdir()
        postern.quarantine.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(postern.quarantine, postern.spool.stat().st_uid, -1)
    elif spoil == "a link":
        postern.quarantine.symlink_to(directory)
    else:
        postern.quarantine.write_bytes(b"")
    expected = "expected user" if spoil == "open to others" else "not a directory"
    checked = postern.check()
    assert checked.returncode == 0 and "warning: quarantine_directory" in checked.stderr and expected in checked.stderr, checked
    refuses(postern, expected)


def test_check_is_content_with_a_directory_that_can_be_made(make_postern):
    checked = make_postern(engines=keeping()).check()
    assert "quarantine" not in checked.stderr, checked.stderr
    missing = make_postern(engines=keeping(), top={"quarantine_directory": '"/nonexistent/deeper/quarantine"'}).check()
    assert "warning: quarantine_directory" in missing.stderr and "No such file" in missing.stderr, missing.stderr


def test_without_quarantine_in_the_configuration_nothing_is_made(start_pair):
    pair = start_pair(engines=fake_stanza())
    assert pair.deliver(order()).code == 550
    assert not pair.postern.quarantine.exists()


# --- the console ---

@pytest.fixture
def start_console(start_pair, directory):
    """A pair with quarantine and a console: (pair, console)."""
    def start(top=None, **options):
        path = directory / "control" / "socket"
        return start_pair(engines=keeping(**options) + listener(path), top=top), Console(path)
    return start


def keep(pair, content, **envelope):
    """The id of CONTENT in quarantine."""
    known = {entry.id for entry in entries(pair.postern)}
    assert pair.deliver(content, **envelope).code in (250, 550)
    event = pair.log.wait_for("message", outcome="quarantined", count=len(known) + 1)
    assert event["quarantine"] not in known
    return event["quarantine"]


def status(pair, entry):
    return next(found.meta["status"] for found in entries(pair.postern) if found.id == entry)


def fails(console, *words):
    done = console.run("quarantine", *words)
    assert (done.returncode, done.stdout) == (1, ""), done
    return done.stderr


def released(entry, content):
    return (f"X-Postern-Released: {entry}; host=gw.example.org\r\n"
            'X-Virus-Status: infected; name="Test.Virus"; engine=fake1; host=gw.example.org\r\n').encode() + content


def test_entries_are_listed_in_pages_shown_and_deleted(start_console):
    pair, console = start_console()
    assert console.json("quarantine", "list")["entries"] == []
    ids = [keep(pair, mail.plain(b"x\r\n", [f"X-Fake: {INFECTED}"], subject=f"number {n} \x1b[31m")) for n in range(5)]
    first = console.json("quarantine", "list", "3")
    second = console.json("quarantine", "list", "3", first["older"])
    pages = first["entries"] + second["entries"]
    assert len(first["entries"]) == 3 and second["older"] is None and first["all_entries"] == 5
    assert [entry["id"] for entry in pages] == sorted(ids, reverse=True)
    assert all(entry["status"] == "held" and entry["found"] == "Test.Virus" and entry["sender"] for entry in pages)
    text = console.ask("quarantine", "list")
    assert all(entry in text for entry in ids) and "\x1b" not in text and "number 0 ?[31m" in text
    shown = console.json("quarantine", "show", ids[2])
    assert shown["id"] == ids[2] and shown["virus"] == "Test.Virus" and shown["recipients"] and shown["header_subject"] == "number 2 \x1b[31m"
    assert ids[2] in console.ask("quarantine", "show", ids[2])
    assert console.ask("quarantine", "delete", ids[2]) == "deleted\n"
    assert pair.log.wait_for("quarantine", quarantine=ids[2])["asked_by"]
    assert "there is no" in fails(console, "show", ids[2]) and "there is no" in fails(console, "delete", ids[2])
    assert len(files(pair.postern)) == 8


# B43
@pytest.mark.parametrize("name", ["../../../../etc/passwd", "x", "20261122023015-" + "A" * 32, "20261122023015-" + "0" * 32 + "/..", "%s%n"])
def test_nothing_but_an_id_is_looked_for(start_console, name):
    _, console = start_console()
    for words in (["show", name], ["delete", name], ["release", name], ["list", "5", name]):
        assert "no id of quarantine" in fails(console, *words)


def test_a_released_message_reaches_the_backend_as_it_was_with_two_lines_in_front(start_console):
    pair, console = start_console()
    content = order(body=b"words\r\n.\r\n..\r\n\xff\r\n")
    entry = keep(pair, content, sender="a@x.test", recipients=["b@y.test", "c@y.test"])
    assert console.ask("quarantine", "release", entry) == "released; the backend said: 250 2.0.0 queued as 4711\n"
    got, = pair.backend.wait_mails(1)
    assert got.content == released(entry, content)
    assert re.match(rb"FROM:<a@x.test> SIZE=\d+", got.sender) and got.recipients == [b"TO:<b@y.test>", b"TO:<c@y.test>"]
    assert status(pair, entry) == "released"
    line = pair.log.wait_for("quarantine", quarantine=entry)
    assert (line["action"], line["detail"]) == ("release", "250 2.0.0 queued as 4711") and line["asked_by"]
    assert "released before" in fails(console, "release", entry)
    assert len(pair.backend.mails) == 1


@pytest.mark.root
def test_a_message_is_released_on_a_full_disk(small_disk, start_console):
    pair, console = start_console(top={"quarantine_directory": f'"{small_disk}/quarantine"'})
    pair.postern.quarantine = small_disk / "quarantine"
    contents = [order(body=b"%d\r\n" % n) for n in range(3)]
    ids = [keep(pair, content) for content in contents]
    with open(small_disk / "filler", "wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        while True:
            filler.write(bytes(4096))
    for count, (entry, content) in enumerate(zip(ids, contents), 1):
        assert console.ask("quarantine", "release", entry) == "released; the backend said: 250 2.0.0 queued as 4711\n"
        assert pair.backend.wait_mails(count)[-1].content == released(entry, content)
        assert status(pair, entry) == "released"
    console.ask("quarantine", "delete", ids[0])
    pair.log.wait_for("quarantine", quarantine=ids[0], action="delete")


def test_a_second_release_that_is_refused_does_not_forget_the_first(start_console):
    pair, console = start_console()
    entry = keep(pair, order())
    console.ask("quarantine", "release", entry)
    pair.backend.on("rcpt", Reply(550, "5.1.1 nobody"), times=1)
    assert "nobody" in fails(console, "release", "again", entry)
    assert status(pair, entry) == "released"
    assert "released before" in fails(console, "release", entry)
    assert len(pair.backend.mails) == 1


@pytest.mark.root
def test_an_entry_that_cannot_be_read_does_not_hide_the_others(start_console):
    pair, console = start_console()
    broken, whole = keep(pair, order()), keep(pair, order())
    (entry,) = [e for e in entries(pair.postern) if e.id == broken]
    os.chown(entry.path, 0, 0)
    listed = console.ask("quarantine", "list")
    assert whole in listed and broken in listed, listed
    console.ask("quarantine", "delete", broken)


def test_a_page_whose_entries_have_vanished_ends_nothing(start_console):
    """The newest entry comes and goes while pages of one are asked for."""
    pair, console = start_console()
    keep(pair, order())
    newest = keep(pair, order())
    (entry,) = [e for e in entries(pair.postern) if e.id == newest]
    edge, over = pair.postern.edge_pid(), threading.Event()

    def come_and_go():
        while not over.is_set():
            os.rename(entry.path, f"{entry.path}.aside")
            os.rename(f"{entry.path}.aside", entry.path)

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        with console.session() as session:
            for _ in range(300):
                session.ask("quarantine list 1")
    finally:
        over.set()
        other.join()
    assert pair.postern.edge_pid() == edge


def test_a_large_refused_message_is_released_too(start_console):
    pair, console = start_console(quarantine_reply="reject")
    content = order(body=(b"0123456789" * 7 + b"\r\n") * 40000)
    entry = keep(pair, content)
    console.ask("quarantine", "release", entry)
    assert pair.backend.wait_mails(1)[0].content == released(entry, content)


@pytest.mark.parametrize("stage, says", [("mail", "450 4.7.1 not now"), ("rcpt", "550 5.1.1 nobody"), ("data", "451 4.3.0 later"),
                                         ("dot", "554 5.7.1 a virus")])
def test_what_the_backend_refuses_stays_held_with_its_words(start_console, stage, says):
    pair, console = start_console()
    entry = keep(pair, order())
    pair.backend.on(stage, Reply(int(says[:3]), says[4:]), times=1)
    assert says in fails(console, "release", entry)
    assert status(pair, entry) == "held"
    assert console.json("quarantine", "show", entry)["outcome"].startswith(says)
    assert pair.log.wait_for("quarantine-failed", quarantine=entry)["action"] == "release-refused"
    console.ask("quarantine", "release", entry)
    assert status(pair, entry) == "released"


def test_a_backend_that_is_not_there_leaves_it_held(start_console):
    pair, console = start_console()
    entry = keep(pair, order())
    pair.backend.stop()
    assert "not released" in fails(console, "release", entry)
    assert status(pair, entry) == "held"
    pair.backend.start()
    console.ask("quarantine", "release", entry)
    assert pair.backend.wait_mails(1)


def test_a_connection_lost_after_the_dot_is_said_and_a_second_copy_needs_a_word(start_console):
    pair, console = start_console()
    content = order()
    entry = keep(pair, content)
    pair.backend.on("dot", Drop(), times=1)
    assert "not known" in fails(console, "release", entry)
    assert status(pair, entry) == "releasing"
    assert "say so" in fails(console, "release", entry)
    console.ask("quarantine", "release", "again", entry)
    assert [got.content for got in pair.backend.wait_mails(2)] == [released(entry, content)] * 2
    assert status(pair, entry) == "released"


def test_an_edge_that_is_killed_during_a_release_leaves_it_releasing(start_console):
    pair, console = start_console()
    entry = keep(pair, order())
    waiting = pair.backend.on("rcpt", Wait(), times=1)
    asked = console.session()
    asked.send(f"quarantine release {entry}\n".encode())
    assert waiting.entered.wait(60)
    assert status(pair, entry) == "releasing"
    pair.postern.hurt("edge")
    pair.log.wait_for("start", role="edge", count=2)
    waiting.release.set()
    assert status(pair, entry) == "releasing"
    until(lambda: pair.deliver(order("clean")).code == 250, "mail passes again")
    assert "not known" in fails(console, "release", entry)
    console.ask("quarantine", "release", "again", entry)
    assert status(pair, entry) == "released"
