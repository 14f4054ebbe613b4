# SPDX-License-Identifier: MIT
"""The command line: what postern says about a configuration, on which stream, with which exit status. Nothing is started here."""
import os
import socket
import subprocess

import pytest

from harness.places import BUILD, free_port

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
# The original's own example for its Kaspersky module, 2.x form.
KASPERSKY = '''Validate validate/antivirus antivirus {
}

Validate validate/av_kaspersky kaspersky  {
  daemon = "127.0.0.1:9001"
  daemon_is_remote = true
  timeout = 180
  action = pass
  paranoid = false
  context_variable = "virus"
  skip_context_variable = "skip_virus_check"
  file_base = "/var/tmp"
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
    """Findings without what depends on the packages of this machine."""
    return [line for line in stderr.splitlines() if "libclamunrar" not in line]


def test_the_example_of_the_manual_passes(write):
    result = check(write(EXAMPLE))
    assert without_machine(result.stderr) == []
    assert result.stdout.startswith("postern.conf: 0 errors, ")
    assert result.returncode == 0


def test_a_missing_rar_module_is_a_warning_that_names_the_package_only_where_libclamav_is_used(write):
    with_clamav = check(write(EXAMPLE))
    without = check(write(FRAME + "scan = off\n"))
    assert without.stderr == ""
    if "libclamunrar" in with_clamav.stderr:
        assert with_clamav.stderr.startswith("warning: libclamunrar is not installed")
        assert with_clamav.stdout == "postern.conf: 0 errors, 1 warning\n"
    else:
        assert with_clamav.stdout == "postern.conf: 0 errors, 0 warnings\n"


@pytest.mark.parametrize("text, warning", [
    (KASPERSKY, "postern.conf:7:1: kaspersky "),
    ('Validate validate/antivirus antivirus { }\nValidate validate/av_kaspersky kaspersky passive { daemon = "127.0.0.1:9001" }\n',
     "no engine takes part in scanning"),
    ('antivirus "antivirus1" { kaspersky "kaspersky1" { daemon = "127.0.0.1:9001" } csapi "csapi1" { } }\n', "postern.conf:4:26: "),
], ids=["seed", "passive", "nested"])
def test_stanzas_of_the_original_load_with_a_warning_where_they_do_not_work_yet(write, text, warning):
    result = check(write(FRAME + text))
    assert result.returncode == 0
    assert "error: " not in result.stderr
    assert f"warning: {warning}" in result.stderr


def test_the_warning_for_an_engine_that_is_not_built_names_file_line_and_engine(write):
    result = check(write(FRAME + KASPERSKY))
    line = (FRAME + KASPERSKY).splitlines().index("Validate validate/av_kaspersky kaspersky  {") + 1
    assert without_machine(result.stderr)[0].startswith(f"warning: postern.conf:{line}:1: kaspersky ")


@pytest.mark.parametrize("listener, engine, warned", [
    ("", "", None),
    ("max_message_size = 200M", "", ("max_message_size = 200M", "104857600 octets only (max_filesize)")),
    ("max_message_size = 200M", "max_filesize = 500M", None),
    ("max_message_size = 200M", "max_filesize = 500M max_scansize = 150M", ("max_message_size = 200M", "157286400 octets only (max_scansize)")),
    ("", "max_filesize = 1M", ("max_message_size", "1048576 octets only (max_filesize)")),
    ("", "max_filesize = 1M enabled = false", None),
], ids=["defaults", "larger listener", "larger both", "scansize", "smaller engine", "switched off"])
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
