# SPDX-License-Identifier: MIT
"""fsavd of F-Secure Linux, as its free clients know it: fields between tabs, a line each way, reports before the last line of an answer."""
from .base import PAYLOAD, Emulator
from .kaspersky import read_file

DETECTED = b"EICAR_Test_File"
VERSION = b"2009-03-17_05"
OPTIONS = (b"ARCHIVE", b"MAXARCH", b"MIME", b"TIMEOUT", b"STOPONFIRST", b"FILTER", b"RISKWARE")


class Fsavd(Emulator):
    def __init__(self, path=None, port=0, version=VERSION, unknown=()):
        """UNKNOWN: first or second words that this version does not know."""
        super().__init__(path, port)
        self.version, self.unknown = version, unknown
        self.settings = {}  # of the last session
        self.files = []

    def talk(self, conversation):
        conversation.send(b"DBVERSION\t" + self.version + b"\n")
        while True:
            fields = conversation.take_until(b"\n").rstrip(b"\r").split(b"\t")
            if fields[0] == b"SCAN" and len(fields) == 2:
                self._scan(conversation, fields[1])
            elif fields[0] == b"PROTOCOL" and fields[0] not in self.unknown:
                conversation.send(b"OK\tProtocol version set.\n")
            elif fields[0] == b"CONFIGURE" and len(fields) == 3 and fields[1] in OPTIONS and fields[1] not in self.unknown:
                with self.condition:
                    self.settings[fields[1].decode()] = fields[2].decode()
                conversation.send(b"OK\tConfiguration changed.\n")
            else:
                conversation.send(b"ERROR\tUnknown command.\n")

    def _scan(self, conversation, path):
        fault = self.next_fault()
        octets, seen = read_file(path.decode())
        if octets is None:
            conversation.answer(b"SCAN_FAILURE\t" + path + b"\t0x2\tCould not open the file [fsavd]\nOK\tScan ok.\n", fault)
            return
        with self.condition:
            self.files.append(seen)
        self.note_scan("SCAN", octets)
        name = fault.name or (DETECTED if PAYLOAD in octets else None)
        if fault.wrong_id:
            path = path.replace(b".eml", b"9.eml")
        report = b"INFECTED\t" + path + b"\t" + name + b"\tAquarius\n" if name else b"CLEAN\t" + path + b"\n"
        conversation.answer(report + b"OK\tScan ok.\n", fault)
