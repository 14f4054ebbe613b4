# SPDX-License-Identifier: MIT
"""Daemons of antivirus engines as small Python servers, which can also misbehave: base.py what all share, one file per daemon."""
