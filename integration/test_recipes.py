# SPDX-License-Identifier: GPL-2.0-or-later
"""
The README's recipes, run as they stand there. A recipe is the indented block behind the comment
`<!-- recipe: NAME -->`, and `<!-- renewal: NAME -->` is what goes into a timer. Only two things are
put in place of others: the lab's CA for Let's Encrypt, and example.lab for example.org.
"""

import re

import pytest
from lab.clients import trust
from lab.distance import Distance
from lab.lab import HOST4, HOST6
from lab.programs import TOP

README = (TOP / "README.md").read_text()
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
NAMES = ["example.lab", "www.example.lab"]
CERTIFICATES = {
    "certbot": "/etc/letsencrypt/live/example.lab/cert.pem",
    "certbot-webroot": "/etc/letsencrypt/live/example.lab/cert.pem",
    "dehydrated": "/var/lib/dehydrated/certs/example.lab/cert.pem",
    "dehydrated-webroot": "/var/lib/dehydrated/certs/example.lab/cert.pem",
    "uacme": "/etc/ssl/uacme/example.lab/cert.pem",
    "acmetool": "/var/lib/acme/live/example.lab/cert",
    "lego": "/var/lib/lego/certificates/example.lab.crt",
}


def blocks(kind):
    """Name and text of every block of a kind."""
    found = re.findall(
        rf"^<!-- {kind}: ([\w-]+) -->\n\n((?:(?:    .*)?\n)+)", README, re.MULTILINE
    )
    assert len(found) == len(dict(found)) == README.count(f"<!-- {kind}:")
    return {name: re.sub("^    ", "", text, flags=re.MULTILINE) for name, text in found}


RECIPES = blocks("recipe")
RENEWALS = blocks("renewal")


def hide_etc(lab):
    """What a recipe writes to /etc is the lab's, on top of what the machine has there."""
    lab.host.run(
        "sh",
        "-euc",
        "mkdir /run/etc /run/etc/upper /run/etc/work\n"
        "mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work etc /etc\n"
        'for file in /mnt/etc/*; do mount --bind "$file" "/etc/${file##*/}"; done\n'
        # Only packages' own files count, not what somebody has set up on this machine.
        "rm -rf /etc/letsencrypt/*/ /etc/ssl/uacme /etc/dehydrated/domains.txt /etc/acme/hooks/*\n",
    )


def run(lab, text):
    for old, new in ((LETS_ENCRYPT, lab.ca.url), ("example.org", "example.lab")):
        text = text.replace(old, new)
    return lab.host.run(
        "sh", "-euc", text, environment={"PYTHONDONTWRITEBYTECODE": "1"}, timeout=180
    )


def test_every_recipe_is_complete():
    assert set(RECIPES) == set(RENEWALS) == set(CERTIFICATES)
    for text in RECIPES.values():
        assert LETS_ENCRYPT in text
        assert "www.example.org" in text


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(lab, production, wicket, name):
    untouched = production.fingerprint()
    for host in NAMES:
        lab.ca.set_name(host, [HOST4], [HOST6])
    lab.at_end(Distance(lab.outside).close)
    hide_etc(lab)
    trust(lab)
    run(lab, RECIPES[name])
    certificate = lab.host.run(
        *("openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", CERTIFICATES[name])
    ).stdout
    assert sorted(re.findall(r"DNS:([^,\s]+)", certificate)) == NAMES
    # Nothing is due, so this only has to know its way.
    before = lab.host.run("sha256sum", CERTIFICATES[name]).stdout
    run(lab, RENEWALS[name])
    assert lab.host.run("sha256sum", CERTIFICATES[name]).stdout == before
    wicket.wait_gone()
    assert production.fingerprint() == untouched
