# SPDX-License-Identifier: MIT
"""The console: its pages and figures, who may use it, live changes under load, clients that misbehave, and the program postern-console."""
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
from harness import mail, processes
from harness.client import deliver
from harness.console import Console, listener
from harness.places import BUILD, SOON, until
from harness.postern import fake_stanza

POSTERN_USER = 65534  # there is no account "postern" on a test machine, so it is nobody's


@pytest.fixture
def start_console(start_pair, directory):
    """A pair with a console: (pair, console)."""
    count = iter(range(100))

    def start(engines=None, control=None, **options):
        path = directory / f"control{next(count)}" / "socket"
        pair = start_pair(engines=(engines or fake_stanza()) + listener(path, **(control or {})), **options)
        return pair, Console(path)
    return start


def two_engines(database):
    return (f'antivirus "av1" {{\n  clamav "clamav" {{ database = "{database}" timeout = 20s }}\n'
            '  fake "csapi" { timeout = 20s }\n}\n')


# --- statistics ---

# The sample of the original's manual, with the engines of the test in it.
PAGE = """clamav
  Messages checked:   {0[checked]}
  MIME parts checked: {0[checked]}
  Viruses detected:   {0[viruses]}
  Viruses cured:      0
  Avg. time/message   {0[time]}ms
  Avg. time/MIME part {0[time]}ms
fake
  Messages checked:   {1[checked]}
  MIME parts checked: {1[checked]}
  Viruses detected:   {1[viruses]}
  Viruses cured:      0
  Avg. time/message   {1[time]}ms
  Avg. time/MIME part {1[time]}ms
"""


def test_the_statistics_page_is_the_originals_with_true_figures(start_console, database):
    pair, console = start_console(two_engines(database))
    nothing = {"checked": 0, "viruses": 0, "time": "nan"}
    assert console.ask("antivirus:av1", "stats") == PAGE.format(nothing, nothing)

    for _ in range(5):
        assert pair.deliver(mail.plain()).code == 250
    for _ in range(2):
        assert pair.deliver(mail.with_attachment(mail.test_virus())).code == 550  # clamav comes first, so csapi is not asked
    assert pair.deliver(mail.fake_order("infected Some.Virus")).code == 550
    assert pair.deliver(mail.fake_order("unscannable encrypted")).code == 550
    assert pair.deliver(mail.fake_order("error engine")).code == 451  # it did not look at that one

    clamav, csapi = console.json("antivirus:av1", "stats")["engines"]
    truth = [{"checked": 10, "viruses": 2, "time": f"{clamav['average_scan_ms']:.3f}"},
             {"checked": 7, "viruses": 1, "time": f"{csapi['average_scan_ms']:.3f}"}]
    assert console.ask("antivirus:av1", "stats") == PAGE.format(*truth)
    assert console.ask("antivirus", "stats") == PAGE.format(*truth)
    assert 0 < csapi["average_scan_ms"] < SOON * 1000

    # What is in the log is what was counted.
    events = pair.log.find("message")
    assert clamav["scan_ms"] + csapi["scan_ms"] == pytest.approx(sum(event["engine_ms"] for event in events), abs=0.1 + csapi["scan_ms"])
    assert csapi["classes"] == {"clean": 5, "infected": 1, "unscannable": 1, "error": 1, "skipped": 0}
    assert {name: count for name, count in csapi["reasons"].items() if count} == {"encrypted": 1, "engine": 1}
    assert clamav["classes"]["infected"] == 2 and not any(clamav["reasons"].values())

    failed = console.run("antivirus:other", "stats")
    assert (failed.returncode, failed.stdout) == (1, "") and '"other"' in failed.stderr


def test_what_the_cache_knows_is_checked_but_does_not_make_scans_look_quick(start_console):
    """A virus whose scan takes a second, four times: the average is that of the one scan."""
    pair, console = start_console()
    content = mail.plain(headers=["X-Fake: delay 1000", "X-Fake: infected Slow.Virus"])
    for _ in range(4):
        assert pair.deliver(content).code == 550
    (engine,) = console.json("antivirus", "stats")["engines"]
    figures = {key: engine[key] for key in ("messages_checked", "viruses_detected", "known_from_cache", "messages_scanned")}
    assert figures == {"messages_checked": 4, "viruses_detected": 4, "known_from_cache": 3, "messages_scanned": 1}
    assert engine["average_scan_ms"] == pytest.approx(engine["scan_ms"], abs=0.01) and engine["scan_ms"] >= 1000
    page = console.ask("antivirus", "stats")
    assert "Messages checked:   4\n" in page and f"Avg. time/message   {engine['average_scan_ms']:.3f}ms\n" in page


@pytest.mark.parametrize("options,order,passed", [
    ({"on_error": "pass"}, "error engine", "error"),
    ({"on_engine": "pass"}, "error engine", "error"),
    ({"on_encrypted": "pass"}, "unscannable encrypted", "unscannable"),
    ({"action": "pass"}, "infected Some.Virus", "infected"),
])
def test_what_an_option_lets_through_shows_in_counter_log_and_header(start_console, options, order, passed):
    pair, console = start_console(fake_stanza(breaker_failures=0, **options))
    assert pair.deliver(mail.plain()).code == 250
    nothing = {"infected": 0, "unscannable": 0, "error": 0}
    assert console.json("antivirus", "stats")["engines"][0]["passed"] == nothing
    mark = pair.log.mark()
    for _ in range(2):
        assert pair.deliver(mail.fake_order(order)).code == 250
    event = pair.log.wait_for("message", since=mark, count=2)
    assert (event["verdict"], event["action"]) == (passed, "pass"), event
    assert console.json("antivirus", "stats")["engines"][0]["passed"] == {**nothing, passed: 2}
    assert f"; let through by pass: 2 {passed}\n" in console.ask("engine", "health")
    marked = [m for m in pair.backend.mails if f"X-Virus-Status: {passed}".encode() in m.content]
    assert len(marked) == 2 and len(pair.backend.mails) == 3


def test_engines_of_one_type_are_told_apart(start_console):
    _, console = start_console('antivirus { fake "one" { } fake "two" { } }\n')
    assert re.findall(r"^\S.*", console.ask("antivirus", "stats"), re.MULTILINE) == ['fake "one"', 'fake "two"']
    assert console.ask("antivirus:antivirus", "stats") == console.ask("antivirus", "stats")


def test_several_loops_are_counted_together(start_console):
    pair, console = start_console(top={"event_loops": 4})
    threads = [threading.Thread(target=deliver, args=(pair.port, mail.plain())) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert console.json("antivirus", "stats")["engines"][0]["messages_checked"] == 24


def test_versions_of_scanner_and_definitions(start_console, database):
    _, console = start_console(two_engines(database))
    text = console.ask("antivirus:av1", "version")
    assert re.match(r"antivirus: clamav scanner version number: \S.*\nAV definitions version: \S+\n", text), text
    clamav, csapi = console.json("antivirus:av1", "version")["engines"]
    assert clamav["state"] == "ready" and clamav["definitions"] > 0 and clamav["generation"] == 1
    assert csapi["name"] == "csapi"


def test_the_page_of_the_pools_is_the_originals(start_console):
    pair, console = start_console()
    assert console.ask("threads", "stats") == "CPU thread pool: concurrency 2\n"  # never used
    for _ in range(3):
        assert pair.deliver(mail.fake_order("delay 20")).code == 250
    until(lambda: console.json("threads", "stats")["pools"][0]["idle"] == 2, "both workers idle")
    page = re.fullmatch(r"""CPU thread pool: concurrency 2
               Total invocations: 3
    Observed average concurrency: 1\.00
          Thread pool saturation: ( \d|\d\d)\.\d\d%
   Average wallclock time per op: (\d+\.\d\d)ms
            Current thread count: 0
  \[inactive threads\]
            Current thread count: 2
""", console.ask("threads", "stats"))
    assert page and float(page[2]) >= 20
    assert console.ask("threads", "cpu", "queue") == "Jobs in the CPU pool\n0 jobs\n"
    pool = console.json("threads", "stats")["pools"][0]
    assert (pool["invocations"], pool["finished"], pool["generation"], pool["crashes"]) == (3, 3, 1, 0)
    assert console.run("threads", "nosuch", "queue").returncode == 1


def test_every_question_has_an_answer_in_json(start_console, database):
    _, console = start_console(two_engines(database))
    commands = console.json("help")["commands"]
    asked = 0
    for command in commands:
        words = [word for word in command["syntax"].replace("[:NAME]", "").split() if word[0] != "["]
        if not command["changes"] and not any(word.isupper() for word in words):
            assert isinstance(console.json(*words), dict), words
            asked += 1
    assert asked >= 5
    for words in (["nonsense"], ["antivirus:no", "stats"], ["threads", "no", "queue"], ["engine", "enable", "no"], ["threads", "cpu", "concurrency", "x"]):
        answer = console.run("json", *words)
        assert answer.returncode in (1, 2) and list(json.loads(answer.stdout)) == ["error"], answer
    for syntax in (command["syntax"] for command in commands):
        assert syntax in console.ask("help")


# --- live changes ---

def test_workers_are_added_and_taken_away_under_load_and_no_mail_suffers(start_console):
    pair, console = start_console(pool={"Concurrency": 2, "Backlog": 100})
    over, replies = threading.Event(), []

    def client():
        while not over.is_set():
            replies.append(deliver(pair.port, mail.fake_order("delay 10")).code)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        for concurrency in (6, 1, 4, 2, 8, 1, 2):
            assert console.ask("threads", "CPU", "concurrency", str(concurrency)) == f"CPU thread pool: concurrency {concurrency}\n"
            seen = len(replies)
            until(lambda: len(replies) >= seen + 10, "ten more mails")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(replies) == {250}
    until(lambda: len(pair.postern.worker_pids()) == 2, "2 workers are left")
    pool = console.json("threads", "stats")["pools"][0]
    assert pool["invocations"] == pool["finished"] == len(replies)
    assert not any(pool[key] for key in ("crashes", "overloads", "expired", "killed_deadline", "killed_cancelled", "killed_protocol"))
    assert pair.log.find("pool")[0]["change"] == "pool CPU: concurrency 6 instead of 2, by command"
    assert pair.log.wait_for("console", by="root", command="threads CPU concurrency 6", status=0)


def test_the_number_of_workers_outlives_a_scan_host(start_console):
    pair, console = start_console()
    console.ask("threads", "CPU", "concurrency", "5")
    pair.postern.hurt("scan")
    pair.log.wait_for("engine-ready", count=2)
    pair.postern.wait_workers(5)
    assert console.json("threads", "CPU", "queue")["pools"][0]["concurrency"] == 5
    assert pair.deliver(mail.plain()).code == 250
    console.ask("threads", "CPU", "concurrency", "2")  # as the test found it


@pytest.mark.parametrize("number", ["0", "1025", "-1", "many", "1 2"])
def test_a_number_of_workers_that_cannot_be_is_refused(start_console, number):
    _, console = start_console()
    refused = console.run("threads", "CPU", "concurrency", number)
    assert refused.returncode == 2 and "from 1 to 1024" in refused.stderr
    assert console.ask("threads", "stats") == "CPU thread pool: concurrency 2\n"


def test_signatures_are_loaded_anew_by_command(start_console, database):
    pair, console = start_console(two_engines(database))
    mark = pair.log.mark()
    assert console.ask("engine", "reload", "clamav").startswith("pool CPU: loads its signatures anew")
    assert pair.log.wait_for("reload-start", since=mark)["reason"] == "command"
    pair.log.wait_for("reload-done", since=mark)
    until(lambda: {e["generation"] for e in console.json("engine", "list")["engines"]} == {2}, "generation 2 in the list")
    assert console.json("engine", "reload") == {"pools": ["CPU"]}
    pair.log.wait_for("reload-done", since=mark, count=2)
    assert console.run("engine", "reload", "nosuch").returncode == 1
    assert pair.deliver(mail.with_attachment(mail.test_virus())).code == 550


def test_a_reload_without_databases_says_so(start_console):
    _, console = start_console()
    refused = console.run("engine", "reload")
    assert refused.returncode == 1 and "no engine has a signature database" in refused.stderr


def test_an_engine_that_is_switched_off_is_passed_over_and_the_log_says_so(start_console, database):
    pair, console = start_console(two_engines(database))
    console.ask("engine", "disable", "clamav")
    mark = pair.log.mark()
    assert pair.deliver(mail.fake_order("clean")).code == 250
    assert pair.log.wait_for("message", since=mark)["engines"] == "clamav=disabled; csapi=clean"
    assert [e["enabled"] for e in console.json("engine", "list")["engines"]] == [False, True]
    assert re.search(r"^clamav +clamav +CPU +disabled ", console.ask("engine", "list"), re.MULTILINE)
    console.ask("engine", "enable", "clamav")
    assert pair.deliver(mail.with_attachment(mail.test_virus())).code == 550
    assert [event["command"] for event in pair.log.find("console")] == ["engine disable clamav", "engine enable clamav"]


def test_with_the_last_engine_switched_off_mail_is_deferred_never_unscanned(start_console):
    pair, console = start_console()
    assert "No engine is left" in console.ask("engine", "disable", "fake1")
    reply = pair.deliver(mail.plain())
    assert reply.code == 451, reply
    event = pair.log.wait_for("message")
    assert (event["verdict"], event["reason"]) == ("error", "no-engine"), event
    assert pair.backend.mails == []
    console.ask("engine", "enable", "fake1")
    assert pair.deliver(mail.plain()).code == 250


# --- who may use it ---

def run_as(console, user, *words, groups=()):
    copy = Path(console.path).parent / "postern-console"  # where everybody may execute it, wherever the build tree is
    if not copy.exists():
        shutil.copy(console.program, copy)
        copy.chmod(0o755)
    console.program = copy
    return console.run(*words, user=user, group=user, extra_groups=list(groups), cwd="/")


@pytest.mark.root
def test_the_socket_belongs_to_posterns_user_and_lets_root_and_him_in(start_console):
    pair, console = start_console()
    state = os.lstat(console.path)
    assert stat.S_ISSOCK(state.st_mode) and stat.S_IMODE(state.st_mode) == 0o660
    assert state.st_uid == POSTERN_USER == int(processes.status(pair.postern.edge_pid())["Uid"].split()[0])
    assert run_as(console, POSTERN_USER, "threads", "stats").returncode == 0
    stranger = run_as(console, 1, "threads", "stats")
    assert stranger.returncode == 2 and "Permission denied" in stranger.stderr


# B44
@pytest.mark.root
def test_the_kernel_is_asked_who_connects(start_console):
    """file_mode lets everybody connect; that alone is not enough."""
    pair, console = start_console(control={"file_mode": "0666", "allow": "( bin @games )"})
    for user, groups, permitted in ((0, (), True), (POSTERN_USER, (), True), (2, (), True), (1, (), False), (1, (60,), True), (60, (), True)):
        answer = run_as(console, user, "engine", "disable", "fake1", groups=groups)
        if permitted:
            assert answer.returncode == 0, (user, groups, answer)
            pair.log.wait_for("console", by="root" if user == 0 else f"uid {user}")
        else:
            assert (answer.returncode, answer.stderr) == (2, "uid 1: not permitted\n")
    assert pair.log.wait_for("refuse", client="uid 1")["reason"] == "not permitted"
    console.ask("engine", "enable", "fake1")


@pytest.mark.root
def test_the_file_has_the_owner_and_mode_of_the_options(start_console):
    _, console = start_console(control={"file_mode": "0600", "file_owner": "daemon", "file_group": "games"})
    state = os.lstat(console.path)
    assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (1, 60, 0o600)


@pytest.mark.root
@pytest.mark.parametrize("option", ["file_owner", "file_group"])
def test_an_owner_that_does_not_exist_is_no_start(make_postern, directory, option):
    postern = make_postern(engines=fake_stanza() + listener(directory / "control", **{option: "postern-nobody-of-that-name"}))
    postern.start(wait_ready=False)
    postern.ends_with(78)
    assert "postern-nobody-of-that-name" in postern.log.wait_for("config")["reason"]


@pytest.mark.parametrize("scope,finding", [
    ('Listen "127.0.0.1:2025" { }', "Listen \"127.0.0.1:2025\": expected the absolute path of a unix socket: a console over TCP is not built"),
    ('Listen "control" { }', "expected the absolute path of a unix socket"),
    ('Listen "/' + "x" * 120 + '" { }', "the path of a socket has at most 107 characters"),
    ('Listen "/run/x" { file_mode = 0888 }', "expected octal digits"),
    ('Listen "/run/x" { allow = ( "@" ) }', "expected names of users"),
    ('Listen "/run/x" { backlog = 3 }', "backlog"),
])
def test_findings_about_the_listener(make_postern, scope, finding):
    checked = make_postern(engines=fake_stanza() + f"Control_Listener {{ {scope} }}\n").check()
    assert checked.returncode != 0 and finding in checked.stderr + checked.stdout, checked


def test_options_are_inherited_and_a_useless_one_is_warned_about(make_postern):
    checked = make_postern(engines=fake_stanza() + 'Control_Listener "Local" { file_mode = 0660 allow = ( games ) Listen "/run/a" { } Listen "/run/b" '
                           '{ file_mode = 0666 } Listen "/run/c" { Enable = false } }\n').check()
    assert checked.returncode == 0, checked
    warnings = [line for line in checked.stderr.splitlines() if "file_owner" in line]
    assert len(warnings) == 2, checked  # of the two that have 0660


def test_each_socket_answers_and_all_are_removed_at_the_end(start_pair, directory):
    paths = [directory / name / "control" for name in ("one", "two")]
    scopes = " ".join(f'Listen "{path}" {{ }}' for path in paths)
    pair = start_pair(engines=fake_stanza() + f"Control_Listener {{ {scopes} Listen \"{directory}/off\" {{ enable = false }} }}\n")
    for path in paths:
        assert Console(path).ask("engine", "list")
    assert not (directory / "off").exists()
    pair.postern.stop()
    assert not any(path.exists() for path in paths)
    assert all(path.parent.is_dir() for path in paths)


def test_a_socket_that_a_killed_postern_left_is_replaced_and_a_live_one_is_not(start_console, make_postern):
    pair, console = start_console()
    scope = listener(console.path)
    other = make_postern(engines=fake_stanza() + scope).start(wait_ready=False)
    other.ends_with(71)
    assert "in use" in other.log.wait_for("config")["reason"]
    assert console.ask("engine", "list")  # its socket was not touched
    pair.postern.hurt("supervisor")
    pair.postern.process.wait()
    until(lambda: console.run("engine", "list").returncode == 2, "nobody answers any more")
    assert os.path.exists(console.path)
    third = make_postern(engines=fake_stanza() + scope)
    try:
        third.start()
        assert console.ask("engine", "list")
        third.stop()
    finally:
        third.kill()


# --- clients that misbehave ---

# B44
def test_hostile_clients_harm_nobody(start_console):
    pair, console = start_console(control={"idle_timeout": "2s"})
    hostile = [console.session() for _ in range(24)]
    chance = __import__("random").Random(7)
    for number, session in enumerate(hostile):
        session.socket.setblocking(False)
        try:
            if number % 4 == 0:
                session.send(chance.randbytes(4096))  # garbage
            elif number % 4 == 1:
                session.send(b"antivirus sta")  # half a line
            elif number % 4 == 2:
                while True:
                    session.send(b"json help\n" * 1000)  # a flood whose answers nobody reads
            else:
                session.send(b"\n" * 4096)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
    for _ in range(5):
        assert pair.deliver(mail.plain()).code == 250
        assert console.ask("antivirus", "stats")
    until(lambda: all(not is_open(session) for session in hostile), "all were closed at last")
    for session in hostile:
        session.socket.close()
    assert console.json("antivirus", "stats")["engines"][0]["messages_checked"] == 5


def is_open(session):
    """Reads on; false once the connection has ended."""
    session.socket.setblocking(False)
    try:
        while True:
            if not session.socket.recv(1 << 16):
                return False
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def test_an_idle_session_is_told_and_ended(start_console):
    _, console = start_console(control={"idle_timeout": "1s"})
    with console.session() as session:
        assert session.answer() == (2, b"no command for 1 seconds\n")
        assert session.at_end()


def test_many_sessions_are_served_and_too_many_are_not(start_console):
    pair, console = start_console(control={"max_sessions": 10})
    room = 12 if os.geteuid() == 0 else 10  # two are kept free for root
    sessions = [console.session() for _ in range(room)]
    for session in sessions:
        assert session.ask("threads CPU queue") == (0, b"Jobs in the CPU pool\n0 jobs\n")
    with console.session() as late:
        status, text = late.answer()
        assert status == 2 and text.endswith(b": too many sessions\n")
        assert late.at_end()
    assert pair.log.wait_for("refuse")["reason"] == "too many sessions"
    for session in sessions:
        session.socket.close()
    until(lambda: console.run("engine", "list").returncode == 0, "there is room again")
    for _ in range(3):
        clients = [subprocess.Popen([console.program, console.path, "threads", "stats"], stdout=subprocess.PIPE) for _ in range(8)]
        assert [client.communicate(timeout=SOON)[0] for client in clients] == [b"CPU thread pool: concurrency 2\n"] * 8


def test_requests_are_answered_in_order_over_one_connection(start_console):
    _, console = start_console()
    with console.session() as session:
        session.send(b"threads CPU queue\nnonsense\r\njson threads CPU queue\nengine enable nobody\n")
        assert session.answer()[0] == 0
        assert session.answer()[0] == 2
        status, text = session.answer()
        assert status == 0 and json.loads(text)["pools"][0]["queued"] == 0
        assert session.answer()[0] == 1


def test_after_a_restart_of_the_edge_the_console_is_back_with_new_figures(start_console):
    pair, console = start_console()
    assert pair.deliver(mail.plain()).code == 250
    with console.session() as session:
        assert session.ask("engine list")[0] == 0
        before = pair.postern.hurt("edge")
        assert session.at_end()
    # Whoever connects meanwhile waits for the next edge.
    figures = until(lambda: console.run("json", "antivirus", "stats").stdout, "an answer")
    assert json.loads(figures)["engines"][0]["messages_checked"] == 0
    assert pair.postern.edge_pid() != before
    until(lambda: pair.deliver(mail.plain()).code == 250, "mail passes")


def test_the_console_answers_until_the_end_and_a_drain_does_not_wait_for_it(start_console):
    pair, console = start_console()
    with console.session() as session:
        assert session.ask("engine list")[0] == 0
        pair.postern.terminate()
        pair.postern.stop()
        assert session.at_end()


# --- the program ---

def test_the_programs_own_answers(tmp_path):
    def run(*words, **options):
        return subprocess.run([BUILD / "bin/postern-console", *words], capture_output=True, text=True, timeout=SOON, check=False, **options)
    assert run("--version").stdout.startswith("postern-console ")
    assert run("--help").stdout.startswith("usage: postern-console [--timeout SECONDS] SOCKET [COMMAND...]\n")
    for words in ((), ("--nonsense",), ("--timeout", "x", "/s"), ("/" + "x" * 200, "help")):
        wrong = run(*words)
        assert wrong.returncode == 2 and wrong.stdout == "" and "usage:" in wrong.stderr, words


WORDS = [("stats",), ("json", "antivirus", "stats"), ()]  # the last: commands from standard input, which is empty


@pytest.mark.parametrize("words", WORDS, ids=["a command", "in JSON", "no command"])
def test_where_nobody_can_be_asked_the_program_says_why_and_what_to_look_at(directory, words):
    def run(path, **options):
        done = subprocess.run([BUILD / "bin/postern-console", path, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=SOON, check=False, **options)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.startswith(f"postern-console: {path}: ") and done.stderr.count("\n") == 1, done
        return done.stderr
    missing = run(directory / "none")
    assert "No such file or directory" in missing and "is postern running" in missing and "Control_Listener" in missing
    (directory / "file").write_text("words")
    assert "this is no socket" in run(directory / "file") and "this is no socket" in run(directory)
    assert "Not a directory" in run(directory / "file" / "socket")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "dead"))
    refused = run(directory / "dead")
    assert "Connection refused" in refused and "its log says which" in refused


@pytest.mark.root
@pytest.mark.parametrize("words", WORDS, ids=["a command", "in JSON", "no command"])
def test_who_may_not_connect_is_told_which_options_say_so(start_console, directory, words):
    _, console = start_console()
    program = shutil.copy(console.program, directory)  # a checkout may be closed to others
    done = subprocess.run([program, console.path, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, user=12345, group=12345,
                          extra_groups=[], timeout=SOON, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert f"{console.path}: Permission denied" in done.stderr and "file_mode, file_owner and file_group" in done.stderr


def test_half_a_command_is_answered_with_the_whole_one(start_console):
    _, console = start_console()
    for words, says in ((["stats"], "antivirus[:NAME] stats  |  cache stats [ENGINE]  |  threads stats"), (["version"], "antivirus[:NAME] version"), (["engine", "stop", "fake1"], "engine disable NAME"),
                        (["quarantine", "release"], "quarantine release ID"), (["enginge", "list"], 'did you mean "engine"?')):
        refused = console.run(*words)
        assert (refused.returncode, refused.stdout) == (2, "") and says in refused.stderr, refused
    assert console.ask("engine list") == console.ask("engine", "list"), "quoted as a whole"
    assert {line.split()[0] for line in console.ask("help", "list").splitlines()} == {"engine", "cache", "quarantine"}


def test_answers_that_nobody_can_take_are_an_error_and_no_hang(start_console):
    _, console = start_console()
    with open("/dev/full", "w") as full:
        done = subprocess.run([console.program, console.path, "help"], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=SOON, check=False)
    assert done.returncode == 2 and "standard output: No space left on device" in done.stderr, done
    # As `| head -1` does.
    head = subprocess.run(["sh", "-c", '"$0" "$1" help | head -1', console.program, console.path], capture_output=True, text=True, timeout=SOON, check=False)
    assert head.stdout.count("\n") == 1 and head.stderr == "", head
    many = "help\n" * 200
    closed = subprocess.run(["sh", "-c", '"$0" "$1" | head -1', console.program, console.path], input=many, capture_output=True, text=True, timeout=SOON,
                            check=False)
    assert closed.stdout.count("\n") == 1 and closed.stderr == "", closed


@pytest.mark.parametrize("said,complaint", [(b"220 mail.example.org ESMTP\r\n", "no console of postern"), (b"0 10\nhalf", "before the answer was complete"),
                                            (b"", "before the answer was complete"), (None, "no answer within 1 seconds")])
def test_the_program_does_not_trust_who_answers(directory, said, complaint):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(directory / "socket"))
        server.listen()
        client = subprocess.Popen([BUILD / "bin/postern-console", "--timeout", "1" if said is None else "60", directory / "socket", "help"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        connection, _ = server.accept()
        with connection:
            if said is not None:
                assert connection.recv(100) == b"help\n"
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
            out, err = client.communicate(timeout=SOON)
        assert (client.returncode, out) == (2, "") and complaint in err


def test_commands_from_standard_input(start_console):
    _, console = start_console()
    done = console.run(stdin=None, input="threads CPU queue\n\nengine enable nobody\nthreads CPU queue\nquit\nengine list\n")
    assert done.returncode == 1 and done.stdout == "Jobs in the CPU pool\n0 jobs\n" * 2 and "nobody" in done.stderr
    assert console.run(stdin=None, input="threads CPU queue").stdout == "Jobs in the CPU pool\n0 jobs\n"
    assert console.run(stdin=None, input="").returncode == 0
    assert console.run(stdin=None, input="nonsense\nengine list\n").returncode == 2


def test_words_with_blanks_and_quotes_arrive_as_they_are(start_console):
    _, console = start_console()
    failed = console.run("engine", "enable", 'two words and a " and a \\')
    assert failed.returncode == 1 and '"two words and a " and a \\"' in failed.stderr
    assert console.run("engine", "enable", "caf\u00e9").returncode == 2


def test_on_a_terminal_there_is_a_prompt_with_the_time(start_console):
    _, console = start_console()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="dumb", HOME="/nonexistent")
        os.execv(console.program, [str(console.program), console.path])
    seen = b""

    def wait_for(pattern, count=1):
        nonlocal seen
        deadline = time.monotonic() + SOON
        while len(re.findall(pattern, seen)) < count:
            ready, _, _ = select.select([terminal], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{pattern} {count} times in {seen}"
            seen += os.read(terminal, 4096)

    prompt = rb"\d\d:\d\d:\d\d " + re.escape(console.path.encode()) + rb"> "
    try:
        wait_for(prompt)
        os.write(terminal, b"threads CPU queue\n")
        wait_for(rb"Jobs in the CPU pool\r\n0 jobs\r\n")
        wait_for(prompt, 2)
        os.write(terminal, b"nonsense\n")
        wait_for(rb"unknown command")
        os.write(terminal, b"quit\n")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        child = 0
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(terminal)
