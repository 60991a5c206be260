# SPDX-License-Identifier: GPL-2.0-or-later
"""
certbot's standalone server, as certbot starts it, but for a queue that is long enough. Says
"ready", and ends with SIGTERM.

    standalone.py PORT FILE-OF-KEY-AUTHORIZATIONS
"""

import base64
import sys
from pathlib import Path

from acme import challenges
from acme.standalone import HTTP01RequestHandler, HTTP01Server


def resource(key_authorization):
    token = key_authorization.partition(".")[0]
    return HTTP01RequestHandler.HTTP01Resource(
        chall=challenges.HTTP01(token=base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))),
        response=None,
        validation=key_authorization,
    )


def main():
    HTTP01Server.request_queue_size = 4096
    resources = {resource(line) for line in Path(sys.argv[2]).read_text().splitlines()}
    server = HTTP01Server(("", int(sys.argv[1])), resources)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
