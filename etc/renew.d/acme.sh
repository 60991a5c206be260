#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# acme.sh remembers the webroot each certificate was issued with.
exec /root/.acme.sh/acme.sh --cron --home /root/.acme.sh
