# SPDX-License-Identifier: MIT
"""What the original's own documentation has, word for word."""

# Its example for the Kaspersky module, 2.x form.
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
