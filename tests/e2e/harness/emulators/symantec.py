# SPDX-License-Identifier: MIT
"""Symantec Scan Engine's native protocol, version 2: a greeting, one scan, the end."""
from .base import PAYLOAD, Emulator, Ended

GREETING = b"220 Symantec AntiVirus Scan Engine ready.\r\n2\r\n"
NAME = b"Test.Payload"
DATE, REVISION = b"20240105", b"2"


class Symantec(Emulator):
    def __init__(self, port=0, greeting=GREETING):
        super().__init__(port=port)
        self.greeting = greeting
        self.requests = []  # their first lines

    def talk(self, conversation):
        conversation.send(self.greeting)
        version = conversation.take_until(b"\n")
        if version != b"Version 2":
            conversation.answer(b"504 Unsupported protocol version.\r\n")
            raise Ended
        command = conversation.take_until(b"\n")
        name = conversation.take_until(b"\n")
        self.requests.append((version, command, name))
        if command != b"AVSCAN":
            conversation.answer(b"500 Syntax error.\r\n")
            raise Ended
        size = int(conversation.take_until(b"\n"))
        fault = self.next_fault()
        octets = conversation.take(1 if fault.early and size else 0 if fault.early else size)
        self.note_scan("stream", octets)
        virus = fault.name or (NAME if PAYLOAD in octets else None)
        conversation.answer(infected(name, virus) if virus else clean(), fault)
        raise Ended  # one scan a connection


def reply(status, infections):
    return b"\r\n".join([b"230 File scanned.", b"%d" % status, DATE, REVISION, *infections, b""])


def clean():
    return reply(0, [b"0"])


def infected(name, virus, status=1):
    return reply(status, [b"1", name, virus, b"11101", b"0"])
