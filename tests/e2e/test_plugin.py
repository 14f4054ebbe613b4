# SPDX-License-Identifier: MIT
"""Vendors' engines in shared libraries: the example, built from the installed files alone; a plug-in that misbehaves in every way; cages; reloads."""
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from harness import mail, processes
from harness.console import Console, listener
from harness.places import BUILD, SOON, make_directory, remove_directory, until

PLUGINS = BUILD / "tests/plugins"
QUICK = {"database_settle": "100ms"}
LOADED = 3 * SOON


def public_copy(source, target):
    """SOURCE where every user can read it, put there as an administrator should: written beside, then renamed."""
    beside = target.with_name(target.name + ".new")
    shutil.copy(source, beside)
    beside.chmod(0o644)
    beside.rename(target)
    return target


def plugin(library, name="vendor1", options=None, **values):
    """A plugin's scope."""
    values = {"timeout": "20s", "breaker_failures": 0, **values}
    inner = "".join(f" {key} = {value}" if isinstance(value, int) or str(value).startswith("(") else f' {key} = "{value}"'
                    for key, value in values.items())
    own = " options [" + "".join(f' {key} = "{value}"' for key, value in options.items()) + " ]" if options else ""
    return f'plugin "{name}" {{ library = "{library}"{inner}{own} }}\n'


def engines(*scopes, workers=2):
    """An antivirus scope of SCOPES, and the pool of each plug-in in it."""
    names = [scope.split('"')[1] for scope in scopes if scope.startswith("plugin ")]
    pools = "".join(f'ThreadPool "{name}" {{ Concurrency = {workers} reload_retry = 24h }}\n' for name in names)
    return pools + "antivirus {\n" + "".join(scopes) + "}\n"


def order(text, more=()):
    return mail.plain(headers=[f"X-Plugin: {line}" for line in (text, *more)])


def ask(pair, content, code):
    """The log line of CONTENT, which must have been answered with CODE."""
    mark = pair.log.mark()
    reply = pair.deliver(content)
    assert reply.code == code, (reply, pair.log.tail(20))
    return pair.log.wait_for("message", since=mark)


def assert_infected(pair, content, name):
    event = ask(pair, content, 550)
    assert (event["verdict"], event["virus"]) == ("infected", name), event
    return event


def assert_error(pair, content, *reasons):
    event = ask(pair, content, 451)
    assert event["verdict"] == "error" and event["reason"] in reasons, event
    return event


# --- the example, out of the tree ---

@pytest.fixture(scope="module")
def installed():
    """What `cmake --install` puts where, below another prefix than the build was configured with."""
    home = make_directory()
    environment = {name: value for name, value in os.environ.items() if name != "DESTDIR"}
    subprocess.run(["cmake", "--install", BUILD, "--prefix", home / "prefix"], env=environment, check=True, capture_output=True, timeout=4 * SOON)
    yield home / "prefix"
    remove_directory(home)


@pytest.fixture(scope="module")
def example(installed):
    """The example plug-in, compiled of installed files alone, which are where nobody said that they would be, as docs/plugins.md says."""
    home = installed.parent / "elsewhere"
    home.mkdir()
    shutil.copy(installed / "share/doc/postern/examples/pattern.c", home)
    (pkgconfig,) = {path.parent for path in installed.rglob("postern-engine.pc")}
    environment = {"PATH": os.environ["PATH"], "PKG_CONFIG_LIBDIR": str(pkgconfig)}

    def ask_pkgconfig(option):
        return subprocess.run(["pkg-config", option, "postern-engine"], env=environment, check=True, capture_output=True, text=True).stdout.split()
    flags = ask_pkgconfig("--cflags")
    assert [Path(flag.removeprefix("-I")).resolve() for flag in flags] == [(installed / "include").resolve()]
    assert ask_pkgconfig("--modversion") == ["1.1"]
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O2", *flags, "-o", "pattern.so", "pattern.c"]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=4 * SOON, check=False)
    assert done.returncode == 0, done.stderr
    (home / "pattern.so").chmod(0o644)
    return home / "pattern.so"


def test_the_installed_files_of_the_interface_stand_for_themselves(installed):
    headers = [path for path in installed.rglob("*.h")]
    assert [path.parts[-2:] for path in headers] == [("postern", "engine.h")]
    compilers = [["cc", f"-std={standard}", "-x", "c"] for standard in ("c89", "c99", "c11")]
    compilers += [["c++", f"-std={standard}", "-x", "c++"] for standard in ("c++98", "c++17") if shutil.which("c++")]
    for compiler in compilers:
        subprocess.run([*compiler, "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", headers[0]], check=True, timeout=SOON)
    included = [line.split()[1] for line in headers[0].read_text().splitlines() if line.startswith("#include")]
    assert included == ["<stddef.h>", "<stdint.h>"]
    assert (installed / "bin/postern-plugin").exists()


def test_the_program_for_plugins_needs_no_libclamav():
    needed = subprocess.run(["objdump", "-p", BUILD / "bin/postern-plugin"], check=True, capture_output=True, text=True).stdout
    assert "NEEDED" in needed and not any(name in needed for name in ("libclamav", "libgmime", "libglib")), needed
    assert subprocess.run([BUILD / "bin/postern-plugin", "--version"], check=True, capture_output=True, text=True).stdout.startswith("postern-plugin ")


def test_the_example_finds_what_its_stanza_says(start_pair, directory, example):
    database = directory / "patterns"
    database.write_text("From.File " + b"hidden words".hex() + "\n")
    database.chmod(0o644)
    control = directory / "control/socket"
    pair = start_pair(engines=engines(plugin(example, database=database, options={"Pattern": "from the stanza", "name": "From.Stanza"})) + listener(control))
    ready = pair.log.wait_for("engine-ready", engine="vendor1")
    assert (ready["type"], ready["pool"], ready["version"], ready["signatures"]) == ("plugin", "vendor1", "Pattern finder 1.0, 2 patterns", 2), ready
    assert pair.log.wait_for("sandbox", pool="vendor1")["profile"] == "strict"
    content = mail.plain(b"..dots\r\n.\xe4\r\n")
    assert ask(pair, content, 250)["verdict"] == "clean"
    assert pair.backend.mails[0].content == content
    event = assert_infected(pair, mail.plain(b"these are hidden words.\r\n"), "From.File")
    assert (event["engine"], event["database"]) == ("vendor1", ready["database_version"]), event
    assert_infected(pair, mail.plain(b"here from the stanza.\r\n"), "From.Stanza")

    console = Console(control)
    page = console.ask("antivirus", "stats")
    assert page.startswith("vendor1\n  Messages checked:   3\n") and "Viruses detected:   2\n" in page, page
    (version,) = console.json("antivirus", "version")["engines"]
    assert (version["type"], version["state"], version["scanner_version"]) == ("plugin", "ready", ready["version"]), version
    assert "Pattern finder 1.0" in console.ask("engine", "list")


def test_new_patterns_are_loaded_without_a_pause_and_broken_ones_are_not(start_pair, directory, example):
    database = directory / "patterns"

    def put(text):
        (directory / "next").write_text(text)
        (directory / "next").chmod(0o644)
        (directory / "next").rename(database)

    first, second = "First " + b"one thing".hex() + "\n", "Second " + b"another thing".hex() + "\n"
    put(first)
    pair = start_pair(engines=engines(plugin(example, database=database, **QUICK)))
    assert ask(pair, mail.plain(b"another thing\r\n"), 250)
    put(first + second)
    done = pair.log.wait_for("reload-done", timeout=LOADED, generation=2)
    assert (done["engine"], done["old_signatures"], done["signatures"]) == ("vendor1", 1, 2), done
    assert assert_infected(pair, mail.plain(b"another thing\r\n"), "Second")["generation"] == 2
    put(first + "Broken xyz\n")
    failed = pair.log.wait_for("reload-failed", timeout=LOADED)
    assert f"{database}:2: expected a name and an even number of hexadecimal digits" in failed["reason"], failed
    assert_infected(pair, mail.plain(b"another thing\r\n"), "Second")
    assert ask(pair, mail.plain(), 250)


# --- a hostile one ---

@pytest.fixture
def hostile(directory):
    return public_copy(PLUGINS / "hostile.so", directory / "hostile.so")


@pytest.fixture
def start_hostile(start_pair, hostile):
    def start(options=None, wait_ready=True, more=(), **values):
        pair = start_pair(engines=engines(plugin(hostile, options=options, **values), *more), wait_ready=wait_ready)
        pair.postern.reports_expected = True  # it crashes on purpose
        return pair
    return start


def test_it_gets_its_own_options_and_name(start_hostile, directory):
    (directory / "version").write_text("17\n")
    (directory / "version").chmod(0o644)
    pair = start_hostile(options={"word": "hello"}, database=directory / "version")
    assert pair.log.wait_for("engine-ready")["database_version"] == 17
    assert_infected(pair, order("tell"), "vendor1.hello.17")


ANSWERS = {
    "clean": (250, "clean", None),
    "infected Some.Virus": (550, "infected", "Some.Virus"),
    "unscannable 101": (550, "unscannable", "encrypted"),
    "unscannable 106": (550, "unscannable", "unsupported"),
    "error 201": (451, "error", "engine"),
    "error 204": (451, "error", "down"),
    # lies
    "class 5": (451, "error", "protocol"),
    "class 4294967295": (451, "error", "protocol"),
    "silent": (451, "error", "protocol"),
    "named-clean": (451, "error", "protocol"),
    "reasoned-clean": (451, "error", "protocol"),
    "reserved": (451, "error", "protocol"),
    "unscannable 201": (451, "error", "protocol"),
    "error 0": (451, "error", "protocol"),
    "unterminated": (550, "infected", "A" * 128),
    "control": (550, "infected", "Bad??X-Injected: ?[31m?"),
}


def test_verdicts_are_taken_and_lies_are_not(start_hostile):
    pair = start_hostile()
    for text, (code, verdict, about) in ANSWERS.items():
        event = ask(pair, order(text), code)
        assert event["verdict"] == verdict, (text, event)
        assert about in (None, event.get("virus"), event.get("reason")), (text, event)
    assert ask(pair, order("clean"), 250)


def test_what_it_does_to_its_worker_costs_one_message_and_nobody_else(start_pair, hostile, directory):
    control = directory / "control/socket"
    fake = 'fake "fake1" { timeout = 20s }\n'
    pair = start_pair(engines=engines(plugin(hostile), fake) + listener(control))
    pair.postern.reports_expected = True
    others = [pair.postern.edge_pid(), pair.postern.scan_host_pid("vendor1"), pair.postern.scan_host_pid("CPU"), *pair.postern.wait_workers(2)]
    assert_error(pair, order("crash"), "crash")
    assert_error(pair, order("abort"), "crash")
    assert_error(pair, order("exit"), "crash")
    assert_error(pair, order("close-all"), "crash", "protocol")
    assert len(pair.log.find("worker-exit", pool="vendor1", cause="crash")) >= 3
    assert ask(pair, order("clean"), 250)
    assert assert_infected(pair, mail.fake_order("infected Other.Virus"), "Other.Virus")["engine"] == "fake1"
    assert [pair.postern.edge_pid(), pair.postern.scan_host_pid("vendor1"), pair.postern.scan_host_pid("CPU"), *pair.postern.worker_pids()] == others
    pools = {pool["pool"]: pool for pool in Console(control).json("threads", "stats")["pools"]}
    assert pools["vendor1"]["crashes"] >= 3 and pools["CPU"]["crashes"] == 0, pools


def test_a_scan_without_end_ends_at_the_deadline(start_hostile):
    pair = start_hostile(timeout="1s")
    assert_error(pair, order("hang"), "timeout")
    pair.log.wait_for("worker-exit", pool="vendor1", cause="deadline")
    until(lambda: pair.deliver(order("clean")).code == 250, "it scans again")


def test_a_message_that_ends_three_workers_is_not_scanned_again(start_hostile):
    pair = start_hostile()
    content = order("abort")
    for _ in range(3):
        assert_error(pair, content, "crash")
    assert_error(pair, content, "poison")
    assert ask(pair, order("clean"), 250)


def test_descriptors_that_it_does_not_close_wear_its_worker_out(start_hostile):
    pair = start_hostile()
    assert ask(pair, order("leak 20"), 250)
    assert not pair.log.find("worker-exit")
    assert_infected(pair, order("leak 100", ["infected Some.Virus"]), "Some.Virus")
    worn = pair.log.wait_for("worker-exit", cause="worn")
    assert (worn["engine"], worn["how"]) == ("vendor1", "the plug-in holds more than 64 descriptors beyond those at its start"), worn
    assert ask(pair, order("clean"), 250)


def test_libraries_that_are_no_plugin_for_this_version_are_named_and_their_messages_deferred(start_pair, directory, hostile):
    expected = {
        "no_symbol": "has no symbol postern_engine",
        "function": "has 0 octets",
        "major": "built for version 2.1 of the interface, this postern has 1.1",
        "minor": "built for version 1.2 of the interface, this postern has 1.1",
        "size": "its table says that it has 120 octets",
        "beyond": "its table says that it has 136 octets, in an object of 128",
        "reserved": "a reserved field of its table is not zero",
        "no_scan": "its table has no scan",
        "missing": "No such file or directory",
        "text": "expected a shared library (ELF)",
    }
    (directory / "text.so").write_text("no library at all\n")
    for name in expected:
        if (PLUGINS / f"{name}.so").exists():
            public_copy(PLUGINS / f"{name}.so", directory / f"{name}.so")
    scopes = [plugin(directory / f"{name}.so", name) for name in expected]
    pair = start_pair(engines=engines(plugin(hostile), *scopes, workers=1))
    pair.postern.book.excuse("L6", because="the engines cannot be loaded, then as now")
    for name, text in expected.items():
        down = pair.log.wait_for("engine-down", engine=name)
        assert text in down["reason"], down
    event = assert_error(pair, order("clean"), "down")
    assert event["engine"] in expected, event
    assert_infected(pair, order("infected Some.Virus"), "Some.Virus")  # the one that is whole goes on


def test_an_option_that_it_does_not_know_is_named(start_hostile):
    pair = start_hostile(options={"wrod": "hello"})
    pair.postern.book.excuse("L6", because="the stanza is wrong, then as now")
    down = pair.log.wait_for("engine-down", engine="vendor1")
    assert down["reason"] == 'options: "wrod" is none of this plug-in\'s: did you mean "word"? (known are mode, word)', down
    lines = pair.postern.path.read_text().splitlines()
    (line,) = [number for number, line in enumerate(lines, 1) if line.startswith('plugin "vendor1"')]
    assert down["configured_at"] == f"{pair.postern.path}:{line}", down
    assert "wrod" in assert_error(pair, order("clean"), "down")["detail"]


STARTS = {
    # mode, reasons of a message's 451, event and text of the log
    "refuse": (["down"], "engine-down", "the plug-in's open returned 3: no licence???[31mfor vendor1"),
    "start-refuse": (["down"], "engine-down", "its workers cannot scan: the plug-in's worker_start returned 1: no daemon to speak to"),
    "open-thread refuse": (["down"], "engine-down", "its open started a thread, which would live outside the cage"),
    "open-daemon refuse": (["down"], "engine-down", "its open started a process, which would live outside the cage"),
    "start-fork refuse": (["down"], "engine-down", "its worker_start started a process, which would live outside the cage"),
    "start-daemon refuse": (["down"], "engine-down", "its worker_start started a process, which would live outside the cage"),
    "start-thread refuse": (["down"], "engine-down", "its worker_start started a thread, which would live outside the cage"),
    "start-abort": (["timeout", "down"], "worker-exit", "died at birth"),
    "start-hang": (["timeout"], None, ""),
    "open-abort": (["timeout", "down"], "child-exit", "scan vendor1"),
    "open-hang": (["timeout", "down"], "engine-down", "pool vendor1: its plug-in was not open after load_timeout (700 ms)"),
}


@pytest.mark.parametrize("mode", STARTS)
def test_one_that_does_not_come_up_defers_its_messages_and_says_why(start_hostile, mode):
    reasons, name, text = STARTS[mode]
    fake = 'fake "fake1" { timeout = 20s on_error = next }\n'
    pair = start_hostile(options={"mode": mode.split()[0]}, timeout="1s", load_timeout="700ms" if mode == "open-hang" else "30s", wait_ready=mode.endswith("refuse"), more=[fake])
    pair.postern.book.excuse("L6", because="it does not come up, then as now")
    if not mode.endswith("refuse"):  # its host ends again and again, or is killed in the end
        pair.postern.book.killed["scan"] += 1000
        pair.log.wait_for("engine-ready", engine="fake1")
    assert_error(pair, order("clean"), *reasons)
    if name:
        until(lambda: [event for event in pair.log.find(name) if text in " ".join(map(str, event.values()))], f"{name}: {text}")
    # The other engine has its say: what it refuses is refused.
    assert assert_infected(pair, mail.fake_order("infected Other.Virus"), "Other.Virus")["engine"] == "fake1"


@pytest.mark.parametrize("mode", ["open-fork-hang", "start-fork-hang"])
def test_its_handlers_of_forks_do_not_hold_its_host_up(start_hostile, mode):
    """The host makes workers one after the other: none of the library's code runs in it after `open`."""
    pair = start_hostile(options={"mode": mode})
    for _ in range(2):
        assert_error(pair, order("crash"), "crash")
        assert ask(pair, order("clean"), 250)


def test_a_host_that_it_hangs_is_replaced(start_hostile, directory):
    """By a timer of its own that no rule forbids in time: what runs in a handler then holds up all of the host."""
    (directory / "orders").mkdir()
    (directory / "orders").chmod(0o777)
    hang = directory / "orders/hang"
    pair = start_hostile(options={"mode": "hang-on-order", "word": hang}, timeout="1s")
    assert ask(pair, order("clean"), 250)
    pair.postern.book.killed["scan"] += 1
    hang.touch()
    until(lambda: not hang.exists(), "its host hangs")
    until(lambda: pair.deliver(order("clean")).code == 250, "it scans again", timeout=6 * SOON)
    silent = pair.log.wait_for("engine-down")
    assert silent["reason"].startswith("pool vendor1: its scan host says nothing any more ("), silent


def test_one_of_a_later_version_that_wants_no_more_than_this_one_has_scans(start_pair, directory):
    pair = start_pair(engines=engines(plugin(public_copy(PLUGINS / "later.so", directory / "later.so"))))
    assert_infected(pair, order("infected Some.Virus"), "Some.Virus")
    assert ask(pair, order("clean"), 250)


def test_its_destructors_do_not_hold_up_the_end(start_hostile):
    pair = start_hostile(options={"mode": "end-hang"})
    assert ask(pair, order("clean"), 250)
    pair.postern.stop()


def test_a_library_that_was_replaced_is_loaded_if_it_can_be(start_hostile, hostile, directory):
    pair = start_hostile(**QUICK)
    assert ask(pair, order("clean"), 250)
    public_copy(PLUGINS / "size.so", hostile)
    failed = pair.log.wait_for("reload-failed", timeout=LOADED)
    assert "its table says that it has 120 octets" in failed["reason"], failed
    assert assert_infected(pair, order("tell"), "vendor1..")["generation"] == 1
    public_copy(PLUGINS / "hostile.so", hostile)
    done = pair.log.wait_for("reload-done", timeout=LOADED)
    assert assert_infected(pair, order("tell"), "vendor1..")["generation"] == done["generation"]


def test_it_gets_the_decoded_parts_of_a_message(start_hostile):
    pair = start_hostile(mime_decompose="on")
    hidden = mail.with_attachment(b"X-Plugin: infected In.Part\r\n")
    event = assert_infected(pair, hidden, "In.Part")
    assert event["engine"] == "vendor1", event
    assert ask(pair, mail.with_attachment(b"nothing of note\r\n"), 250)


# --- what it prints ---

def test_what_it_prints_is_text_in_the_log_and_no_line_of_it(start_hostile):
    for mode in ("open-print", "start-print", "scan"):
        pair = start_hostile(options={"mode": mode})
        assert ask(pair, order("print" if mode == "scan" else "clean"), 250)
        said = pair.log.wait_for("plugin-output", count=2)
        assert (said["engine"], said["pool"]) == ("vendor1", "vendor1") and said["text"].startswith('{"time":"2026-01-01'), said
        assert not pair.log.find("message", queue_id="forged")


def test_what_it_prints_without_end_neither_holds_it_up_nor_fills_the_log(start_hostile):
    pair = start_hostile()
    assert ask(pair, order("flood 20000"), 250)
    pair.log.wait_for("plugin-output", count=100)
    assert ask(pair, order("flood 20000"), 250)
    # 100 in ten seconds, and one line that says what was lost.
    assert len(pair.log.find("plugin-output")) < 2000
    assert not pair.log.find("message", queue_id="forged")


@pytest.mark.root
def test_its_workers_have_no_way_to_the_log(start_hostile):
    pair = start_hostile()
    assert ask(pair, order("clean"), 250)

    def held(pid):
        return {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
    log = os.readlink(f"/proc/{pair.postern.edge_pid()}/fd/2")
    host = pair.postern.scan_host_pid("vendor1")
    assert log in held(host)
    for pid in pair.postern.wait_workers(2, "vendor1"):
        assert log not in held(pid), held(pid)
        assert os.readlink(f"/proc/{pid}/fd/1") == os.readlink(f"/proc/{pid}/fd/2") != "/dev/null"


# --- who is with whom ---

@pytest.mark.root
def test_its_host_is_its_own_and_holds_no_libclamav(start_pair, database, hostile):
    clamav = f'clamav "clamav1" {{ database = "{database}" timeout = 20s }}\n'
    pair = start_pair(engines=engines(clamav, plugin(hostile)))
    assert ask(pair, order("clean"), 250)
    vendor, cpu = pair.postern.scan_host_pid("vendor1"), pair.postern.scan_host_pid("CPU")
    assert processes.command_line(vendor)[0] == "postern-plugin" and processes.command_line(cpu)[0] == "postern-scan"

    def maps(pid):
        return Path(f"/proc/{pid}/maps").read_text()
    for pid in (vendor, *pair.postern.worker_pids("vendor1")):
        assert "hostile.so" in maps(pid) and "libclamav" not in maps(pid)
    for pid in (cpu, *pair.postern.worker_pids("CPU")):
        assert "libclamav" in maps(pid) and "hostile.so" not in maps(pid)
    assert "hostile.so" not in maps(pair.postern.edge_pid()) + maps(pair.postern.supervisor_pid())


def test_check_refuses_a_shared_host_and_loads_nothing(make_postern, directory):
    never = plugin(directory / "not-there.so", options={"whatever": "1"})
    fine = make_postern(engines="antivirus { " + never + " }").check()
    assert fine.returncode == 0 and "not-there.so: No such file or directory" in fine.stderr and "whatever" not in fine.stderr, fine.stderr
    shared = make_postern(engines='antivirus { clamav "c" { } ' + plugin("/v.so", pool="CPU") + " }").check()
    assert shared.returncode != 0 and "the pool CPU is for postern's own engines: a plug-in has a scan host of its own" in shared.stderr, shared.stderr
    loose = make_postern(engines="antivirus { " + plugin("/v.so", allow_ports=25) + " }").check()
    assert loose.returncode != 0 and "the cage strict cannot be widened: write sandbox = vendor" in loose.stderr, loose.stderr


CHECKED = {
    "a text": ("text.so", {}, "expected a shared library (ELF), found something else"),
    "a directory": ("", {}, "expected a regular file"),
    "open to everybody": ("open.so", {}, "everybody may write it (mode 0646)"),
    "no symbol": ("no_symbol.so", {}, "no_symbol.so has no symbol postern_engine: it is no engine for postern"),
    "a database that is missing": ("hostile.so", {"database": "/nonexistent/data"}, "cannot read /nonexistent/data: No such file or directory"),
    "a path that is missing": ("hostile.so", {"sandbox": "vendor", "allow_read": "/nonexistent/vendor"}, "cannot read /nonexistent/vendor: No such file or directory"),
}


@pytest.mark.parametrize("row", CHECKED)
def test_check_looks_at_the_files_of_a_stanza_and_runs_nothing(make_postern, directory, hostile, row):
    public_copy(PLUGINS / "no_symbol.so", directory / "no_symbol.so")
    (directory / "text.so").write_text("no library at all\n")
    shutil.copy(hostile, directory / "open.so")
    (directory / "open.so").chmod(0o646)
    library, values, text = CHECKED[row]
    checked = make_postern(engines=engines(plugin(directory / library, **values))).check()
    assert checked.returncode == 0 and text in checked.stderr, checked.stderr
    (directory / "data").mkdir()
    (directory / "data").chmod(0o755)
    good = make_postern(engines=engines(plugin(hostile, options={"mode": "open-abort"}, database=directory / "data"))).check()
    assert good.returncode == 0 and "vendor1" not in good.stderr and "library" not in good.stderr, good.stderr


@pytest.mark.root
def test_check_names_a_file_of_the_database_that_scan_user_cannot_read(make_postern, directory, hostile):
    (directory / "data").mkdir()
    (directory / "data").chmod(0o755)
    (directory / "data/definitions").write_text("1")
    (directory / "data/definitions").chmod(0o600)
    (directory / "data/.hidden").write_text("1")
    (directory / "data/.hidden").chmod(0o600)
    checked = make_postern(engines=engines(plugin(hostile, database=directory / "data"))).check()
    assert f"cannot read definitions in {directory}/data: Permission denied" in checked.stderr and ".hidden" not in checked.stderr, checked.stderr


def test_a_module_of_the_original_by_a_third_party(start_pair, hostile):
    pair = start_pair(engines=f'''ThreadPool "f-acme" {{ Concurrency = 1 }}
Validate validate/antivirus antivirus {{
}}
Validate validate/av_acme f-acme {{
  library = "{hostile}"
  timeout = 20
  breaker_failures = 0
}}
''')
    event = assert_infected(pair, order("infected Some.Virus"), "Some.Virus")
    assert event["engine"] == "f-acme", event
    assert ask(pair, order("clean"), 250)


# --- cages ---

@pytest.fixture
def servers(directory):
    """Two TCP ports and a unix socket with somebody behind them."""
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(directory / "unix"))
    local.listen()
    (directory / "unix").chmod(0o777)
    yield [server.getsockname()[1] for server in made]
    for server in (*made, local):
        server.close()


@pytest.mark.seccomp
def test_the_strict_cage_lets_nothing_out(start_hostile, servers, directory):
    pair = start_hostile()
    deeds = [f"connect {servers[0]}", f"unix {directory / 'unix'}", "exec", "fork", "thread", "code", "kill"]
    for count, deed in enumerate(deeds, 1):
        assert_error(pair, order(deed), "crash")
        left = pair.log.wait_for("worker-exit", count=count, cause="crash")
        assert left["how"] == "SIGSYS: a system call outside its sandbox", (deed, left)
    for deed in ("read /etc/passwd", f"write {directory / 'made'}"):
        event = assert_error(pair, order(deed), "engine")
        assert "Permission denied" in event["detail"], event
    assert ask(pair, order("clean"), 250)


@pytest.mark.seccomp
def test_the_cage_vendor_lets_out_what_is_declared_and_nothing_else(start_hostile, servers, directory):
    (directory / "mine").mkdir()
    (directory / "mine").chmod(0o755)
    for name in ("mine/data", "other"):
        (directory / name).write_text("for whom it concerns")
        (directory / name).chmod(0o644)
    pair = start_hostile(sandbox="vendor", allow_ports=servers[0], allow_unix_sockets="on", allow_read=directory / "mine", allow_executable_memory="on")
    sandbox = pair.log.wait_for("sandbox", pool="vendor1")
    assert sandbox["profile"] == "vendor", sandbox
    for deed in (f"connect {servers[0]}", f"unix {directory / 'unix'}", f"read {directory / 'mine/data'}", "code"):
        assert_infected(pair, order(deed), "Escaped." + deed.split()[0])
    refused = [f"read {directory / 'other'}", f"write {directory / 'mine/made'}"]
    if sandbox["landlock_abi"] >= 4:
        refused.append(f"connect {servers[1]}")
    for deed in refused:
        assert "Permission denied" in assert_error(pair, order(deed), "engine")["detail"]
    for deed in ("exec", "fork", "thread", "kill"):
        assert_error(pair, order(deed), "crash")
    assert ask(pair, order("clean"), 250)


@pytest.mark.seccomp
def test_a_declared_path_that_is_not_there_is_named(start_hostile):
    pair = start_hostile(sandbox="vendor", allow_read="/nonexistent/vendor")
    pair.postern.book.excuse("L6", because="the stanza is wrong, then as now")
    event = assert_error(pair, order("clean"), "sandbox", "down")  # as the host says it, or the edge, which has heard of it
    assert "allow_read /nonexistent/vendor: No such file or directory" in event["detail"], event


def test_sighup_loads_it_again(start_hostile):
    pair = start_hostile()
    os.kill(pair.postern.supervisor_pid(), signal.SIGHUP)
    done = pair.log.wait_for("reload-done", timeout=LOADED)
    assert (done["engine"], done["generation"]) == ("vendor1", 2), done
    assert assert_infected(pair, order("tell"), "vendor1..")["generation"] == 2
