# SPDX-License-Identifier: MIT
"""The console: its pages and figures, and live changes under load. Who may use it, and clients that misbehave: test_console_access.py; the
program: test_console_program.py."""
import json
import re
import threading

import pytest
from harness import mail
from harness.client import deliver
from harness.places import SOON, until
from harness.postern import fake_stanza


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


def test_the_page_of_a_pool_says_since_when_its_figures_count(start_console, database):
    """A new generation counts from nothing; what its predecessor's crashes cost still stands with the engine."""
    pair, console = start_console(two_engines(database))
    assert pair.deliver(mail.fake_order("exit 7")).code == 451
    until(lambda: console.json("threads", "stats")["pools"][0]["crashes"] == 1, "the crash is counted")
    assert "Since generation" not in console.ask("threads", "stats")
    mark = pair.log.mark()
    console.ask("engine", "reload")
    pair.log.wait_for("reload-done", since=mark)
    until(lambda: console.json("threads", "stats")["pools"][0]["generation"] == 2, "the new generation serves")
    assert re.match(r"CPU thread pool: concurrency 2\n           Since generation     2: \d+s ago\n", console.ask("threads", "stats"))
    assert console.json("threads", "stats")["pools"][0]["crashes"] == 0
    assert sum(engine["reasons"]["crash"] for engine in console.json("antivirus", "stats")["engines"]) == 1


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
