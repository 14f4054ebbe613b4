# SPDX-License-Identifier: MIT
"""The command line: what postern says about a configuration, on which stream, with which exit status. Nothing is started here."""
import os
import re
import socket
import subprocess

import pytest

from harness.original import KASPERSKY
from harness.places import BUILD, ROOT, free_port

EX_USAGE, EX_OSERR, EX_CONFIG = 64, 71, 78

FRAME = '''hostname = "gw.example.org"
ESMTP_Listener { Listen "127.0.0.1:2525" { } }
Backend { Server "127.0.0.1:10025" { } }
'''
EXAMPLE = '''hostname = "gw.example.org"
spoolbase = "/var/spool/postern"
ESMTP_Listener { Listen "127.0.0.1:2525" { } }
Backend { Server "127.0.0.1:10025" { } }
ThreadPool "CPU" { Concurrency = 2 }
antivirus "antivirus1" {
  clamav "clamav1" {
    database = "/var/lib/clamav"
    action = reject
    error_code = 451
    timeout = 20
  }
}
'''


def run(*arguments, stdout=subprocess.PIPE):
    return subprocess.run([BUILD / "bin/postern", *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes postern.conf into a directory of its own and makes that the current one, so that findings read postern.conf:…"""
    monkeypatch.chdir(tmp_path)

    def to_file(text, name="postern.conf"):
        (tmp_path / name).write_text(text)
        return name
    return to_file


def check(name="postern.conf"):
    return run("--config", name, "--check")


def without_machine(stderr):
    """Findings without what depends on the packages and signatures of this machine."""
    return [line for line in stderr.splitlines() if "libclamunrar" not in line and "/var/lib/clamav" not in line]


def test_the_example_of_the_manual_passes(write):
    result = check(write(EXAMPLE))
    assert without_machine(result.stderr) == []
    assert result.stdout.startswith("postern.conf: 0 errors, ")
    assert result.returncode == 0


def test_a_missing_rar_module_is_a_warning_that_names_the_package_only_where_libclamav_is_used(write):
    with_clamav = check(write(EXAMPLE))
    without = check(write(FRAME + "scan = off\n"))
    assert without.stderr == ""
    findings = with_clamav.stderr.splitlines()
    if "libclamunrar" in with_clamav.stderr:
        assert findings[0].startswith("warning: libclamunrar is not installed")
    assert with_clamav.stdout == f"postern.conf: 0 errors, {len(findings)} warning{'' if len(findings) == 1 else 's'}\n"


# What the machine lacks: stanzas with {0} for a directory of the test, in which make() has made something.

def make_nothing(path):
    (path / "it").mkdir(mode=0o755)


def make_signature(path, mode=0o644):
    make_nothing(path)
    (path / "it/test.ndb").write_text("Test:0:*:00112233\n")
    (path / "it/test.ndb").chmod(mode)


def make_program(path, mode=0o755):
    (path / "it").write_bytes(b"#!/bin/sh\n")
    (path / "it").chmod(mode)


CLAMAV = 'antivirus {{ clamav "c1" {{ database = "{0}/it" }} }}\n'
CSAPI = 'antivirus {{ csapi "c1" {{ max_concurrency = 5 scanner_path = "{0}/it" database = "{0}/signatures" }} }}\n'
CONTROL = 'scan = off\nControl_Listener {{ Listen "/run/x" {{ file_mode = 0666 %s }} }}\n'


@pytest.mark.parametrize("make, text, finding", [
    (None, CLAMAV, "clamav.database = {0}/it: {1} cannot read it: No such file or directory"),
    (make_nothing, CLAMAV, "clamav.database = {0}/it: there are no signatures in it"),
    (lambda path: make_signature(path, 0), CLAMAV, "clamav.database = {0}/it: {1} cannot read test.ndb in it"),
    (make_signature, CLAMAV, None),
    (make_signature, CLAMAV.replace("{{ database", "{{ enabled = off database"), None),
    (None, CSAPI, "csapi.scanner_path = {0}/it: the scanner program {0}/it cannot be started by {1}: No such file or directory"),
    (make_nothing, CSAPI, "the scanner program {0}/it cannot be started by {1}: it is no program"),
    (lambda path: make_program(path, 0o644), CSAPI, "the scanner program {0}/it cannot be started by {1}: it may not be executed"),
    (make_program, CSAPI, None),
    (None, CONTROL % "allow = ( root @root )", None),
    (None, CONTROL % "allow = ( root postern-nobody )", 'Listen.allow = ( ... ): there is no user "postern-nobody": it lets nobody in'),
    (None, CONTROL % "allow = ( @postern-nobody )", 'there is no group "postern-nobody": it lets nobody in'),
    (None, CONTROL % "file_owner = postern-nobody", "Listen.file_owner = postern-nobody: there is no such account"),
    (None, CONTROL % "file_group = postern-nobody", "Listen.file_group = postern-nobody: there is no such group"),
], ids=["no database", "empty database", "unreadable database", "database", "engine switched off", "no scanner", "scanner is a directory",
        "scanner not executable", "scanner", "accounts", "no user", "no group", "no owner", "no owning group"])
def test_what_the_machine_lacks_is_a_warning_of_check(write, directory, make, text, finding):
    """As root, {1} is who scans: it is asked what that user may read and execute."""
    (directory / "signatures").mkdir()
    (directory / "signatures/test.ndb").write_text("Test:0:*:00112233\n")
    for path in (directory / "signatures", directory / "signatures/test.ndb"):
        path.chmod(0o755)
    if make:
        make(directory)
        if (directory / "it").is_dir():
            (directory / "it").chmod(0o755)
    result = check(write(FRAME + text.format(directory)))
    assert result.returncode == 0, result.stderr
    found = [line for line in result.stderr.splitlines() if "libclamunrar" not in line and "no engine takes part" not in line]
    if finding is None:
        assert found == [], found
    else:
        (line,) = found
        who = "user nobody" if os.geteuid() == 0 else "this user"
        assert line.startswith("warning: postern.conf:") and finding.format(directory, who) in line, line


@pytest.mark.parametrize("options, finding", [
    ("action = pass", "clamav.action = pass: messages with a virus are delivered"),
    ("on_encrypted = pass", "clamav.on_encrypted = pass: such messages are delivered without having been checked as a whole"),
    ("on_error = pass", "clamav.on_error = pass: while the engine has trouble, messages are delivered unscanned"),
    ("on_crash = pass", "clamav.on_crash = pass: such messages are delivered unscanned"),
    ("} clamav \"c2\" { daemon = \"/run/clamd\"", "it sets the same context variable clamav_status as c1"),
])
def test_an_option_that_lets_mail_pass_and_a_shared_variable_are_warnings(write, options, finding):
    result = check(write(FRAME + f'antivirus {{ clamav "c1" {{ {options} }} }}\n'))
    assert result.returncode == 0, result.stderr
    (line,) = without_machine(result.stderr)
    assert line.startswith("warning: postern.conf:4:") and finding in line, line


@pytest.mark.parametrize("text, warning", [
    ('Validate validate/antivirus antivirus { }\nValidate validate/brightmail brightmail { timeout = 180 }\n', "postern.conf:5:1: brightmail "),
    ('Validate validate/antivirus antivirus { }\nValidate validate/av_kaspersky kaspersky passive { daemon = "127.0.0.1:9001" }\n',
     "no engine takes part in scanning"),
    ('antivirus "antivirus1" { brightmail "brightmail1" { } clamav "clamav1" { } }\n', "postern.conf:4:26: brightmail "),
], ids=["2.x", "passive", "nested"])
def test_stanzas_of_the_original_load_with_a_warning_where_they_do_not_work_yet(write, text, warning):
    result = check(write(FRAME + text))
    assert result.returncode == 0
    assert "error: " not in result.stderr
    assert f"warning: {warning}" in result.stderr


def test_the_example_of_the_original_for_kaspersky_loads_unchanged(write):
    result = check(write(FRAME + KASPERSKY))
    assert result.returncode == 0, result.stderr
    assert "cannot scan" not in result.stderr and "not built" not in result.stderr, result.stderr


@pytest.mark.parametrize("engine, finding", [
    ('kaspersky "k1" { }', "kaspersky \"k1\": file_base is needed: the directory in which the daemon finds each message as a file; with "
                           "daemon_is_remote = true it gets the octets over the connection instead"),
    ('fsecure "f1" { }', "fsecure \"f1\": file_base is needed"),
    ('fsecure "f1" { file_base = var }', "fsecure.file_base = var: must be an absolute path"),
])
def test_an_engine_whose_daemon_reads_files_needs_a_place_for_them(write, engine, finding):
    result = check(write(FRAME + f"antivirus {{ {engine} }}\n"))
    assert result.returncode == 1
    assert finding in result.stderr, result.stderr


@pytest.mark.parametrize("listener, engine, warned", [
    ("", "", None),
    ("max_message_size = 200M", "", ("max_message_size = 200M", "104857600 octets only (max_filesize)")),
    ("max_message_size = 200M", "max_filesize = 500M", None),
    ("max_message_size = 200M", "max_filesize = 500M max_scansize = 150M", ("max_message_size = 200M", "157286400 octets only (max_scansize)")),
    ("max_message_size = 450M", 'daemon = "/run/clamd" max_filesize = 500M', None),
    ("max_message_size = 450M", 'daemon = "/run/clamd" max_filesize = 430M', ("max_message_size = 450M", "450887680 octets only (max_filesize)")),
    ("", "max_filesize = 1M", ("max_message_size", "1048576 octets only (max_filesize)")),
    ("", "max_filesize = 1M enabled = false", None),
], ids=["defaults", "larger listener", "larger both", "scansize", "larger daemon", "smaller daemon", "smaller engine", "switched off"])
def test_a_listener_that_takes_more_than_an_engine_looks_at_is_a_warning(write, listener, engine, warned):
    frame = FRAME.replace("ESMTP_Listener {", f"ESMTP_Listener {{ {listener} ")
    result = check(write(frame + f'antivirus {{ clamav "clamav1" {{ {engine} }} }}\n'))
    assert result.returncode == 0, result.stderr
    assert ("clamav1" in result.stderr and "octets only" in result.stderr) == (warned is not None), result.stderr
    for text in warned or ():
        assert text in result.stderr


def test_no_engine_at_all_is_a_warning_unless_scanning_is_off(write):
    assert check(write(FRAME)).stdout == "postern.conf: 0 errors, 1 warning\n"
    assert check(write(FRAME + "scan = off\n")).stdout == "postern.conf: 0 errors, 0 warnings\n"


@pytest.mark.parametrize("option, finding", [
    ('hostname = "bad host"', '1:1: hostname = "bad host": must be a host name or an address literal'),
    ('log = somewhere', '1:1: log = somewhere: must be stderr, syslog or an absolute path'),
    ('user = root', '1:1: user = root: must not be root: postern never serves as root'),
    ('scan_user = root', '1:1: scan_user = root: must not be root: postern never scans as root'),
    ('spoolbase = "spool"', '1:1: spoolbase = spool: must be an absolute path'),
    ('event_loops = 65', '1:1: event_loops = 65: must be between 0 and 64'),
    ('log_level = loud', '1:1: log_level = loud: '),
    ('evnt_loops = 2', '1:1: unknown option "evnt_loops": did you mean "event_loops"?'),
])
def test_a_wrong_option_is_named_with_place_value_and_what_was_expected(write, option, finding):
    result = check(write(option + "\n" + FRAME.replace('hostname = "gw.example.org"\n', "") + "scan = off\n"))
    assert result.returncode == 1
    assert result.stderr.startswith("error: postern.conf:" + finding), result.stderr
    assert result.stdout == "postern.conf: 1 error, 0 warnings\n"


def test_every_error_is_reported_not_only_the_first(write):
    result = check(write(FRAME + "evnt_loops = 2\nlog_level = loud\nscan = maybe\n"))
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
        "postern.conf:4:1", "postern.conf:5:1", "postern.conf:6:1"]
    assert result.returncode == 1


def test_a_configuration_with_errors_does_not_start(write):
    result = run("--config", write(FRAME + "evnt_loops = 2\n"))
    assert result.returncode == EX_CONFIG
    assert 'error: postern.conf:4:1: unknown option "evnt_loops"' in result.stderr


@pytest.mark.parametrize("make, reason", [
    (lambda path: None, "No such file or directory"),
    (lambda path: path.mkdir(), "must be a regular file"),
    (lambda path: os.mkfifo(path), "must be a regular file"),
    (lambda path: path.write_bytes(b"#" * (4 * 1024 * 1024 + 1)), "larger than a configuration file may be"),
], ids=["missing", "directory", "pipe", "too-large"])
def test_what_is_no_readable_file_is_refused_with_the_reason(tmp_path, make, reason):
    path = tmp_path / "postern.conf"
    make(path)
    result = check(path)
    assert result.stderr == f"error: {path}: cannot be read: {reason}\n"
    assert result.returncode == 1


def test_an_included_directory_is_read_in_lexical_order_without_hidden_files(write, tmp_path):
    (tmp_path / "conf.d").mkdir()
    write("event_loops = 3\n", "conf.d/10-a")
    write("drain_timeout = 7\n", "conf.d/20-b")
    write("no configuration {{{", "conf.d/.swp")
    result = run("--config", write(FRAME + 'scan = off\nreadonly_include "conf.d"\n'), "--dump-config")
    assert result.returncode == 0, result.stderr
    assert "\nevent_loops = 3\n" in result.stdout and "\ndrain_timeout = 7\n" in result.stdout


def test_the_dump_loads_again_into_itself(write):
    first = run("--config", write(EXAMPLE), "--dump-config")
    assert (first.returncode, first.stderr) == (0, "")
    again = run("--config", write(first.stdout, "dump.conf"), "--dump-config")
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert "# drain_timeout = 120 # default\n" in first.stdout
    assert 'hostname = "gw.example.org"\n' in first.stdout


def test_the_host_name_of_the_machine_stands_in_where_none_is_given(write):
    text = EXAMPLE.replace('hostname = "gw.example.org"\n', "")
    dump = run("--config", write(text), "--dump-config")
    assert f'# hostname = "{socket.gethostname()}" # default\n' in dump.stdout


def test_the_reference_names_every_module_s_options():
    result = run("--dump-reference")
    assert result.returncode == 0
    for option in ("hostname", "spoolbase", "large_message_threshold", "drain_timeout", "max_message_size", "database", "error_code"):
        assert f"`{option}`" in result.stdout


def test_the_reference_names_every_defect_and_what_paranoid_calls_it():
    lines = run("--dump-reference").stdout.splitlines()
    table = re.findall(r'^MIME_DEFECT\(\w+, "([^"]+)", (?:"(\w+)"|NULL), "([^"]+)"\)', (ROOT / "src/mime/defect.def").read_text(), re.MULTILINE)
    assert len(table) > 40
    for word, reason, meaning in table:
        name = f"`Paranoid.{reason}`" if reason else "no"
        assert f"| `{word}` | {name} | {meaning} |" in lines, word


def test_a_reason_of_paranoid_that_is_misspelt_is_named(write):
    text = EXAMPLE + 'antivirus { clamav "a" {\n  paranoid = on\n  ignore_signatures = ( "Paranoid.Redings" "Paranoid.*" "Paranoid.Polyglot" )\n} }\n'
    result = run("--config", write(text), "--check")
    line = text.count("\n") - 1
    assert f'postern.conf:{line}:' in result.stderr, result.stderr
    assert '"Paranoid.Redings" fits no reason of paranoid: known are Paranoid.DuplicateHeader, ' in result.stderr, result.stderr
    assert result.stderr.count("fits no reason") == 1


def test_the_example_file_has_every_option_as_a_comment():
    result = run("--dump-example")
    assert result.returncode == 0
    assert all(line.lstrip().startswith("#") for line in result.stdout.splitlines() if line.strip())
    assert "#spoolbase = \"/var/spool/postern\"\n" in result.stdout


def test_version_and_help():
    assert run("--version").stdout.startswith("postern ")
    text = run("--help")
    assert text.returncode == 0
    for word in ("--config", "--check", "Exit status", "64", "71", "78"):
        assert word in text.stdout


@pytest.mark.parametrize("arguments", [["extra"], ["--unknown"], ["--config"], ["--check", "--version"], ["--role", "scan"]])
def test_a_wrong_command_line_shows_the_usage(arguments):
    result = run(*arguments)
    assert result.returncode == EX_USAGE
    assert "usage: postern [--config FILE]" in result.stderr
    assert result.stdout == ""


def test_output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w") as full:
        result = run("--dump-reference", stdout=full)
    assert result.returncode == EX_OSERR
    assert "standard output: No space left on device" in result.stderr


def test_a_port_in_use_is_named_with_the_place_of_its_listen_scope(write, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("--config", write(f'scan = off\nspoolbase = "{tmp_path}/spool"\n'
                                       f'ESMTP_Listener {{\n  Listen "127.0.0.1:{port}" {{ }}\n}}\n'
                                       'Backend { Server "127.0.0.1:9" { } }\n'))
    assert result.returncode == EX_OSERR
    assert f"postern.conf:4: Listen \\\"127.0.0.1:{port}\\\"" in result.stderr
    assert "Address already in use" in result.stderr


def test_a_log_file_that_is_a_link_is_refused(write, tmp_path):
    (tmp_path / "log").symlink_to("/dev/null")
    result = run("--config", write(FRAME + f'scan = off\nlog = "{tmp_path}/log"\n'))
    assert result.returncode == EX_OSERR
    assert f"log file {tmp_path}/log: Too many levels of symbolic links" in result.stderr
