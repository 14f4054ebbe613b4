# SPDX-License-Identifier: MIT
"""A large message passes with the edge's memory constant. Release build: sanitizers keep freed memory."""
import pytest
from harness import mail, processes
from harness.backend import Backend, Wait
from harness.client import Client, dot_stuffed
from harness.places import RELEASE_BUILD
from harness.postern import Postern, clamav_stanza, fake_stanza

# What the edge may grow by, whatever the size: buffers of one session and two slices of the spool.
GROWTH_KIB = 4096


def send(port, octets):
    """A clean message of OCTETS octets, made while it is sent; its length and the reply."""
    length = 0
    with Client(port, timeout=580) as client:
        client.ehlo()
        client.start_data()
        for piece in mail.chunks_of_size(octets):
            client.send(piece)
            length += len(piece)
        client.send(b".\r\n")
        return length, client.reply()


@pytest.mark.release
@pytest.mark.soak("one-large", "one very large message, with and without libclamav: memory of the edge constant", octets=(60_000_000, 400_000_000))
@pytest.mark.parametrize("engine", ["clamav", "off"])
def test_large_message_passes_with_the_memory_of_the_edge_constant(directory, database, engine, scale):
    backend = Backend(keywords=("PIPELINING", "SIZE 0", "8BITMIME"), keep=False)
    stanza = clamav_stanza(database, timeout="500s", max_scansize="1G", max_filesize="1G") if engine == "clamav" else "scan = off\n"
    postern = Postern(directory, build=RELEASE_BUILD, backend_port=backend.port, engines=stanza, listener={"max_message_size": "1G"},
                      backend={"data_block_timeout": "60s", "data_done_timeout": "60s"}, top={"backend_hold": "120s"})
    try:
        postern.start()
        edge = postern.edge_pid()
        length, reply = send(postern.port, 1_000_000)
        assert reply.code == 250, reply
        before = processes.peak_resident_kib(edge)

        length, reply = send(postern.port, scale.octets)

        assert reply.code == 250, reply
        after = processes.peak_resident_kib(edge)
        scale.facts["KiB edge"] = f"{before}→{after}"
        assert after - before < GROWTH_KIB, f"the edge grew from {before} to {after} KiB"
        assert [m.length for m in backend.mails][-1] == length
        postern.stop(120)
    finally:
        postern.kill()
        backend.stop()


@pytest.mark.release
def test_slow_backend_holds_the_large_message_back_and_not_in_memory(directory):
    # The client sends as fast as it can, the backend reads nothing for a while: the bytes must wait in the spool.
    backend = Backend(keep=False)
    gate = backend.on("body", Wait())
    postern = Postern(directory, build=RELEASE_BUILD, backend_port=backend.port, engines="scan = off\n",
                      backend={"data_block_timeout": "60s", "data_done_timeout": "60s"})
    try:
        postern.start()
        edge = postern.edge_pid()
        before = processes.peak_resident_kib(edge)
        with Client(postern.port, timeout=120) as client:
            client.ehlo()
            client.start_data()
            for piece in mail.chunks_of_size(50_000_000):
                client.send(piece)
            client.send(b".\r\n")
            assert gate.entered.wait(60)
            assert processes.peak_resident_kib(edge) - before < GROWTH_KIB
            gate.release.set()
            client.expect(250)
        postern.stop(60)
    finally:
        postern.kill()
        backend.stop()


@pytest.mark.release
def test_message_over_the_limit_is_refused_and_not_kept(directory):
    backend = Backend(keep=False)
    postern = Postern(directory, build=RELEASE_BUILD, backend_port=backend.port, engines="scan = off\n",
                      listener={"max_message_size": "1M"})
    try:
        postern.start()
        _, reply = send(postern.port, 20_000_000)
        assert (reply.code, reply.enhanced) == (552, "5.3.4"), reply
        assert backend.mails == []
        postern.stop()
    finally:
        postern.kill()
        backend.stop()


def test_spool_directory_removed_under_a_running_postern_is_made_again(start_postern, database, backend, directory):
    spool = directory / "spool-that-goes"
    spool.mkdir(mode=0o1777)
    spool.chmod(0o1777)
    postern = start_postern(engines=clamav_stanza(database), spool=spool)
    inner = next(spool.iterdir())
    inner.rmdir()
    with Client(postern.port) as client:
        client.ehlo()
        assert client.message(mail.of_size(400_000)).code == 250
    assert len(backend.wait_mails()) == 1
    assert inner.is_dir()


@pytest.mark.root
def test_file_that_changed_after_the_scan_is_not_delivered(start_postern, backend, directory):
    """threats.md B41: somebody, or a disk, flips a byte of the spool file between scan and delivery."""
    spool = directory / "spool"
    spool.mkdir(mode=0o1777)
    spool.chmod(0o1777)
    postern = start_postern(engines=fake_stanza(), spool=spool)
    gate = backend.on("data", Wait())
    content = mail.plain(b"A line of text that goes to the disk.\r\n" * 20_000)
    with Client(postern.port) as client:
        client.ehlo()
        client.start_data()
        client.send(dot_stuffed(content))
        assert gate.entered.wait(30)  # the verdict is known, nothing has been delivered
        edge = postern.edge_pid()
        files = {number: link for number, link in processes.links(edge).items() if link.startswith(str(spool)) and "(deleted)" in link}
        assert len(files) == 1, files
        with open(f"/proc/{edge}/fd/{next(iter(files))}", "r+b") as file:
            file.seek(len(content) // 2)
            octet = file.read(1)
            file.seek(len(content) // 2)
            file.write(bytes([octet[0] ^ 1]))
        gate.release.set()
        reply = client.reply()
        assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
    assert "changed after it was scanned" in postern.log.wait_for("spool")["detail"]
    assert backend.mails == []
