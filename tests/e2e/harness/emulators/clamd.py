# SPDX-License-Identifier: MIT
"""clamd 1.4 as measured: three framings, INSTREAM, FILDES, IDSESSION; test_emulators.py holds it against the real one."""
import os

from .. import mail
from ..places import SOON, Timeout
from .base import PAYLOAD, Emulator, Ended, Fault

VERSION = b"ClamAV 1.4.6/27500/Mon Jan  6 09:31:02 2025"
DETECTED = b"Test.Payload.UNOFFICIAL"
# Texts of postern's own (src/scan/canary_text.c), which are no mail: by their sizes and beginnings.
OURS = {93: b"Subject: canary\r\n", 68: mail.test_virus(), 2421: b"\x1f\x8b\x08", 115: b"PK\3\4"}


def is_ours(octets):
    return octets.startswith(OURS.get(len(octets), b"\0 never"))


class Clamd(Emulator):
    def __init__(self, path=None, port=0, version=VERSION, stream_max=100 << 20, take_descriptors=True):
        super().__init__(path, port)
        self.version, self.stream_max, self.take_descriptors = version, stream_max, take_descriptors
        self.payload, self.at_begin = PAYLOAD, False  # octets that it detects; only where a file begins with them
        self.alerts = True      # AlertExceedsMax and AlertEncrypted
        self.trials = []        # texts of postern's own: they are not in .scans, and take no fault that is meant for a mail

    def talk(self, conversation):
        session, number = False, 0
        while True:
            framing = conversation.take(1)
            end = {b"z": b"\0", b"n": b"\n"}.get(framing, b"\n")
            command = conversation.take_until(end)
            if framing not in b"zn":
                command, session_ok = framing + command, False
            else:
                session_ok = True
            command = command.rstrip(b"\r") if end == b"\n" else command
            if command == b"IDSESSION" and session_ok and not session:
                session = True
                continue
            if command == b"END" and session:
                raise Ended
            number += 1
            self._command(conversation, command, end, number if session else None)
            if not session:
                raise Ended

    def _command(self, conversation, command, end, number):
        prefix = b"%d: " % number if number else b""
        if command == b"PING":
            conversation.answer(prefix + b"PONG" + end)
        elif command == b"VERSION":
            conversation.answer(prefix + self.version + end)
        elif command == b"INSTREAM":
            self._scan(conversation, self._stream, b"stream", end, number)
        elif command == b"FILDES":
            self._scan(conversation, self._descriptor, b"fd[10]", end, number)
        else:
            conversation.answer(prefix + b"UNKNOWN COMMAND" + end)
            raise Ended

    def _scan(self, conversation, receive, what, end, number):
        early = self.take_early_fault(conversation)
        octets, trouble = (b"", None) if early else receive(conversation)
        ours = octets is not None and is_ours(octets)
        fault = early or (self.always or Fault() if ours else self.next_fault())
        if number:
            prefix = b"%d: " % (number + 1 if fault.wrong_id else number)
        else:
            prefix = b""
        if trouble:
            conversation.answer(prefix + trouble + b" ERROR" + end, fault)
            raise Ended
        if ours:
            self.note_trial(octets)
        else:
            self.note_scan(what.decode(), octets)
        found = octets.startswith(self.payload) if self.at_begin and not ours else self.payload in octets
        name = fault.name or (DETECTED if found else self.alert(octets) if ours else None)
        result = name + b" FOUND" if name else b"OK"
        conversation.answer(prefix + what + b": " + result + end, fault)
        if fault.early:
            raise Ended

    def alert(self, octets):
        """What it says of a text that it cannot look at."""
        if not self.alerts:
            return None
        return {OURS[2421]: b"Heuristics.Limits.Exceeded.MaxRecursion", OURS[115]: b"Heuristics.Encrypted.Zip"}.get(OURS[len(octets)])

    def take_early_fault(self, conversation):
        """The next fault, if it is to be answered before the message was read, and that is a mail."""
        with self.condition:
            is_early = bool(self.faults) and self.faults[0].early
        if not is_early:
            return None
        size = conversation.take(4)
        if int.from_bytes(size, "big") in OURS:
            conversation.buffer = size + conversation.buffer
            return None
        return self.next_fault()

    def note_trial(self, octets):
        with self.condition:
            self.trials.append(octets)
            self.condition.notify_all()

    def wait_trials(self, count=1, timeout=SOON):
        """The texts of our own so far, COUNT at least."""
        with self.condition:
            if not self.condition.wait_for(lambda: len(self.trials) >= count, timeout):
                raise Timeout(f"{len(self.trials)} texts of postern's own reached the daemon, expected {count}")
            return list(self.trials)

    def forget(self):
        super().forget()
        self.trials = []

    def _stream(self, conversation):
        octets = b""
        while True:
            size = int.from_bytes(conversation.take(4), "big")
            if size == 0:
                return octets, None
            if len(octets) + size > self.stream_max:
                return None, b"INSTREAM size limit exceeded."
            octets += conversation.take(size)

    def _descriptor(self, conversation):
        conversation.take(1)
        if not conversation.descriptors or not self.take_descriptors:
            return None, b"No file descriptor received."
        descriptor = conversation.descriptors.pop(0)
        size = os.fstat(descriptor).st_size
        octets = os.pread(descriptor, size, 0)
        os.close(descriptor)
        return octets, None
