# SPDX-License-Identifier: MIT
"""Fixtures: a backend, a postern in front of it, a Postfix. A postern that a passing test leaves running is stopped and must end
cleanly."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from harness import client, places, postern as program, processes  # noqa: E402
from harness.backend import Backend  # noqa: E402
from harness.console import Console, listener  # noqa: E402
from harness.peers import PeerMissing  # noqa: E402
from harness.postfix import Postfix  # noqa: E402

pytest_plugins = ["harness.scale"]


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root (users, namespaces, a look into processes that hide from their own user)")
    config.addinivalue_line("markers", "seccomp: is about the filter that POSTERN_NO_SECCOMP lifts")
    config.addinivalue_line("markers", "release: needs the build release-test, as sanitizers change memory")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("seccomp") and os.environ.get("POSTERN_NO_SECCOMP") == "1":
            item.add_marker(pytest.mark.skip(reason="POSTERN_NO_SECCOMP lifts seccomp"))
        if item.get_closest_marker("root") and not places.is_root():
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.stash_failed = outcome.get_result().failed


def failed(request):
    """Whether any test that this fixture served has failed."""
    return request.session.testsfailed > 0 if request.scope != "function" else getattr(request.node, "stash_failed", True)


@pytest.fixture
def directory(request):
    path = places.make_directory()
    yield path
    if failed(request):
        print(f"kept for a look: {path}")
    else:
        places.remove_directory(path)


@pytest.fixture
def backend():
    server = Backend()
    yield server
    server.stop()


@pytest.fixture
def start_postern(request, directory, backend):
    """Starts posterns: start_postern(engines=…, top={…}, …). When the test passed each must have kept its promises and end cleanly."""
    started = []

    def start(wait_ready=True, backend_port=None, **options):
        home = directory / f"postern{len(started)}"
        home.mkdir()
        instance = program.Postern(home, backend_port=backend_port or backend.port, **options)
        started.append(instance)
        return instance.start(wait_ready)

    yield start
    finish(started, failed(request))


@pytest.fixture
def make_postern(directory, backend):
    """A postern that is not started, for tests of the command line."""
    count = iter(range(100))

    def make(backend_port=None, **options):
        home = directory / f"unstarted{next(count)}"
        home.mkdir()
        return program.Postern(home, backend_port=backend_port or backend.port, **options)
    return make


def finish(started, test_failed):
    try:
        for instance in started:
            if test_failed:
                print("the log of postern:\n" + instance.log.tail(200) if instance.log else "")
            else:
                instance.finish()
    finally:
        for instance in started:
            instance.kill()


@pytest.fixture
def database(directory):
    """The bundled test signatures, where every user may read them."""
    return program.copy_test_database(directory / "signatures", places.ROOT)


class Pair:
    """A postern with its backend."""

    def __init__(self, instance, backend):
        self.postern, self.backend = instance, backend
        self.port, self.log = instance.port, instance.log

    def deliver(self, content, **envelope):
        return client.deliver(self.port, content, **envelope)

    def client(self, **options):
        return client.Client(self.port, **options)

    def forget(self):
        self.backend.forget()
        self.backend.forget_mails()


@pytest.fixture
def start_console(start_pair, directory):
    """A pair with a console: (pair, console)."""
    count = iter(range(100))

    def start(engines=None, control=None, **options):
        path = directory / f"control{next(count)}" / "socket"
        pair = start_pair(engines=(engines or program.fake_stanza()) + listener(path, **(control or {})), **options)
        return pair, Console(path)
    return start


@pytest.fixture(scope="module")
def make_signatures():
    """What shared_pair scans with; a test file may have its own."""
    return lambda directory: program.copy_test_database(directory, places.ROOT)


def one_for_a_module(request, make_engines):
    """For a fixture: one postern for all tests of a file that leave it as it was. MAKE_ENGINES is given its directory."""
    home = places.make_directory()
    server = Backend()
    instance = program.Postern(home, backend_port=server.port, engines=make_engines(home))
    try:
        instance.start()
        yield Pair(instance, server)
        finish([instance], failed(request))
    finally:
        instance.kill()
        server.stop()
        places.remove_directory(home)


@pytest.fixture(scope="module")
def shared_pair(request, make_signatures):
    """With libclamav and the test signatures."""
    yield from one_for_a_module(request, lambda home: program.clamav_stanza(make_signatures(home / "signatures")))


def lend_to_a_test(request, shared):
    """For a fixture: what one_for_a_module made, to one test, which must keep all promises."""
    shared.forget()
    yield shared
    book = shared.postern.book
    try:
        book.recover()
        if not failed(request):
            book.check()
    finally:
        book.turn_page()


@pytest.fixture
def pair(request, shared_pair):
    yield from lend_to_a_test(request, shared_pair)


@pytest.fixture
def files(request, directory):
    """file_base, where a daemon finds messages as files; in the end nothing may be left in it. It must outlive postern, so it stands before start_pair,
    as daemons do."""
    path = make_file_base(directory)
    yield path
    assert failed(request) or list(path.iterdir()) == [], "something is left in file_base"


@pytest.fixture
def small_disk(directory):
    """A file system of 1 MiB where everybody may write; only root can mount it."""
    path = directory / "disk"
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=1777", "tmpfs", path], check=False).returncode:
        pytest.skip("this container forbids mounts")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def make_file_base(directory):
    path = directory / "files"
    path.mkdir()
    path.chmod(0o1777)
    return path


def messages_in(files):
    return list(files.glob("postern-message-*/*"))


@pytest.fixture
def start_pair(start_postern, backend):
    """A pair of this test's own, with options."""
    return lambda **options: Pair(start_postern(**options), backend)


@pytest.fixture(scope="module")
def postfix_factory():
    if not places.is_root():
        pytest.skip("a private Postfix needs root")
    started = []

    def start(**settings):
        home = places.make_directory()
        try:
            instance = Postfix(home, **settings)
        except PeerMissing as missing:
            places.remove_directory(home)
            pytest.fail(str(missing))
        started.append((instance, home))
        return instance.start()

    yield start
    for instance, home in started:
        instance.stop()
        places.remove_directory(home)


@pytest.fixture(scope="module")
def postfix(postfix_factory):
    return postfix_factory()


@pytest.fixture
def descriptors():
    return processes.descriptor_count
