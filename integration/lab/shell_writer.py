# SPDX-License-Identifier: GPL-2.0-or-later
"""
A small ACME client that keeps its challenges as acme.sh does: a shell writes the file with printf
and removes it with rm, and the CA is told at once. Certbot's acme library does the rest.

    shell_writer.py DIRECTORY-URL OWN-DIRECTORY NAME...
"""

import subprocess
import sys
from pathlib import Path

import josepy
from acme import challenges, client, crypto_util, errors, messages
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

WRITE = """
dir=$WICKET_WEBROOT/.well-known/acme-challenge
if ! [ -d "$dir" ]; then mkdir -p "$dir"; fi
printf "%s" "$2" >"$dir/$1"
chmod a+r "$dir/$1"
"""
REMOVE = 'rm -rf "$WICKET_WEBROOT/.well-known/acme-challenge/$1"'


def shell(script, *arguments):
    subprocess.run(["sh", "-euc", script, "sh", *arguments], check=True)


def new_key():
    return rsa.generate_private_key(65537, 2048, default_backend())


def connect(url, directory):
    """With the account whose key is in the directory, or a new one."""
    path = directory / "account.json"
    if not path.exists():
        path.write_text(josepy.JWKRSA(key=new_key()).json_dumps())
    network = client.ClientNetwork(josepy.JWK.json_loads(path.read_text()))
    server = client.ClientV2(client.ClientV2.get_directory(url, network), network)
    try:
        server.new_account(messages.NewRegistration(terms_of_service_agreed=True))
    except errors.ConflictError as known:
        network.account = messages.RegistrationResource(
            uri=known.location, body=messages.Registration()
        )
    return server


def solve(server, authorization):
    (body,) = [
        body for body in authorization.body.challenges if isinstance(body.chall, challenges.HTTP01)
    ]
    response, key_authorization = body.response_and_validation(server.net.key)
    token = body.chall.encode("token")
    shell(WRITE, token, key_authorization)
    server.answer_challenge(body, response)
    return token


def main(url, directory, names):
    directory = Path(directory)
    server = connect(url, directory)
    key = new_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    order = server.new_order(crypto_util.make_csr(key, names))
    # The CA may remember an earlier proof.
    tokens = [
        solve(server, authorization)
        for authorization in order.authorizations
        if authorization.body.status != messages.STATUS_VALID
    ]
    try:
        order = server.poll_and_finalize(order)
    finally:
        for token in tokens:
            shell(REMOVE, token)
    (directory / "cert.pem").write_text(order.fullchain_pem)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
